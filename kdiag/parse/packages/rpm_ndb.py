"""rpm's own database format `ndb`: Packages.db (SUSE). Format: rpm lib/backend/ndb/rpmpkg.c; little endian.

A header of 32 bytes, then slots of 16 bytes up to the end of the slot pages; a slot names a blob by its
offset and length in blocks of 16 bytes; a blob is head, rpm header, tail with an Adler-32 sum.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from kdiag.parse.errors import ParseError
from kdiag.parse.packages import Package, Wanted, rpm_header

MAGIC = b"RpmP"

_PAGE, _BLOCK, _HEADER = 4096, 16, 32
_SLOT = struct.Struct("<4sIII")
_HEAD = struct.Struct("<4sIII")
_TAIL = struct.Struct("<II4s")


def installed(data: bytes, wanted: Wanted) -> tuple[Package, ...]:
    """The wanted packages of a Packages.db. Raises ParseError with the offset in the file."""
    found: list[Package] = []
    for number, offset, blocks in _slots(data):
        begin, end, tail = _blob(data, number, offset, blocks)
        name = rpm_header.name_in(data[begin : min(end, begin + 8192)]) or rpm_header.name_in(data[begin:end])
        if name is None:
            raise ParseError("ndb: a package header is cut", begin)
        if wanted(name):
            if zlib.adler32(data[offset * _BLOCK : tail]) != _TAIL.unpack_from(data, tail)[0]:
                raise ParseError(f"ndb: the checksum of package {name} is wrong", begin)
            found.append(rpm_header.package(data[begin:end]))
    return tuple(found)


def _slots(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(package number, first block, blocks) of every slot in use."""
    if len(data) < _HEADER or not data.startswith(MAGIC):
        raise ParseError("not an ndb database: no RpmP at its start", 0)
    version, _, pages = struct.unpack_from("<III", data, 4)
    if version != 0:
        raise ParseError(f"ndb: version {version} is not known", 4)
    if pages * _PAGE > len(data):
        raise ParseError(f"ndb: {pages} slot pages announced, the file ends before", len(data))
    for position in range(_HEADER, pages * _PAGE, _SLOT.size):
        magic, number, offset, blocks = _SLOT.unpack_from(data, position)
        if magic != b"Slot":
            raise ParseError("ndb: a slot without its magic", position)
        if offset:
            yield number, offset, blocks


def _blob(data: bytes, number: int, offset: int, blocks: int) -> tuple[int, int, int]:
    """Start and end of the rpm header in a blob that is what its slot says, and start of its tail."""
    begin = offset * _BLOCK
    if begin + blocks * _BLOCK > len(data) or blocks * _BLOCK < _HEAD.size + _TAIL.size:
        raise ParseError("ndb: a slot points behind the end of the file", begin)
    magic, owner, _, length = _HEAD.unpack_from(data, begin)
    # the tail is at the end of the last block, the bytes between are filled up
    tail = begin + blocks * _BLOCK - _TAIL.size
    _, length_again, end_magic = _TAIL.unpack_from(data, tail)
    if magic != b"BlbS" or owner != number or end_magic != b"BlbE" or length != length_again:
        raise ParseError("ndb: a slot points to something else than its package", begin)
    if begin + _HEAD.size + length > tail:
        raise ParseError("ndb: a package is longer than its blocks", begin)
    return begin + _HEAD.size, begin + _HEAD.size + length, tail
