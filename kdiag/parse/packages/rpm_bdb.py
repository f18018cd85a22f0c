"""Berkeley DB hash files: rpm's Packages (Enterprise Linux up to 8, Fedora up to 32, Amazon Linux 2).

Format: Berkeley DB, hash versions 8 to 10, as rpm's read-only reader (lib/backend/bdb_ro.cc) understands
it. A page of metadata; buckets, each a chain of hash pages; values that do not fit into a page are chains
of overflow pages. The file is written in the byte order of the machine that made it. Only as much of a
package is read as its name needs, the rest if it is wanted.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from kdiag.parse.errors import ParseError
from kdiag.parse.packages import Package, Wanted, rpm_header

#: At offset 12 of the file, in either byte order.
MAGIC = 0x00061561

_PAGE_HEADER = 26
_HASH_PAGES = (2, 8, 13)  # unsorted, metadata (an empty bucket), sorted
_OVERFLOW = 7
_ON_PAGE, _OFF_PAGE = 1, 3
_CHECKSUM_FLAG = 1


class _Database(NamedTuple):
    data: bytes
    order: str
    page_size: int
    last_page: int
    last_bucket: int
    spares: tuple[int, ...]

    def page(self, number: int) -> int:
        """The offset of a page that is there and says that it is this page."""
        offset = number * self.page_size
        if not 0 < number <= self.last_page or offset + self.page_size > len(self.data):
            raise ParseError(f"Berkeley DB: page {number} is outside of the file", offset)
        if self.number(offset + 8) != number:
            raise ParseError(f"Berkeley DB: page {number} has another number in it", offset)
        return offset

    def number(self, offset: int) -> int:
        return int(struct.unpack_from(self.order + "I", self.data, offset)[0])

    def short(self, offset: int) -> int:
        return int(struct.unpack_from(self.order + "H", self.data, offset)[0])


def is_database(data: bytes) -> bool:
    """Whether the first bytes are those of a Berkeley DB hash file."""
    return _order(data) is not None


def installed(data: bytes, wanted: Wanted) -> tuple[Package, ...]:
    """The wanted packages of a Packages file. Raises ParseError with the offset in the file."""
    database = _open(data)
    found: list[Package] = []
    for key, pieces in _entries(database):
        if not any(key):  # key 0 holds the number of the next package
            continue
        start = b""
        for piece in pieces:
            start += piece
            name = rpm_header.name_in(start)
            if name is not None:
                if wanted(name):
                    found.append(rpm_header.package(start + b"".join(pieces)))
                break
        else:
            raise ParseError("Berkeley DB: a package header is cut")
    return tuple(found)


def _order(data: bytes) -> str | None:
    if len(data) < 512:
        return None
    return next((order for order in "<>" if struct.unpack_from(order + "I", data, 12)[0] == MAGIC), None)


def _open(data: bytes) -> _Database:
    order = _order(data)
    if order is None:
        raise ParseError("not a Berkeley DB hash file: no magic at offset 12", 12)
    version, page_size = struct.unpack_from(order + "II", data, 16)
    if not 8 <= version <= 10:
        raise ParseError(f"Berkeley DB: hash version {version} is not known", 16)
    if page_size not in (512 << shift for shift in range(8)):
        raise ParseError(f"Berkeley DB: a page size of {page_size} is not credible", 20)
    if data[24] or data[26] & _CHECKSUM_FLAG:
        raise ParseError("Berkeley DB: encrypted or with checksums, which rpm never makes: use rpm -q", 24)
    return _Database(
        data=data,
        order=order,
        page_size=page_size,
        last_page=struct.unpack_from(order + "I", data, 32)[0],
        last_bucket=struct.unpack_from(order + "I", data, 72)[0],
        spares=struct.unpack_from(order + "32I", data, 96),
    )


def _entries(database: _Database) -> Iterator[tuple[bytes, Iterator[bytes]]]:
    """Key and value of each entry; the value in pieces, read as they are asked for."""
    seen: set[int] = set()
    for bucket in range(database.last_bucket + 1):
        split = bucket.bit_length()
        number = bucket + database.spares[split] if split < 32 else 0
        while number:
            if number in seen:
                raise ParseError(f"Berkeley DB: page {number} comes twice", number * database.page_size)
            seen.add(number)
            offset = database.page(number)
            if database.data[offset + 25] not in _HASH_PAGES:
                raise ParseError(f"Berkeley DB: page {number} is no hash page", offset + 25)
            yield from _page_entries(database, offset)
            number = database.number(offset + 16)


def _page_entries(database: _Database, page: int) -> Iterator[tuple[bytes, Iterator[bytes]]]:
    """Items lie from the end of the page backwards: key, value, key, value; offsets are at its start."""
    count = database.short(page + 20)
    if _PAGE_HEADER + 2 * count > database.page_size:
        raise ParseError("Berkeley DB: more items than fit into the page", page + 20)
    end = database.page_size
    items: list[tuple[int, int]] = []
    for position in range(count):
        start = database.short(page + _PAGE_HEADER + 2 * position)
        if not _PAGE_HEADER + 2 * count <= start < end:
            raise ParseError("Berkeley DB: an item overlaps another", page + _PAGE_HEADER + 2 * position)
        items.append((page + start, page + end))
        end = start
    for key, value in zip(items[::2], items[1::2], strict=False):
        yield b"".join(_pieces(database, *key)), _pieces(database, *value)


def _pieces(database: _Database, start: int, end: int) -> Iterator[bytes]:
    """The content of one item: in the page, or in the pages that it names."""
    kind = database.data[start]
    if kind == _ON_PAGE:
        yield database.data[start + 1 : end]
        return
    if kind != _OFF_PAGE or end - start != 12:
        raise ParseError(f"Berkeley DB: an item of kind {kind}", start)
    number, left = database.number(start + 4), database.number(start + 8)
    if left > len(database.data):
        raise ParseError(f"Berkeley DB: an item of {left} bytes is longer than the file", start)
    while left > 0:
        offset = database.page(number)
        length = database.short(offset + 22)
        if database.data[offset + 25] != _OVERFLOW or not 0 < length <= min(
            left, database.page_size - _PAGE_HEADER
        ):
            raise ParseError(f"Berkeley DB: page {number} is no part of the item", offset)
        yield database.data[offset + _PAGE_HEADER : offset + _PAGE_HEADER + length]
        left -= length
        number = database.number(offset + 16)
