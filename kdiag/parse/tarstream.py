"""The members of a tar that comes in pieces, read in one pass and without extracting.

The standard library's tarfile builds an object of twenty fields for each member and reads from a file;
walking the seven thousand headers of a kheaders archive with it takes a quarter of the time that
unpacking it takes. Formats: ustar, GNU and pax (pax(1), and "Basic Tar Format" in the GNU tar manual).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kdiag.parse.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

_BLOCK = 512
_NAME_LIMIT = 8 << 10  # twice PATH_MAX
_META_LIMIT = 64 << 10
_TEXT_LIMIT = 64 << 10
_MEMBER_LIMIT = 500_000  # a kheaders archive has seven thousand
_ZEROS = bytes(_BLOCK)
_KINDS = {b"0": "file", b"\0": "file", b"7": "file", b"1": "link", b"2": "link", b"5": "dir"}
_WITHOUT_DATA = frozenset((b"1", b"2", b"3", b"4", b"5", b"6"))


class Member(NamedTuple):
    """`name` without a leading `./` and a trailing `/`; `kind` file, dir, link or other; `size` in bytes;
    `target` of a link, as written and seen from the link's directory, or from the top for a hard link
    (`hard`); `text` is the content of a wanted file.
    """

    name: str
    kind: str
    size: int
    target: str
    hard: bool
    text: bytes | None


class Tape:
    """Reads forward over pieces of bytes; `position` counts what was read."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._piece = b""
        self._at = 0
        self.position = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes; ParseError if fewer are left."""
        end = self._at + size
        if end > len(self._piece):
            held = [self._piece[self._at :]]
            missing = size - len(held[0])
            while missing > 0:
                self._next()
                held.append(self._piece[:missing])
                missing -= len(self._piece)
            data = b"".join(held)
            self._at = len(self._piece) + missing
        else:
            data = self._piece[self._at : end]
            self._at = end
        self.position += size
        return data

    def skip(self, size: int) -> None:
        """Go `size` bytes forward; ParseError if fewer are left."""
        self.position += size
        end = self._at + size
        while end > len(self._piece):
            end -= len(self._piece)
            self._next()
        self._at = end

    def drain(self) -> None:
        """Read to the end, so that the decompressor underneath checks all of it."""
        for piece in self._pieces:
            self.position += len(piece)

    def _next(self) -> None:
        piece = next(self._pieces, None)
        if piece is None:
            raise ParseError("the tar ends early", self.position)
        self._piece, self._at = piece, 0


def members(tape: Tape, wanted: Collection[str] = ()) -> Iterator[Member]:
    """All members up to the end mark, with the content of the `wanted` names (files of at most 64 KiB).

    ParseError for anything that is not a tar, is damaged, or ends early.
    """
    meta: dict[str, bytes] = {}
    count = 0
    while (header := tape.take(_BLOCK)) != _ZEROS:
        count += 1
        size = _check(header, tape.position - _BLOCK)
        if count > _MEMBER_LIMIT:
            raise ParseError(f"more than {_MEMBER_LIMIT} members in the tar", tape.position)
        flag = header[156:157]
        if flag in (b"L", b"K", b"x", b"g"):
            body = _body(tape, size, _META_LIMIT)
            if flag == b"x":
                meta.update(_pax(body, tape.position))
            elif flag != b"g":  # a global header says nothing about names and sizes that matters here
                meta["path" if flag == b"L" else "linkpath"] = body.rstrip(b"\0")
            continue
        if flag == b"S":
            raise ParseError("a sparse file in the tar, which is not supported", tape.position)
        if meta:
            size = _overriding_size(meta, size, tape.position)
        yield _member(tape, header, size, meta, wanted)
        meta = {}


def _member(tape: Tape, header: bytes, size: int, meta: dict[str, bytes], wanted: Collection[str]) -> Member:
    flag = header[156:157]
    name = _text(meta["path"] if "path" in meta else _name(header))
    name = name.rstrip("/") or name[:1]
    if name.startswith("./"):
        name = name[2:]
    kind = _KINDS.get(flag, "other")
    target = text = None
    if kind == "link":
        target = _text(meta.get("linkpath", header[157:257].partition(b"\0")[0]))
    if flag in _WITHOUT_DATA:
        size = 0
    elif kind == "file" and name in wanted and size <= _TEXT_LIMIT:
        text = _body(tape, size, _TEXT_LIMIT)
    elif size:
        tape.skip(_padded(size))
    return Member(name, kind, size, target or "", flag == b"1", text)


def body_size(header: bytes, position: int) -> int:
    """The bytes of content that follow a header. ParseError if it is none; `position` is where it stands."""
    size = _check(header, position)
    return 0 if header[156:157] in _WITHOUT_DATA else size


def _check(header: bytes, position: int) -> int:
    """The size field of a header that is one."""
    if header[257:262] != b"ustar":
        raise ParseError("not a tar header: no 'ustar'", position)
    try:
        told = int(header[148:156].strip(b" \0"), 8)
        field = header[124:136]
        if field[0] & 0x80:  # GNU's binary form for large numbers; the second bit is the sign
            size = -1 if field[0] & 0x40 else int.from_bytes(field[1:], "big")
        else:
            size = int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        raise ParseError("a number in a tar header is not octal", position) from None
    if told != sum(header) - sum(header[148:156]) + 8 * ord(" "):
        raise ParseError("wrong checksum in a tar header", position)
    if size < 0:
        raise ParseError("negative size in a tar header", position)
    return size


def _name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    if (
        header[262:263] == b"\0" and header[345:346] != b"\0"
    ):  # GNU's "ustar  " uses the prefix for other things
        return header[345:500].partition(b"\0")[0] + b"/" + name
    return name


def _body(tape: Tape, size: int, limit: int) -> bytes:
    if size > limit:
        raise ParseError(f"a name or header of {size} bytes in the tar", tape.position)
    return tape.take(_padded(size))[:size]


def _pax(body: bytes, position: int) -> dict[str, bytes]:
    """Records of a pax header, `length key=value`, where the length includes itself and the line feed."""
    found: dict[str, bytes] = {}
    at = 0
    while at < len(body):
        space = body.find(b" ", at, at + 8)
        length = int(body[at:space]) if space > at and body[at:space].isdigit() else 0
        if not length or length <= space - at + 1 or at + length > len(body):
            raise ParseError("a damaged pax header in the tar", position)
        key, _, value = body[space + 1 : at + length - 1].partition(b"=")
        found[key.decode("latin-1")] = value
        at += length
    return found


def _overriding_size(meta: dict[str, bytes], size: int, position: int) -> int:
    told = meta.get("size")
    if told is None:
        return size
    if not told.isdigit() or len(told) > 20:
        raise ParseError("a damaged size in a pax header", position)
    return int(told)


def _text(name: bytes) -> str:
    if len(name) > _NAME_LIMIT:
        raise ParseError(f"a name of {len(name)} bytes in the tar")
    return name.decode("utf-8", errors="replace")


def _padded(size: int) -> int:
    return (size + _BLOCK - 1) // _BLOCK * _BLOCK
