"""docs/messages-sources.md, made from the files of texts and the rows of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kdiag.knowledge.texts.templates import TOOLS, File
from tests.support.message_sources.coverage import SHORT, machine_rows
from tests.support.message_sources.tables import PLACE, load

_HEAD = """# The messages of `kdiag why`, and the sources that they were read in

Made by `python -m tests.support.message_sources --document docs/messages-sources.md`.

A message that a tool prints stands in its source as a text with conversions (`failed to open '%s': %s`). The texts of
nine tools were read out of their sources, release by release, and put into `kdiag/knowledge/texts/TOOL.json`: each with
the first and the last release that has it, the file and the function, below the row of the catalogue
(`kdiag/knowledge/messages`) that says what it means. A row explains one message, or a class of messages that have the
same meaning. `kdiag why` and `kdiag smoke` know a line by a row's pattern, or, where no pattern fits, by its text.

- *of this machine*: the row names findings that can be the cause, or the system call whose error number decides.
- *of the program*: the row says that no machine is the cause: the script, the program, an option, the tool itself.
- *left out*: the text is in no file, for the reason that is given below. What is no complaint (help, progress, a log's
  frame) does not count among the complaints; a text that is too short to be told from the messages of other programs
  (`opening file: %s`) does, and is the only thing that keeps a tool from 100 %.

A text with few letters counts only where something in front of it says that it is a complaint (`ERROR: `), so that
other programs' words are not taken for it. Releases of the kernel are those of the trees at hand, with gaps between
them: kdiag concludes nothing from them.
"""
_RUN = """
## How to read another release

    git clone https://github.com/bpftrace/bpftrace
    python -m tests.support.message_sources bpftrace bpftrace

reads every release that the clone has a tag of (or a plain directory, as one release), and prints each text that has no
row, in the form of `kdiag/knowledge/texts/bpftrace.json`: put it there, below the id of a row that is true for it, or
write such a row; what is no complaint is left out by a rule with its reason in
`tests/support/message_sources/left_out.json`. Then

    python -m tests.support.message_sources bpftrace bpftrace --write
    python -m tests.support.message_sources --document docs/messages-sources.md

bring releases, places, the index and this page up to date. `--left-out` lists what is left out. The exit status is 1
where a text has no row or a rule fits nothing.
"""


def document(place: Path = PLACE) -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_covered(place), "", *_left_out(place), *_releases(place), _RUN])


def _covered(place: Path) -> Iterator[str]:
    yield "## What is covered"
    yield ""
    yield (
        "| tool | texts | complaints | in the catalogue | of this machine | of the program "
        "| left out as too short | covered |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for tool in TOOLS:
        table = load(tool, place)
        here = sum(len(texts) for row, texts in table["templates"].items() if row in machine_rows())
        known = _known(table)
        brief = table["left_out"].get(SHORT, 0)
        every, covered = (
            known + sum(table["left_out"].values()),
            f"{100 * known / max(known + brief, 1):.0f} %",
        )
        numbers = (every, known + brief, known, here, known - here, brief)
        cells = (tool, *map(str, numbers), covered)
        yield f"| {' | '.join(cells)} |"


def _known(table: File) -> int:
    return sum(map(len, table["templates"].values()))


def _left_out(place: Path) -> Iterator[str]:
    yield "## What is left out"
    yield ""
    yield "| tool | texts | reason |"
    yield "|---|--:|---|"
    for tool in TOOLS:
        for reason, number in load(tool, place)["left_out"].items():
            yield f"| {tool} | {number} | {reason} |"
    yield ""


def _releases(place: Path) -> Iterator[str]:
    yield "## What was read"
    yield ""
    for tool in TOOLS:
        read = load(tool, place)["read"]
        yield f"- {tool}: {', '.join(read) or 'nothing'}"
