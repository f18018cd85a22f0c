"""Holds the table of bpftrace's releases against their sources: `python -m tests.support.bpftrace_sources CLONE`.

CLONE is a clone of https://github.com/bpftrace/bpftrace with its tags. Every release from 0.11 on (or the revisions
that are named after it) is read by the signs of `bpftrace_markers`; each answer that is not the table's is printed, and
the exit status is 1. `--write FILE` writes what was read where.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from kdiag.knowledge.tools.behaviour import Version
from kdiag.knowledge.tools.bpftrace import behaviour, parse_version
from tests.support import bpftrace_scripts
from tests.support.bpftrace_markers import COUNTED, SIGNS, Files, Read, Sign

OLDEST: Version = (0, 11, 0)
_TOP = ("src/", "tools/", "cmake/", "CMakeLists.txt")


def releases(clone: Path) -> list[str]:
    """The tags of releases from the oldest on, oldest first; candidates are none."""
    listed = subprocess.run(
        ["git", "-C", clone, "tag"], check=True, capture_output=True, text=True
    ).stdout.split()
    known = {tag: parse_version(tag) for tag in listed if re.fullmatch(r"v\d+\.\d+(\.\d+)?", tag)}
    return sorted(
        (tag for tag, version in known.items() if version is not None and version >= OLDEST),
        key=lambda tag: known[tag] or OLDEST,
    )


def tree(clone: Path, revision: str) -> Files:
    """The sources, the tools and the build's own files of a revision."""
    done = subprocess.run(["git", "-C", clone, "archive", revision, *_TOP], check=True, capture_output=True)
    files = {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            # libbpf's and the C library's headers that are shipped along say nothing of bpftrace itself.
            if content is not None and "/stdlib/include/" not in member.name:
                files[member.name] = content.read().decode("utf-8", "replace")
    return files


#: The first line of a function's definition: it begins in the first column.
_FUNCTION = re.compile(r"^(?:[A-Za-z][^;#=()\n]*[\s*&])?([\w:~]+)\(", re.MULTILINE)


def place(path: str, text: str, at: int) -> str:
    """A place as file, line and, where it is in one, function."""
    line = text.count("\n", 0, at) + 1
    if not path.endswith((".cpp", ".h")):
        return f"{path}:{line}"
    names = _FUNCTION.findall(text, 0, text.find("\n", at))
    return f"{path}:{line} {names[-1]}()" if names else f"{path}:{line}"


def find(files: Files, sign: Sign) -> str | None:
    """Where a sign holds; None where it does not."""
    where, what = re.compile(sign.where), re.compile(sign.what, re.MULTILINE)
    matching = [path for path in sorted(files) if where.search(path)]
    for path in matching:
        if match := what.search(files[path]):
            return place(path, files[path], match.start()) if sign.there else None
    if sign.there:
        return None
    return f"no `{sign.what}` in {len(matching)} files" if matching else f"no file `{sign.where}`"


def read(files: Files) -> dict[str, Read | None]:
    """What a tree answers for each field; None where no answer's signs all hold."""
    found: dict[str, Read | None] = {field: count(files) for field, count in COUNTED.items()}
    for field, answers in SIGNS.items():
        found[field] = None
        for value, signs in answers:
            places = [find(files, sign) for sign in signs]
            if None not in places:
                found[field] = Read(
                    value, next((p for p in places if p and p.startswith(_TOP)), places[0]) or ""
                )
                break
    return found


def differences(version: Version, found: Mapping[str, Read | None]) -> Iterator[str]:
    """Where the table says otherwise than the source."""
    expected = behaviour(version)
    for field, answer in found.items():
        said = getattr(expected, field)
        if answer is None:
            yield f"{field}: the source has none of the signs; the table says {said!r}"
        elif answer.value != said:
            yield f"{field}: the source says {answer.value!r} ({answer.place}), the table {said!r}"


def shown(value: object) -> str:
    """A value as the table of what was read prints it."""
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "none"
    if isinstance(value, tuple):
        return ".".join(map(str, value)) if all(isinstance(v, int) for v in value) else " ".join(value)
    return {True: "yes", False: "no", None: "none", "": "none"}.get(value, str(value))  # type: ignore[call-overload, no-any-return]


def written(read_of: Mapping[str, Mapping[str, Read | None]]) -> str:
    """What was read where: for each field the releases that changed the answer, and the first place that says so."""
    lines = [
        "# What was read in bpftrace's sources",
        "",
        "Made by `python -m tests.support.bpftrace_sources CLONE --write docs/bpftrace-sources.md`, which holds",
        "every release against `kdiag/knowledge/tools/bpftrace_history.py` by the signs of",
        "`tests/support/bpftrace_markers.py`. For each field: the first release with that answer, the answer, and the",
        "file, line and function of that release that says so, or what is not there.",
        "",
        f"Releases read: {', '.join(read_of)}.",
        "",
        "| field | since | answer | read in |",
        "|---|---|---|---|",
    ]
    for field in sorted(next(iter(read_of.values()))):
        last: object = lines
        for tag, found in read_of.items():
            answer = found[field]
            if answer is not None and answer.value != last:
                cells = (field, tag, shown(answer.value), answer.place)
                lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
                last = answer.value
    return "\n".join([*lines, ""])


def main(arguments: Iterable[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clone", type=Path)
    parser.add_argument(
        "revisions", nargs="*", help="instead of all releases; a version is read off their name"
    )
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args(None if arguments is None else list(arguments))
    wrong = 0
    read_of = {}
    for tag in options.revisions or releases(options.clone):
        files, version = tree(options.clone, tag), parse_version(tag) or (99, 0, 0)
        read_of[tag] = read(files)
        for line in (*differences(version, read_of[tag]), *bpftrace_scripts.differences(files, version)):
            print(f"{tag}: {line}")
            wrong += 1
    print(f"{len(read_of)} releases, {len(SIGNS) + len(COUNTED)} fields, {wrong} differences")
    if options.write is not None and not wrong:
        options.write.write_text(written(read_of))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
