"""What is compared: reports and recordings, from files, directories, patterns and standard input, one at a time.

A report is a JSON document as `kdiag check --format json` prints it; a file or standard input may hold many, one per
line or one after the other. A recording is examined again by the checks of this kdiag.
"""

from __future__ import annotations

import glob
import io
import os
import stat as stat_bits
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

from kdiag.console.printable import line
from kdiag.report.document import DOCUMENT_LIMIT
from kdiag.trust import read

_CHUNK = 1024 * 1024
_SUFFIXES = (".json", ".jsonl", ".ndjson", ".tar.zst", ".tar.xz")
_DEEPEST = 16
#: zstd, xz, gzip; an uncompressed tar says so further on.
_ARCHIVES = (b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00", b"\x1f\x8b\x08")


class BadInput(ValueError):
    """An input that cannot be used; the message names it, the place in it, and what was expected. more: a line for each
    further one. A line break in a name is shown, so that each line is one of ours.
    """

    def __init__(self, message: str, more: Iterable[str] = ()) -> None:
        super().__init__("\n".join(map(line, (message, *more))))


class Document(NamedTuple):
    """One report's text, or (`recording`) the path of a recording to play back. name: for people."""

    name: str
    text: bytes = b""
    recording: bool = False


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
            raise BadInput(f"{path}: a directory without reports or recordings ({', '.join(_SUFFIXES)})")
        yield from found


def _walk(directory: str, depth: int) -> Iterator[str]:
    if os.path.isfile(os.path.join(directory, "recording.json")):
        yield directory
        return
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError as error:
        raise BadInput(f"{directory}: {os.strerror(error.errno or 0)}") from None
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if depth < _DEEPEST:
                yield from _walk(entry.path, depth + 1)
        elif entry.name.endswith(_SUFFIXES) and entry.is_file():
            yield entry.path


def documents(path: str) -> Iterator[Document]:
    """The reports in a file or on standard input, or the one recording at a path. Raises BadInput."""
    if path == "-":
        stream = sys.stdin.buffer
        # What was peeked at is read again.
        if isinstance(stream, io.BufferedReader) and _archive(stream.peek(512)):
            yield Document(path, recording=True)
        else:
            yield from _split(stream, "standard input")
        return
    if os.path.isdir(path) or os.path.basename(path) == "recording.json":
        yield Document(path, recording=True)
        return
    try:
        with read.opened(path) as file:
            # `<(command)` of a shell cannot be read twice.
            if _archive(file.peek(512)) and stat_bits.S_ISREG(os.fstat(file.fileno()).st_mode):
                yield Document(path, recording=True)
            else:
                yield from _split(file, path)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{path!a}: not a path") from None


def _archive(start: bytes) -> bool:
    """Whether a file that begins like this is packed, or a tar."""
    return start.startswith(_ARCHIVES) or start[257:262] == b"ustar"


def _split(stream: BinaryIO, name: str) -> Iterator[Document]:
    buffer, count, more = b"", 0, True
    while more:
        chunk = stream.read(_CHUNK)
        more = len(chunk) == _CHUNK
        buffer = buffer + chunk if buffer else chunk
        start = 0
        while (end := _end(buffer, start)) >= 0:
            document = buffer[start:end]
            start = end
            if not document.isspace():
                count += 1
                yield Document(f"{name}#{count}", document)
        buffer = buffer[start:] if start else buffer
        if len(buffer) > DOCUMENT_LIMIT:
            raise BadInput(f"{name}: a document of more than {DOCUMENT_LIMIT} bytes")
    if buffer.strip():
        yield Document(f"{name}#{count + 1}" if count else name, buffer)
    elif not count:
        raise BadInput(f"{name}: empty; expected a report, as `kdiag check --format json` prints it")


def _end(buffer: bytes, start: int) -> int:
    """Where the first of several documents ends, -1 if it is the only one so far: one on a line of its own, or one
    that ends with a brace on a line of its own, before one that begins with such.
    """
    while buffer[start : start + 1] == b"\n":
        start += 1
    line = buffer.find(b"\n", start)
    if line < 0:
        return -1
    if buffer.endswith((b"}", b"}\r", b"} "), start, line):
        return line + 1
    end = buffer.find(b"\n}\n{", line - 1)
    return end + 3 if end >= 0 else -1
