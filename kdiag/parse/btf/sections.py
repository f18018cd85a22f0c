"""The section headers of an ELF file that is not read whole: a kernel with debug information has 800 MB.

By hand and without pyelftools, whose import takes as long as reading a kernel's BTF. The layout is that of elf(5).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from kdiag.parse.errors import ParseError

if TYPE_CHECKING:
    from typing import BinaryIO

MAGIC = b"\x7fELF"
_NOBITS = 8  # SHT_NOBITS
_COMPRESSED = 0x800  # SHF_COMPRESSED
#: Kernels and modules have dozens, with a section per function thousands.
_MOST = 20_000
_NAMES = 1 << 20
_EXTENDED = 0xFFFF  # SHN_XINDEX


class Section(NamedTuple):
    """A section. size: bytes in the file; full: when it is unpacked, the same for one that is not compressed."""

    name: str
    at: int
    size: int
    full: int
    compressed: bool


class _Form(NamedTuple):
    """What differs between the classes: the fields of the file's header, a section's and a compressed section's."""

    order: str
    header: str
    section: str
    packed: str


def sections(file: BinaryIO) -> list[Section]:
    """The sections of an open ELF file, those that have bytes in it. Raises ParseError, or OSError."""
    head = _exactly(file, 0, 64, least=52)
    if head[:4] != MAGIC or head[4] not in (1, 2) or head[5] not in (1, 2):
        raise ParseError("not an ELF file", 0)
    if len(head) < 64 and head[4] == 2:
        raise ParseError("truncated: the header of an ELF file of 64 bits has 64 bytes", len(head))
    order = "<" if head[5] == 1 else ">"
    form = _Form(order, "QIHHHHHH", "IIQQQQIIQQ", "IIQQ")
    if head[4] == 1:
        form = _Form(order, "IIHHHHHH", "IIIIIIIIII", "III")
    start, _, _, _, _, each, count, names = struct.unpack_from(
        form.order + form.header, head, 0x28 if head[4] == 2 else 0x20
    )
    size = struct.calcsize(form.order + form.section)
    if not start:
        return []
    if each < size:
        raise ParseError(f"section headers of {each} bytes, they have at least {size}", 0x3A)
    first = struct.unpack_from(form.order + form.section, _exactly(file, start, size))
    count, names = count or first[5], first[6] if names == _EXTENDED else names
    if count > _MOST or names >= count:
        raise ParseError(f"{count} section headers, and number {names} of them has the names", start)
    table = _exactly(file, start, count * each)
    rows = [struct.unpack_from(form.order + form.section, table, nth * each) for nth in range(count)]
    strings = _exactly(file, rows[names][4], min(rows[names][5], _NAMES))
    return [_section(file, form, row, strings) for row in rows if row[1] not in (0, _NOBITS)]


def content(file: BinaryIO, section: Section, limit: int) -> bytes:
    """The bytes of a section. Raises ParseError, or OSError."""
    if section.compressed:
        raise ParseError(f"section {section.name} is compressed, which is not supported", section.at)
    if section.size > limit:
        raise ParseError(f"section {section.name} has {section.size} bytes, more than {limit}", section.at)
    return _exactly(file, section.at, section.size)


def _section(file: BinaryIO, form: _Form, row: tuple[int, ...], strings: bytes) -> Section:
    end = strings.find(b"\0", row[0], row[0] + 256)
    name = strings[row[0] : end if end >= 0 else row[0] + 256].decode("utf-8", "surrogateescape")
    at, size = row[4], row[5]
    if not row[2] & _COMPRESSED:
        return Section(name, at, size, size, compressed=False)
    words = struct.unpack(
        form.order + form.packed, _exactly(file, at, struct.calcsize(form.order + form.packed))
    )
    return Section(name, at, size, words[2] if len(words) == 4 else words[1], compressed=True)


def _exactly(file: BinaryIO, at: int, size: int, least: int = 0) -> bytes:
    """So many bytes from a place; fewer only if `least` are there."""
    try:
        file.seek(at)
        data = file.read(size)
    except (ValueError, OverflowError):
        raise ParseError(f"no file has a byte {at}", at) from None
    if len(data) < (least or size):
        raise ParseError(f"truncated: {size} bytes should follow", at)
    return data
