"""Bytes from anywhere as lines: whatever their length and number, in bounded memory, without terminal escapes."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO

#: Bytes of a line that are read; no pattern looks for what is beyond.
LONGEST = 4_000
#: Bytes of a text that are read: a log that never ends is cut there.
MOST = 1 << 28
_PIECE = 1 << 18

#: ECMA-48: control sequences, strings (OSC, DCS, ...) to their end, and the other two-character escapes.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -Z\\^-~])")
_ZEROS = re.compile(rb"\0{2,}")
#: Bytes of text: blanks, escapes, ASCII, and what UTF-8 is made of.
_TEXT = bytes([9, 10, 11, 12, 13, 27, *range(32, 127), *range(128, 256)])
#: What PowerShell's `>` writes: UTF-16, of which the zero bytes are left out. Little endian: so it is on every Windows.
_WIDE = codecs.BOM_UTF16_LE


class Reading:
    """The lines of a stream, to be gone through once; what was left out of them is known afterwards.

    shortened: how many lines were longer than LONGEST; cut: whether there was more than `most` bytes; binary: how many
    lines are no text, and were left out.
    """

    def __init__(self, stream: BinaryIO, most: int = MOST) -> None:
        self._stream = stream
        self._left = most
        self.shortened = 0
        self.cut = False
        self.binary = 0

    def __iter__(self) -> Iterator[str]:
        kept, size = b"", 0  # of a line whose end was not read yet: its beginning, and its length
        for piece in self._pieces():
            first, *rest = piece.split(b"\n")
            kept += first[: LONGEST - len(kept)]
            size += len(first)
            for more in rest:
                yield self._plain(kept, size)
                kept, size = more[:LONGEST], len(more)
        if size:
            yield self._plain(kept, size)

    def _plain(self, raw: bytes, size: int) -> str:
        self.shortened += size > LONGEST
        # A crash leaves zero bytes in a log (its last blocks, never written): alone they make no line binary.
        if b"\0" in raw:
            raw = raw.strip(b"\0")
            if len(raw.translate(None, _TEXT)) * 50 > len(raw):
                self.binary += 1
                return ""
        return plain(raw)

    def _pieces(self) -> Iterator[bytes]:
        wide, first = False, True
        while piece := self._read(min(_PIECE, self._left or 1)):
            if not self._left:
                self.cut = True
                return
            self._left -= len(piece)
            if first:
                wide, first = piece.startswith(_WIDE), False
                piece = piece.removeprefix(_WIDE).removeprefix(codecs.BOM_UTF8)
            yield (
                piece.replace(b"\0", b"") if wide else _ZEROS.sub(b"\0", piece) if b"\0\0" in piece else piece
            )

    def _read(self, size: int) -> bytes:
        read1 = getattr(self._stream, "read1", None)
        return bytes((read1 or self._stream.read)(size))


def plain(raw: bytes) -> str:
    """A line as text, with what is not UTF-8 replaced and escapes left out."""
    text = raw[:LONGEST].decode("utf-8", "replace").rstrip("\r")
    return _ESCAPES.sub("", text) if "\x1b" in text else text
