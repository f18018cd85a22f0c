"""A stream taken apart: reports, one per line or in several lines each, and recordings, one after the other.

`ssh HOST sh -s < collect.sh`, `kubectl logs` and the like give such streams, with words of a login shell in between,
with a machine that breaks off in the middle, or with one that sends without end. Each thing is named by its place;
what cannot be used has a problem in its stead, and the rest goes on. No more is held than the largest thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from kdiag.compare.reading.answers import MachineSummary
from kdiag.compare.reading.framing import AROUND, Beginnings, end, is_archive
from kdiag.compare.reading.summary import Ahead
from kdiag.parse.errors import ParseError
from kdiag.report.document import DOCUMENT_LIMIT
from kdiag.words import found_instead

_CHUNK = 1024 * 1024
#: As in recording/pack.py.
_ARCHIVE_LIMIT = 64 * 1024 * 1024
#: Also the zeros that fill up a tar, and the mark before each document of RFC 7464.
_BLANK = re.compile(rb"[\s\0\x1e]*")
#: What `kubectl logs --prefix`, pdsh and their like put before a line: `[pod/kdiag-x2k/kdiag] {...}`, `host: {...}`.
_LABELLED = re.compile(rb'\[?([^\s\[\]{}":|][^\s\[\]{}"|]{0,200}?)[\]:| \t]+(\{[ \t]*"schema"[\s\S]*\})\s*')
_SHOWN = 60
_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
#: No string of JSON can hold it: its quotes would be escaped.
_NEXT_REPORT = re.compile(rb'\{\s{0,8}"schema": ?"kdiag\.report/')
_NAME = b'"kdiag.report/'


class Document(NamedTuple):
    """A report's text, or what it says (`summary`) where it was recognised in the stream; or a recording, as an
    archive's bytes (`text`), or as the path of one (`name`).

    name: for people. problem: why it cannot be used, "" if it can as far as was seen.
    """

    name: str
    text: bytes = b""
    recording: bool = False
    problem: str = ""
    summary: MachineSummary | None = None


class Readable(Protocol):
    """Where bytes come from: a file, standard input."""

    def read(self, size: int, /) -> bytes:
        """So many bytes, fewer only at the end."""


class Recogniser(Protocol):
    """Knows reports where they stand in a stream; largest: so many bytes has the largest of those so far."""

    @property
    def largest(self) -> int: ...
    def ahead(self, held: bytearray, at: int, *, ended: bool) -> Ahead | None:
        """The report that begins at `at`, None where that has to be found out. ended: nothing follows."""


class _Source:
    """Bytes of a stream from a place on, which moves forward; what lies before is forgotten. first: so many bytes are
    read at once at first, for a file of that size.
    """

    def __init__(self, stream: Readable, first: int) -> None:
        self._stream, self._next = stream, first
        self.held = bytearray()
        self.at = 0
        self.offset, self.line, self.lines = 0, 1, True
        self.ended = False

    def more(self) -> bool:
        """Read on; False at the end."""
        if self.ended:
            return False
        if self.at:
            del self.held[: self.at]
            self.at = 0
        chunk = self._stream.read(self._next)
        self.held += chunk
        self.ended = len(chunk) < self._next
        self._next = _CHUNK
        return bool(chunk)

    def skip(self, size: int, lines: int) -> None:
        """Put bytes behind us that somebody looked at in place."""
        self.at += size
        self.offset += size
        self.line += lines

    def piece(self, offset: int, size: int) -> bytes:
        """Bytes ahead, fewer only at the end of the stream."""
        while len(self.held) - self.at < offset + size and self.more():
            pass
        return bytes(self.held[self.at + offset : self.at + offset + size])

    def take(self, size: int) -> bytes:
        """The next bytes, which are behind us then."""
        taken = bytes(self.held[self.at : self.at + size])
        self.at += size
        self.offset += len(taken)
        self.line += taken.count(b"\n") if self.lines else 0
        return taken

    def to_something(self) -> bool:
        """Pass blanks, and the zeros that fill up a tar; False at the end of the stream."""
        while True:
            found = _BLANK.match(self.held, self.at)
            if found is not None and found.end() > self.at:
                self.take(found.end() - self.at)
            if self.at < len(self.held):
                return True
            if not self.more():
                return False


def documents(
    stream: Readable, name: str, *, path: bool, recogniser: Recogniser | None = None, size: int = _CHUNK
) -> Iterator[Document]:
    """What is in a stream; nothing for an empty one. path: whether `name` is a file's, for the names of places. size:
    how many bytes it has, as far as that is known.
    """
    source = _Source(stream, min(size + 1, _CHUNK))
    alone = True
    there = source.to_something()
    while there:
        lines = source.lines
        place = _place(source, name, path=path)
        found = _recognised(source, recogniser) if recogniser is not None else None
        if found is None:
            found = _archive(source) if is_archive(source.piece(0, 512)) else _text(source)
        there = source.to_something()
        alone = alone and not there
        label = found.name and (f"{found.name} ({place})" if not path else f"{found.name} in {place}")
        yield found._replace(name=label or (name if alone else place))
        source.lines = lines and not found.recording


def _recognised(source: _Source, recogniser: Recogniser) -> Document | None:
    """The report that begins here, if it is one like those before."""
    if not source.held.startswith(b"{", source.at):
        return None
    if len(source.held) - source.at < recogniser.largest + AROUND:
        source.more()
    found = recogniser.ahead(source.held, source.at, ended=source.ended)
    if found is None:
        return None
    source.skip(found.size, found.lines)
    return Document("", summary=found.summary)


def _place(source: _Source, name: str, *, path: bool) -> str:
    """Where something begins. Behind a recording nobody can count lines."""
    if source.lines:
        return f"{name}:{source.line}" if path else f"line {source.line} of {name}"
    return f"{name}, byte {source.offset}" if path else f"byte {source.offset} of {name}"


# -- recordings ------------------------------------------------------------------------------------------------------


def _archive(source: _Source) -> Document:
    try:
        return Document("", source.take(end(source.piece, _ARCHIVE_LIMIT)), recording=True)
    except ParseError as error:
        lost = _lost(source)
        problem = f"a damaged archive: {error}; {lost} bytes were passed over"
        return Document("", recording=True, problem=problem)


def _lost(source: _Source, *, binary: bool = True) -> int:
    """Pass over what makes no sense, up to where something new begins; how many bytes that was."""
    before = source.offset
    source.take(1)
    beginnings = Beginnings(binary=binary)
    while (place := beginnings.find(source.held, source.at, last=source.ended)) < 0:
        if source.ended:
            source.take(len(source.held) - source.at)
            return source.offset - before
        source.take(max(len(source.held) - source.at - 2 * AROUND, 0))
        source.more()
    source.take(place - source.at)
    return source.offset - before


# -- text ------------------------------------------------------------------------------------------------------------


def _text(source: _Source) -> Document:
    if source.piece(0, 3) == _BOM:
        source.take(3)
    if source.piece(0, 1) == b"{":
        size = _report_end(source)
        if size < 0:
            return Document("", problem=_too_long(source))
        return Document("", source.take(size))
    return _words(source)


def _report_end(source: _Source) -> int:
    """The length of the document that begins here, -1 for one that is too long."""
    size = _document_end(source)
    if size < 0:
        return size
    # A machine broke off in the middle of a line, and the next one's report follows at once: the name is there twice.
    start, stop = source.at, source.at + size
    if source.held.find(_NAME, source.held.find(_NAME, start, stop) + 1, stop) < 0:
        return size
    glued = _NEXT_REPORT.search(source.held, source.at + 1, source.at + size)
    return size if glued is None else glued.start() - source.at


def _document_end(source: _Source) -> int:
    """One document on a line of its own; or in several lines that are indented, up to a brace that is not, or up to
    where the next one begins if this one was cut off; or in any other form, up to a brace alone before the next.
    """
    line = _find(source, b"\n", 0)
    if line < 0:
        return _rest(source)
    following = source.piece(line + 1, 1)
    if source.piece(0, line).rstrip().endswith(b"}") or following == b"{":
        return line + 1
    indented = following.isspace()
    searched = line
    while True:
        held, start = source.held, source.at
        closed = held.find(b"\n}" if indented else b"\n}\n{", start + searched)
        cut = held.find(b"\n{", start + searched, closed if closed >= 0 else len(held)) if indented else -1
        if cut >= 0:
            return cut + 1 - start
        if closed >= 0:
            return closed + 2 - start
        searched = max(len(held) - start - 3, line)
        if searched > DOCUMENT_LIMIT:
            return -1
        if not source.more():
            return _rest(source)


def _find(source: _Source, what: bytes, searched: int) -> int:
    """Where bytes are, from here; -1 if they are not within the limit of a document."""
    while (found := source.held.find(what, source.at + searched)) < 0:
        searched = len(source.held) - source.at
        if searched > DOCUMENT_LIMIT or not source.more():
            return -1
    return found - source.at


def _rest(source: _Source) -> int:
    """The length of all that is left, -1 if that is too long."""
    size = len(source.held) - source.at
    return size if source.ended and size <= DOCUMENT_LIMIT else -1


def _too_long(source: _Source) -> str:
    lost = _lost(source)
    return f"a document of more than {DOCUMENT_LIMIT} bytes; {lost} bytes were passed over"


def _words(source: _Source) -> Document:
    """Lines that are neither a report nor a recording, together; or a report with a name before it in its line."""
    line = _find(source, b"\n", 0)
    size = line + 1 if line >= 0 else _rest(source)
    labelled = _LABELLED.fullmatch(source.piece(0, size)) if size >= 0 else None
    if labelled is not None:
        source.take(size)
        return Document(labelled[1].decode("utf-8", "replace"), labelled[2])
    if source.piece(0, 2) in _UTF_16:
        _lost(source, binary=False)
        return Document(
            "", problem="UTF-16, as `>` of PowerShell writes it: convert it with `iconv -f UTF-16 -t UTF-8`"
        )
    first = source.piece(0, _SHOWN).partition(b"\n")[0].decode("utf-8", "replace").strip()
    _lost(source, binary=False)
    return Document("", problem=f"neither a report nor a recording: it begins with {found_instead(first)}")
