"""What is compared: reports and recordings, from files, directories, patterns and standard input, one at a time.

A report is a JSON document as `kdiag check --format json` prints it; a file or standard input may hold many
(`stream`). A recording is examined again by the checks of this kdiag.
"""

from __future__ import annotations

import glob
import os
import stat as stat_bits
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from kdiag.compare.reading.framing import is_archive
from kdiag.compare.reading.packed import Unpacked
from kdiag.compare.reading.stream import Document, Recogniser
from kdiag.compare.reading.stream import documents as stream_documents
from kdiag.console.printable import line
from kdiag.parse import compression
from kdiag.parse.errors import ParseError
from kdiag.trust import read

__all__ = ["BadInput", "Document", "Unread", "documents", "paths"]

_PLAIN = (".json", ".jsonl", ".ndjson")
#: What names of reports and recordings end in.
SUFFIXES = (
    *(f"{end}{packed}" for end in _PLAIN for packed in ("", ".gz", ".xz", ".zst")),
    ".tar.zst",
    ".tar.xz",
)
_DEEPEST = 16
#: Inputs that cannot be read which are told one by one, and so much of each reason.
_TOLD, _REASON = 100, 1000


class BadInput(ValueError):
    """An input that cannot be used; the message names it, the place in it, and what was expected. more: a line for each
    further one. A line break in a name is shown, so that each line is one of ours.
    """

    def __init__(self, message: str, more: Iterable[str] = ()) -> None:
        super().__init__("\n".join(map(line, (message, *more))))


class Unread:
    """What could not be read: the names and reasons of the first, and the number of all: no sender has to end."""

    def __init__(self) -> None:
        self.count = 0
        self.told: list[tuple[str, str]] = []

    def add(self, name: str, why: str) -> None:
        """One more. A reason may begin with the name, as messages do."""
        self.count += 1
        if len(self.told) < _TOLD:
            self.told.append((name, why.removeprefix(f"{name}: ")[:_REASON]))

    @property
    def more(self) -> int:
        """How many are not told one by one."""
        return self.count - len(self.told)


def paths(given: Sequence[str]) -> Iterator[str]:
    """The files and recordings behind the arguments: directories are walked in the order of names, patterns that no
    shell expanded are expanded. Raises BadInput for what is not there, and for what holds nothing to compare.
    """
    for path in given:
        if path == "-" or os.path.lexists(path):
            found = [path] if path == "-" or not os.path.isdir(path) else [*_walk(path, 0)]
        else:
            found = [p for m in sorted(glob.glob(path)) for p in (_walk(m, 0) if os.path.isdir(m) else [m])]
            if not found:
                raise BadInput(f"{path}: there is no such file or directory")
        if not found:
            raise BadInput(f"{path}: a directory without reports or recordings ({', '.join(SUFFIXES)})")
        yield from found


def _walk(directory: str, depth: int) -> Iterator[str]:
    if os.path.isfile(os.path.join(directory, "recording.json")):
        yield directory
        return
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError as error:
        if depth:
            yield directory  # who opens it says why that fails, and the rest goes on
            return
        raise BadInput(f"{directory}: {os.strerror(error.errno or 0)}") from None
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if depth < _DEEPEST:
                yield from _walk(entry.path, depth + 1)
        elif entry.name.endswith(SUFFIXES) and not _leads_to_directory(entry):
            yield entry.path


def _leads_to_directory(entry: os.DirEntry[str]) -> bool:
    """Whether it is a link to one, which may lead back. A link that leads nowhere, and what is no file, is no report
    either: that is told where it is opened.
    """
    try:
        return entry.is_dir()
    except OSError:
        return False


def documents(path: str, recogniser: Recogniser | None = None) -> Iterator[Document]:
    """The reports and recordings in a file or on standard input, or the one recording at a path. recogniser: knows some
    where they stand. Raises BadInput.
    """
    if path == "-":
        yield from _some(
            stream_documents(sys.stdin.buffer, "standard input", path=False, recogniser=recogniser), path
        )
        return
    if os.path.isdir(path) or os.path.basename(path) == "recording.json":
        yield Document(path, recording=True)
        return
    try:
        with read.opened(path) as file:
            info = os.fstat(file.fileno())
            regular = stat_bits.S_ISREG(info.st_mode)
            # `<(command)` of a shell cannot be read twice.
            if regular and is_archive(file.peek(512)):
                reports = _packed(file)
                if reports is None:
                    yield Document(path, recording=True)
                else:
                    yield from _some(stream_documents(reports, path, path=True, recogniser=recogniser), path)
            else:
                size = {"size": info.st_size} if regular else {}
                yield from _some(stream_documents(file, path, path=True, recogniser=recogniser, **size), path)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from None
    except ParseError as error:
        raise BadInput(f"{path}: {error}") from None
    except ValueError as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{path!a}: not a path") from None


def _packed(file: BinaryIO) -> Unpacked | None:
    """What is in a packed file of reports; None for a recording, and for what a recording's reader has to name."""
    kind = compression.identify(file.read(16))
    file.seek(0)
    try:
        found = None if kind is None else Unpacked(file, kind)
    except ParseError:
        return None
    return found if found is not None and not found.is_archive else None


def _some(found: Iterator[Document], path: str) -> Iterator[Document]:
    empty = True
    for document in found:
        empty = False
        yield document
    if empty:
        name = "standard input" if path == "-" else path
        raise BadInput(f"{name}: empty; expected a report, as `kdiag check --format json` prints it")
