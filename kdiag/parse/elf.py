"""ELF files of the kernel: whose machine they are for, their sections, notes, symbols and module
information.

The identification and the notes are read by hand, because they come from prefixes and raw blobs such as
/sys/kernel/notes. Sections and symbols are decoded with pyelftools' structures only: its section objects
read whole tables while they are constructed, which hostile files can make arbitrarily long. All of it takes bytes; one
section of a debug image of 800 MB is read from the open file, by pyelftools itself (`kdiag.machine.btf`).
"""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

from kdiag.parse.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal

    ByteOrder = Literal["little", "big"]

NT_GNU_BUILD_ID = 3
_SHF_COMPRESSED = 0x800
_SHN_LORESERVE = 0xFF00
_MAX_SECTIONS = 20_000  # kernels and modules have dozens, with a section per function thousands

# e_machine (include/uapi/linux/elf-em.h) -> the architecture as `uname -m` names it on a 64-bit
# little-endian kernel.
_MACHINES = {
    3: "i386", 8: "mips", 20: "ppc", 21: "ppc64le", 22: "s390x", 40: "arm",
    62: "x86_64", 183: "aarch64", 243: "riscv64", 247: "bpf", 258: "loongarch64",
}  # fmt: skip
_TYPES = {1: "relocatable", 2: "executable", 3: "shared", 4: "core"}


class ElfIdent(NamedTuple):
    """The first 20 bytes: `bits` 32 or 64, `machine` as `uname -m` says it ("em_N" for a number not in the
    table), `kind` relocatable (.o, .ko), executable (vmlinux), shared (also position-independent programs)
    or core.
    """

    bits: int
    byteorder: ByteOrder
    machine: str
    kind: str


class Note(NamedTuple):
    """One ELF note; the meaning of `type` depends on `name` ("GNU" 3 is the build id, "Linux" 0x100 the
    build salt).
    """

    name: str
    type: int
    desc: bytes


class _Section:
    """A section header and its name. Not a dataclass: a third one would double what importing this module
    costs.
    """

    __slots__ = ("address", "flags", "link", "name", "offset", "size", "type")

    def __init__(self, name: str, header: Mapping[str, Any]) -> None:
        self.name = name
        self.type: str | int = header["sh_type"]
        self.flags: int = header["sh_flags"]
        self.address: int = header["sh_addr"]
        self.offset: int = header["sh_offset"]
        self.size: int = header["sh_size"]
        self.link: int = header["sh_link"]


def machine(data: bytes) -> ElfIdent:
    """Identify an ELF file by its first 20 bytes (more may be given)."""
    if not data.startswith(b"\x7fELF"):
        raise ParseError("not an ELF file: no \\x7fELF", 0)
    if len(data) < 20:
        raise ParseError("ELF header ends early", len(data))
    bits = {1: 32, 2: 64}.get(data[4])
    order: ByteOrder | None = "little" if data[5] == 1 else "big" if data[5] == 2 else None
    if bits is None:
        raise ParseError(f"ELF class {data[4]} is neither 32 nor 64 bit", 4)
    if order is None:
        raise ParseError(f"ELF byte order {data[5]} is neither little nor big", 5)
    number = int.from_bytes(data[18:20], order)
    kind = int.from_bytes(data[16:18], order)
    return ElfIdent(bits, order, _machine_name(number, bits, order), _TYPES.get(kind, f"type_{kind}"))


def _machine_name(number: int, bits: int, order: ByteOrder) -> str:
    special = {
        (243, 32): "riscv32",
        (258, 32): "loongarch32",
        (22, 32): "s390",
        (8, 64): "mips64",
    }
    if number == 21 and order == "big":
        return "ppc64"
    return special.get((number, bits)) or _MACHINES.get(number, f"em_{number}")


def section(data: bytes, name: str) -> bytes | None:
    """Content of the first section of that name, None if there is none; b"" if it occupies no room in the
    file.
    """
    found = next((one for one in _sections(data) if one.name == name), None)
    return None if found is None else _content(data, found)


def build_id(data: bytes) -> str | None:
    """The GNU build id of an ELF file in hexadecimal, from its note sections."""
    order = machine(data).byteorder
    for one in _sections(data):
        if one.type == "SHT_NOTE" and (found := build_id_from_notes(_content(data, one), order)):
            return found
    return None


def notes(data: bytes, byteorder: ByteOrder | None = None) -> list[Note]:
    """Notes of a note section or of /sys/kernel/notes.

    Such a blob does not say its byte order; without one given, the order in which the first length is
    plausible.
    """
    if byteorder is None:
        byteorder = "big" if int.from_bytes(data[:4], "little") > len(data) else "little"
    head = struct.Struct("<III" if byteorder == "little" else ">III")
    found: list[Note] = []
    at, end = 0, len(data.rstrip(b"\0"))  # only padding can start after the last byte that is not zero
    while at < end:
        if at + head.size > len(data):
            raise ParseError("ELF note ends early", at)
        name_size, desc_size, kind = head.unpack_from(data, at)
        desc_at = at + head.size + _aligned(name_size)
        if desc_at + desc_size > len(data):
            raise ParseError(f"ELF note reaches beyond the end: {name_size} + {desc_size} bytes", at)
        name = data[at + head.size : at + head.size + name_size].rstrip(b"\0").decode("latin-1")
        found.append(Note(name, kind, data[desc_at : desc_at + desc_size]))
        at = desc_at + _aligned(desc_size)
    return found


