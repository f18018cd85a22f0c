"""Bytes from anywhere as lines: whatever their length and number, in bounded memory, without terminal escapes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

#: Of a line; what is beyond says nothing that a pattern looks for.
LONGEST = 4_000
#: Of a text; a log that never ends is cut there.
MOST = 1 << 30
_PIECE = 1 << 20

#: ECMA-48: control sequences, strings (OSC, DCS, ...) to their end, and the other two-character escapes.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -Z\\^-~])")


def lines(stream: BinaryIO, most: int = MOST) -> Iterator[str]:
    """The lines of a stream, each cut at LONGEST bytes; ends after `most` bytes."""
    for raw in _raw(stream, most):
        yield plain(raw)


def plain(raw: bytes) -> str:
    """A line as text, with what is not UTF-8 replaced and escapes left out."""
    text = raw[:LONGEST].decode("utf-8", "replace").rstrip("\r")
    return _ESCAPES.sub("", text) if "\x1b" in text else text


def _raw(stream: BinaryIO, most: int) -> Iterator[bytes]:
    kept, left = b"", most
    while left > 0 and (
        piece := stream.read1(min(_PIECE, left)) if hasattr(stream, "read1") else stream.read(_PIECE)
    ):
        left -= len(piece)
        first, *rest = piece.split(b"\n")
        kept += first[: LONGEST - len(kept)]
        for more in rest:
            yield kept
            kept = more[:LONGEST]
    if kept:
        yield kept
