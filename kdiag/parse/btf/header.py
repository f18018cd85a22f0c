"""The BTF header: where the sections are, and that they can be there."""

from __future__ import annotations

from struct import unpack_from
from typing import Literal, NamedTuple

from kdiag.parse.btf.kinds import MAX_KIND, MAX_NAME_OFFSET, BtfError, Shape

ByteOrder = Literal["little", "big"]

MAGIC = 0xEB9F
VERSION = 1
OLD_HEADER = 24  # bytes, up to and including str_len
HEADER = 32  # with layout_off and layout_len


class Header(NamedTuple):
    """What the header says. `types` and `strings` are [begin, end) byte offsets in the file.

    `layouts` has a shape for each kind number that the layout section describes, None for one it
    describes as no kind can be; it is None as a whole if there is no such section.
    """

    byteorder: ByteOrder
    version: int
    length: int
    types: tuple[int, int]
    strings: tuple[int, int]
    layouts: tuple[Shape | None, ...] | None


def read_header(data: bytes, *, split: bool) -> Header:
    """Read and check the header, the bounds of the sections and the two ends of the string section.

    A header may be longer than it was when it had 24 bytes, but must be zero where it is unknown, as the
    kernel demands: what is there could change the meaning of the rest.
    """
    byteorder = _byteorder(data)
    order = "<" if byteorder == "little" else ">"
    if len(data) < OLD_HEADER:
        raise BtfError(f"truncated: {len(data)} bytes, a BTF header has at least {OLD_HEADER}", len(data))
    version, flags, length, type_off, type_len, str_off, str_len = unpack_from(order + "BB5I", data, 2)
    if version != VERSION:
        raise BtfError(f"BTF version {version}, only version {VERSION} exists", 2)
    if flags:
        raise BtfError(f"unknown BTF flags {flags:#04x}", 3)
    if length < OLD_HEADER:
        raise BtfError(f"header length {length}, it cannot be less than {OLD_HEADER}", 4)
    if length > len(data):
        raise BtfError(f"truncated: header of {length} bytes in a file of {len(data)}", 4)
    unknown = data[HEADER if length >= HEADER else OLD_HEADER : length].lstrip(b"\0")
    if unknown:
        raise BtfError("unknown header field is not zero: a newer BTF format?", length - len(unknown))
    types = _section(data, "type", length + type_off, type_len, 8)
    strings = _section(data, "string", length + str_off, str_len, 16)
    if type_off % 4 or type_len % 4:
        raise BtfError(f"type section at {type_off} with {type_len} bytes is not aligned to 4", 8)
    if types[1] > strings[0]:
        raise BtfError("the string section begins before the type section ends", 16)
    if not type_len and not split:
        raise BtfError("the type section is empty", 12)
    _check_strings(data, strings, split)
    layouts, layout = None, None
    if length >= HEADER:
        layouts, layout = _layouts(data, order, length, types[1], strings[0])
    _check_gaps(len(data), length, types, layout, strings)
    return Header(byteorder, version, length, types, strings, layouts)


def _byteorder(data: bytes) -> ByteOrder:
    if not data:
        raise BtfError("empty: no BTF at all", 0)
    start = data[:2]
    if start == MAGIC.to_bytes(2, "little"):
        return "little"
    if start == MAGIC.to_bytes(2, "big"):
        return "big"
    if len(start) < 2:
        raise BtfError("truncated: a single byte", 1)
    hint = "; this is an ELF file, BTF is its .BTF section" if data.startswith(b"\x7fELF") else ""
    raise BtfError(f"not BTF: begins with {start.hex(' ')} instead of the magic eb 9f or 9f eb{hint}", 0)


def _section(data: bytes, name: str, begin: int, size: int, field: int) -> tuple[int, int]:
    """[begin, end) of a section in the file; `field` is where the header speaks of it."""
    end = begin + size
    if end > len(data):
        raise BtfError(f"truncated: the {name} section is at {begin}-{end} in a file of {len(data)}", field)
    return begin, end


def _check_gaps(size: int, begin: int, *sections: tuple[int, int] | None) -> None:
    """That the sections follow one another and nothing follows them, as btf_check_sec_info() demands."""
    at = begin
    for section in sections:
        if section is not None:
            if section[0] != at:
                raise BtfError(f"{section[0] - at} bytes belong to no section", at)
            at = section[1]
    if at != size:
        raise BtfError(f"{size - at} bytes follow the last section", at)


def _check_strings(data: bytes, strings: tuple[int, int], split: bool) -> None:
    begin, end = strings
    if begin == end:
        if split:  # all its names may be the base's
            return
        raise BtfError("the string section is empty", 20)
    if end - begin - 1 > MAX_NAME_OFFSET:
        raise BtfError(f"a string section of {end - begin} bytes, the kernel takes {MAX_NAME_OFFSET + 1}", 20)
    if data[end - 1]:
        raise BtfError("the string section does not end with NUL", end - 1)
    if data[begin] and not split:
        looks = "this looks like split BTF (of a kernel module), which needs its base (vmlinux) BTF"
        raise BtfError(f"the string section does not begin with NUL: {looks}", begin)


def _layouts(
    data: bytes, order: str, length: int, types_end: int, strings_begin: int
) -> tuple[tuple[Shape | None, ...] | None, tuple[int, int] | None]:
    """The layout section of newer BTF: how long a record of each kind is, so that one can be skipped.

    It came with kernel 7.1 and needs a pahole newer than 1.31 (cilium/ebpf#2042, cilium/ci-kernels#92;
    struct btf_layout, libbpf:87896082a7a0 of March 2026, after libbpf 1.7.0). libbpf up to 1.7.0 passes
    over the longer header and the section, but refuses them in a foreign byte order; cilium/ebpf before
    0.22.0 refuses them with "header contains non-zero trailer" (cilium/ebpf#2041).
    """
    off, size = unpack_from(order + "II", data, OLD_HEADER)
    if not size:
        return None, None
    begin, end = _section(data, "layout", length + off, size, 24)
    if off % 4 or size % 4:
        raise BtfError(f"layout section at {off} with {size} bytes is not aligned to 4", 24)
    if begin < types_end or end > strings_begin:
        raise BtfError("the layout section is not between the type and the string section", 24)
    last = min(end, begin + 4 * (MAX_KIND + 1))
    # struct btf_layout: u8 info_sz and elem_sz in bytes, u16 flags
    pairs = zip(data[begin:last:4], data[begin + 1 : last : 4], strict=True)
    shapes = tuple(
        None if info % 4 or elem % 4 else Shape("n.." + "." * (info // 4), "." * (elem // 4))
        for info, elem in pairs
    )
    return shapes, (begin, end)