def build_id_from_notes(data: bytes, byteorder: ByteOrder | None = None) -> str | None:
    """The GNU build id, in hexadecimal, in a blob such as /sys/kernel/notes; None if none of its notes is
    one.
    """
    return next((one.desc.hex() for one in notes(data, byteorder)
                 if one.name == "GNU" and one.type == NT_GNU_BUILD_ID and one.desc), None)  # fmt: skip


def symbol_bytes(data: bytes, start: str, end: str) -> bytes | None:
    """The bytes from one symbol to another in the same section; None if the file lacks one of the two.

    In a relocatable file (a module) a symbol's value counts from the start of its section, elsewhere it is
    an address.
    """
    sections = _sections(data)
    places = _symbols(data, sections, (start, end))
    if start not in places or end not in places:
        return None
    (index, low), (other, high) = places[start], places[end]
    if index != other or index >= len(sections):
        raise ParseError(f"ELF symbols {start} and {end} are not in one section")
    base = 0 if machine(data).kind == "relocatable" else sections[index].address
    content = _content(data, sections[index])
    if not base <= low <= high <= base + len(content):
        raise ParseError(f"ELF symbols {start} and {end} are outside their section")
    return content[low - base : high - base]


def modinfo(data: bytes) -> Mapping[str, tuple[str, ...]] | None:
    """The `.modinfo` of a module: key -> values in order (`vermagic`, `name`, `license`, `depends`, ...),
    as modinfo(8) prints them; None if the file has no such section. The first word of `vermagic` is the
    release it was built for.
    """
    content = section(data, ".modinfo")
    if content is None:
        return None
    fields: dict[str, tuple[str, ...]] = {}
    for entry in content.split(b"\0"):
        key, equals, value = entry.decode("utf-8", errors="replace").partition("=")
        if equals:
            fields[key] = (*fields.get(key, ()), value)
    return fields


def _aligned(size: int) -> int:
    return (size + 3) & ~3


def _content(data: bytes, one: _Section) -> bytes:
    if one.type == "SHT_NOBITS":
        return b""
    if one.flags & _SHF_COMPRESSED:
        raise ParseError(f"ELF section {one.name} is compressed, which is not supported", one.offset)
    if one.offset + one.size > len(data):
        raise ParseError(f"ELF section {one.name} reaches beyond the end of the file", one.offset)
    return data[one.offset : one.offset + one.size]


def _sections(data: bytes) -> list[_Section]:
    """All section headers with their names; empty if the file has none."""
    machine(data)
    try:
        return _read_sections(data)
    except ParseError:
        raise
    except (
        Exception
    ) as error:  # pyelftools raises ELFError, construct's errors, KeyError, AssertionError and others
        raise ParseError(f"damaged ELF file: {type(error).__name__}: {error}"[:200]) from None


def _read_sections(data: bytes) -> list[_Section]:
    from elftools.common.utils import struct_parse
    from elftools.elf.elffile import ELFFile

    stream = BytesIO(data)
    elf = ELFFile(stream)
    start, each, count = int(elf["e_shoff"]), int(elf["e_shentsize"]), int(elf["e_shnum"])
    if not start:
        return []
    if each < (64 if elf.elfclass == 64 else 40):
        raise ParseError(f"ELF section headers of {each} bytes are too small")
    if not count:  # 0xff00 or more: the number is in the first header (gABI, "Section Header")
        count = int(struct_parse(elf.structs.Elf_Shdr, stream, stream_pos=start)["sh_size"])
    if count > _MAX_SECTIONS or start + count * each > len(data):
        raise ParseError(f"{count} ELF section headers do not fit in the file", start)
    headers = [struct_parse(elf.structs.Elf_Shdr, stream, stream_pos=start + i * each) for i in range(count)]
    index = int(elf["e_shstrndx"])
    if index == 0xFFFF and headers:
        index = int(headers[0]["sh_link"])
    names = b""
    if 0 < index < len(headers):
        names = data[headers[index]["sh_offset"] :][: headers[index]["sh_size"]]
    return [_Section(_name(names, header["sh_name"]), header) for header in headers]


def _name(table: bytes, offset: int) -> str:
    end = table.find(b"\0", offset, offset + 256)
    return table[offset : end if end >= 0 else offset + 256].decode("latin-1")


def _symbols(data: bytes, sections: list[_Section], wanted: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """Section index and value of the wanted symbols, by a plain scan: a vmlinux has hundreds of thousands."""
    ident = machine(data)
    order = "<" if ident.byteorder == "little" else ">"
    layout = struct.Struct(order + ("IBBHQQ" if ident.bits == 64 else "IIIBBH"))
    place, value = (3, 4) if ident.bits == 64 else (5, 1)
    found: dict[str, tuple[int, int]] = {}
    for table in sections:
        if table.type != "SHT_SYMTAB" or table.link >= len(sections):
            continue
        strings, rows = _content(data, sections[table.link]), _content(data, table)
        # Strings may share their ends, so a name is compared where the symbol points; only few offsets can
        # match.
        offsets = {at: name for name in wanted for at in _occurrences(strings, name.encode() + b"\0")}
        for row in layout.iter_unpack(rows[: len(rows) // layout.size * layout.size]):
            name = offsets.get(row[0])
            if name is not None and 0 < row[place] < _SHN_LORESERVE:
                found.setdefault(name, (row[place], row[value]))
    return found


def _occurrences(strings: bytes, name: bytes) -> list[int]:
    found, at = [], strings.find(name)
    while at >= 0:
        found.append(at)
        at = strings.find(name, at + 1)
    return found
