"""Reports that are packed (`reports.jsonl.gz`), unpacked while they are read: no more is held than is asked for."""

from __future__ import annotations

from typing import BinaryIO

from kdiag.parse import compression
from kdiag.parse.errors import ParseError

_STEP = 1 << 16
_USTAR = slice(257, 262)


class Unpacked:
    """A packed file, read as what is in it. head: the first bytes, which are also read."""

    def __init__(self, file: BinaryIO, kind: str) -> None:
        """Raises ParseError for damaged data, and Unsupported."""
        self._file, self._kind = file, kind
        self._decoder = compression.Decoder(kind)
        self._rest = self._held = b""
        self._ended = False
        self.head = self._held = self.read(512)

    @property
    def is_archive(self) -> bool:
        """Whether it is a tar, as recordings are."""
        return self.head[_USTAR] == b"ustar"

    def read(self, size: int) -> bytes:
        """So many bytes, fewer only at the end. Raises ParseError."""
        pieces, self._held = [self._held[:size]], self._held[size:]
        missing = size - len(pieces[0])
        while missing and not self._ended:
            pieces.append(self._next(missing))
            missing -= len(pieces[-1])
        return b"".join(pieces)

    def _next(self, most: int) -> bytes:
        """Some more bytes; none at a boundary, or at the end."""
        if self._decoder.eof:
            rest = self._decoder.unused_data or self._rest or self._file.read(_STEP)
            if compression.identify(rest) != self._kind:
                self._ended = True
                return b""
            self._decoder, self._rest = compression.Decoder(self._kind), rest
        data, self._rest = self._rest, b""
        if self._decoder.needs_input and not data:
            data = self._file.read(_STEP)
            if not data:
                raise ParseError(f"{self._kind} data ends early")
        return self._decoder.decompress(data, most)
