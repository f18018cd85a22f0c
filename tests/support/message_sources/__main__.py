"""Lists the messages in a tool's sources that the catalogue of `kdiag why` lacks.

`python -m tests.support.message_sources TOOL TREE...`: a TREE is a clone, of which every tag of a release is read, or
a plain directory with the sources of one release. What is printed can be put into `kdiag/knowledge/texts/TOOL.json`,
below the id of the row of the catalogue that says what it means; the exit status is 1. `--write` brings the releases
and places in that file up to date with what was read. `--document FILE` needs no tree: it writes what is known of all
tools.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.message_sources import indexing
from tests.support.message_sources.coverage import Held, held
from tests.support.message_sources.document import document
from tests.support.message_sources.standing import Sources, sources
from tests.support.message_sources.tables import PLACE, entry, filled, load, written
from tests.support.message_sources.tools import TOOLS


def main(arguments: Sequence[str] | None = None, place: Path = PLACE) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.message_sources",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "tool", nargs="?", choices=sorted(TOOLS), metavar="TOOL", help=", ".join(sorted(TOOLS))
    )
    parser.add_argument("tree", nargs="*", type=Path, metavar="TREE")
    parser.add_argument("--write", action="store_true", help="bring the tool's file of texts up to date")
    parser.add_argument("--left-out", action="store_true", help="list what is left out, too")
    parser.add_argument("--document", type=Path, metavar="FILE", help="write the table of what is covered")
    options = parser.parse_args(arguments)
    if options.document is not None:
        options.document.write_text(document())
        return 0
    if options.tool is None or not options.tree:
        parser.error("a TOOL and at least one TREE are required")
    if missing := [tree for tree in options.tree if not tree.is_dir()]:
        parser.error(f"no directory: {missing[0]}")
    read = sources(options.tool, options.tree)
    if not read.texts:
        parser.error(f"no messages of {options.tool} in {', '.join(map(str, options.tree))}")
    table = load(options.tool, place)
    found = held(options.tool, read, table)
    _say(options.tool, read, found, left_out=options.left_out)
    if options.write:
        counts = {reason: len(several) for reason, several in found.left_out.items()}
        path = place / f"{options.tool}.json"
        path.write_text(written(filled(table, read, found.rows, counts)))
        (place / "index.json").write_text(indexing.written(indexing.made(place)))
    return 1 if found.lacking or found.idle else 0


def _say(tool: str, read: Sources, found: Held, *, left_out: bool) -> None:
    for one in found.lacking:
        print(json.dumps(entry(one), ensure_ascii=False))
    for reason, several in sorted(found.left_out.items()):
        if left_out:
            print(f"left out: {reason}")
            for one in several:
                print(f"  {one.text}  ({one.place})")
    for rule in found.idle:
        print(f"left_out.json: a rule of {tool} fits no message: {rule}", file=sys.stderr)
    out = sum(map(len, found.left_out.values()))
    counted = found.covered + len(found.lacking)
    print(
        f"{tool}: {len(read.releases)} releases, {len(read.texts)} messages: {out} left out, "
        f"{found.covered} of {counted} in the catalogue ({100 * found.covered / max(counted, 1):.1f} %)"
    )


if __name__ == "__main__":
    sys.exit(main())
