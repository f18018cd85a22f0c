"""Where an archive ends that stands in a stream with others, and where the next thing begins after a damaged one."""

from __future__ import annotations

import re
from collections.abc import Callable

from kdiag.parse import compression, tarstream
from kdiag.parse.errors import ParseError

#: zstd, xz, gzip; an uncompressed tar says so further on.
_PACKED = (b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00", b"\x1f\x8b\x08")
_BLOCK = 512
_STEP = 1 << 20
#: So many bytes around a beginning must be there to tell that it is one.
AROUND = 1024
_REPORT = b'"schema"'
_NAMED = re.compile(rb'\{\s{0,8}"schema": ?"kdiag\.report/')
#: So many packed archives are tried out in bytes that make no sense.
_TRIED = 200

#: (offset, size) -> the bytes there, fewer only where the data ends.
At = Callable[[int, int], bytes]


def is_archive(start: bytes) -> bool:
    """Whether something that begins like this is packed, or a tar."""
    return start.startswith(_PACKED) or start[257:262] == b"ustar"


def end(at: At, limit: int) -> int:
    """The length of the archive that begins at 0. Raises ParseError for one that is damaged, ends early, or has more
    than `limit` bytes, packed or not.
    """
    kind = compression.identify(at(0, 16))
    return _tar_end(at, limit) if kind is None else _packed_end(at, kind, limit)


def _tar_end(at: At, limit: int) -> int:
    position = 0
    while (header := at(position, _BLOCK)).strip(b"\0"):
        if len(header) < _BLOCK:
            break
        size = tarstream.body_size(header, position)
        position += _BLOCK + (size + _BLOCK - 1) // _BLOCK * _BLOCK
        if position > limit:
            raise ParseError(f"larger than {limit} bytes", position)
    if len(header) < _BLOCK:
        raise ParseError("the tar ends early", position + len(header))
    return position + _BLOCK


def _packed_end(at: At, kind: str, limit: int) -> int:
    find = compression.Length(kind, limit * 8)
    position = 0
    while piece := at(position, _STEP):
        found = find.feed(piece)
        if found is not None:
            return found
        position += len(piece)
        if position > limit:
            raise ParseError(f"larger than {limit} bytes", position)
    raise ParseError(f"{kind} data ends early", position)


class Beginnings:
    """Where something new begins behind bytes that make no sense: of an archive (`binary`), or lines of words."""

    def __init__(self, *, binary: bool) -> None:
        self._binary = binary
        self._tried = 0
        before = b"" if binary else b"\n"
        self._signs = [
            b"ustar",
            _REPORT,
            *(before + sign for sign in _PACKED),
            *(() if binary else (b"\n{",)),
        ]

    def find(self, data: bytes | bytearray, start: int, *, last: bool) -> int:
        """The place in `data` from `start` on, -1 for none. last: nothing follows this data."""
        nearest = dict.fromkeys(self._signs, start)
        while True:
            if self._tried > _TRIED:
                self._signs = [sign for sign in self._signs if not sign.endswith(_PACKED)]
                nearest = {sign: place for sign, place in nearest.items() if sign in self._signs}
            for sign, place in [*nearest.items()]:
                nearest[sign] = data.find(sign, place)
                if nearest[sign] < 0:
                    del nearest[sign]
            if not nearest:
                return -1
            sign, place = min(nearest.items(), key=lambda pair: pair[1])
            if not last and place + AROUND > len(data):
                return -1
            begins = self._begins(data, place, sign, start)
            if begins >= 0:
                return begins
            nearest = {s: place + 1 if s == sign else p for s, p in nearest.items()}

    def _begins(self, data: bytes | bytearray, place: int, sign: bytes, start: int) -> int:
        """Where it begins if a sign is one, else -1."""
        if sign == b"ustar":
            first = place - 257
            return first if first >= start and _first_member(bytes(data[first : first + _BLOCK])) else -1
        if sign == _REPORT:
            return self._report(data, place, start)
        place += sign.startswith(b"\n")
        return place if sign == b"\n{" or self._unpacks(bytes(data[place : place + AROUND])) else -1

    def _report(self, data: bytes | bytearray, place: int, start: int) -> int:
        """Where the report begins, or, in words, its line, which has a name first."""
        brace = data.rfind(b"{", max(place - 8, start), place)
        if brace < 0 or _NAMED.match(data, brace) is None:
            return -1
        if brace - _BLOCK >= start and _is_header(bytes(data[brace - _BLOCK : brace])):
            return -1  # the report that is a file of the recording
        line = data.rfind(b"\n", start, brace) + 1
        return brace if self._binary else line if line > start and brace - line < AROUND // 4 else -1

    def _unpacks(self, data: bytes) -> bool:
        self._tried += 1
        try:
            compression.Length(compression.identify(data) or "", 1 << 24).feed(data)
        except compression.Unsupported:
            return True
        except ParseError:
            return False
        return True


def _first_member(header: bytes) -> bool:
    """Whether a tar's header is that of the index, which is the first file of a recording."""
    return _is_header(header) and header[:100].rstrip(b"\0").endswith(b"recording.json")


def _is_header(block: bytes) -> bool:
    try:
        tarstream.body_size(block, 0)
    except ParseError:
        return False
    return True
