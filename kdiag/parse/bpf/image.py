"""The ELF file of a BPF object: its sections, symbols and relocations, each bounded by the file.

By hand and without pyelftools, whose import takes longer than all the rest, and whose section objects read whole tables
while they are made. The layout is that of elf(5); BPF objects are 64-bit ELF of either byte order
(libbpf's src/libbpf.c, bpf_object__elf_init()).
"""

from __future__ import annotations

import struct
from functools import cached_property
from typing import NamedTuple

from kdiag.parse.errors import ParseError

MAGIC = b"\x7fELF"
EM_BPF = 247
_HEADER = 64
_EACH = 64
_SYMBOL = 24
_RELOCATION = 16
_COMPRESSED = 0x800
NOBITS, SYMTAB, REL, RELA = 8, 2, 9, 4
EXECUTABLE = 4
#: clang makes about ten, and two for each program.
_MOST_SECTIONS = 10_000
_MOST_SYMBOLS = 200_000
_MOST_RELOCATIONS = 500_000
_LONGEST = 1024


class Section(NamedTuple):
    """A section header. at, size: where its bytes are in the file."""

    number: int
    name: str
    kind: int
    flags: int
    at: int
    size: int
    link: int
    info: int


class Symbol(NamedTuple):
    """A symbol. bind: 0 local, 1 global, 2 weak; kind: 2 a function, 3 a section; section: 0 for an extern one."""

    name: str
    bind: int
    kind: int
    section: int
    value: int
    size: int


class Relocation(NamedTuple):
    """Where in its section a value is to be put, and the symbol that it is of."""

    offset: int
    symbol: int


class Image:
    """An object's bytes, with what its headers say of them. Raises ParseError for what is no BPF object."""

    def __init__(self, data: bytes, start: int = 0) -> None:
        """start: where in the file the object was found, for the offsets in errors."""
        self.data, self.start = data, start
        if not data.startswith(MAGIC):
            raise ParseError("not an ELF file: no \\x7fELF", start)
        if len(data) < _HEADER:
            raise ParseError(f"ELF header ends early: {len(data)} of {_HEADER} bytes", start + len(data))
        if data[4] != 2:
            raise ParseError("not a BPF object: a 32-bit ELF file", start + 4)
        if data[5] not in (1, 2):
            raise ParseError(f"ELF byte order {data[5]} is neither little nor big", start + 5)
        self.order = "<" if data[5] == 1 else ">"
        self.kind, self.machine = struct.unpack_from(f"{self.order}HH", data, 16)
        if self.machine not in (EM_BPF, 0):
            raise ParseError(f"not a BPF object: ELF machine {self.machine}, not {EM_BPF}", start + 18)

    @property
    def byteorder(self) -> str:
        """`little` or `big`."""
        return "little" if self.order == "<" else "big"

    def error(self, what: str, at: int) -> ParseError:
        """That something is wrong at a place in the object."""
        return ParseError(what, self.start + at)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """All section headers, that of index 0 too."""
        (start,) = struct.unpack_from(f"{self.order}Q", self.data, 40)
        each, count, names = struct.unpack_from(f"{self.order}HHH", self.data, 58)
        if not start:
            return ()
        if each != _EACH:
            raise self.error(f"ELF section headers of {each} bytes, they have {_EACH}", 58)
        if count > _MOST_SECTIONS or start + count * _EACH > len(self.data):
            raise self.error(f"{count} ELF section headers do not fit in the file", 40)
        form = struct.Struct(f"{self.order}IIQQQQIIQQ")
        rows = [form.unpack_from(self.data, start + nth * _EACH) for nth in range(count)]
        table = (0, 0)
        if 0 < names < count:
            table = self._bounds("the section names", rows[names][4], rows[names][5], start + names * _EACH)
        found = []
        for nth, (name, kind, flags, _, at, size, link, info, _, _) in enumerate(rows):
            text = self.text(table, name) if names else ""
            if kind not in (0, NOBITS):
                self._bounds(f"section {text or nth}", at, size, start + nth * _EACH + 24)
            if flags & _COMPRESSED:
                raise self.error(
                    f"section {text or nth} is compressed, which is not supported", start + nth * _EACH
                )
            found.append(Section(nth, text, kind, flags, at, size, link, info))
        return tuple(found)

    def _bounds(self, what: str, at: int, size: int, header: int) -> tuple[int, int]:
        if at + size > len(self.data):
            raise self.error(
                f"{what} reaches beyond the end of the file: {at} + {size} of {len(self.data)} bytes", header
            )
        return at, at + size

    def text(self, table: tuple[int, int], offset: int) -> str:
        """The string at an offset of a string table."""
        begin, end = table[0] + offset, table[1]
        if begin >= end:
            return ""
        stop = self.data.find(b"\0", begin, min(end, begin + _LONGEST))
        if stop < 0:
            raise self.error(f"a name without an end, or of more than {_LONGEST} bytes", begin)
        return self.data[begin:stop].decode("utf-8", "surrogateescape")

    def named(self, name: str) -> Section | None:
        """The first section of a name."""
        return next((one for one in self.sections if one.name == name), None)

    def content(self, section: Section) -> bytes:
        """The bytes of a section, zeros for one that has none in the file."""
        if section.kind == NOBITS:
            return b""
        return self.data[section.at : section.at + section.size]

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """The symbol table."""
        table = next((one for one in self.sections if one.kind == SYMTAB), None)
        if table is None:
            return ()
        count = table.size // _SYMBOL
        if count > _MOST_SYMBOLS:
            raise self.error(f"{count} ELF symbols, kdiag reads {_MOST_SYMBOLS}", table.at)
        if not 0 < table.link < len(self.sections):
            raise self.error(
                f"the symbol table has its names in section {table.link}, which is not there", table.at
            )
        strings = self.sections[table.link]
        names = (strings.at, strings.at + strings.size if strings.kind != NOBITS else strings.at)
        form = struct.Struct(f"{self.order}IBBHQQ")
        rows = form.iter_unpack(self.data[table.at : table.at + count * _SYMBOL])
        return tuple(
            Symbol(self.text(names, name), info >> 4, info & 15, section, value, size)
            for name, info, _, section, value, size in rows
        )

    @cached_property
    def relocations(self) -> dict[int, tuple[Relocation, ...]]:
        """By the index of the section that they are for."""
        found: dict[int, tuple[Relocation, ...]] = {}
        left = _MOST_RELOCATIONS
        for section in self.sections:
            if section.kind not in (REL, RELA):
                continue
            each = _RELOCATION if section.kind == REL else 24
            left -= section.size // each
            if left < 0:
                raise self.error(f"more than {_MOST_RELOCATIONS} ELF relocations", section.at)
            form = struct.Struct(f"{self.order}QQ" + ("" if section.kind == REL else "q"))
            rows = form.iter_unpack(self.data[section.at : section.at + section.size // each * each])
            found[section.info] = (
                *found.get(section.info, ()),
                *(Relocation(row[0], row[1] >> 32) for row in rows),
            )
        return found

    def symbol(self, relocation: Relocation, section: Section) -> Symbol:
        """The symbol of a relocation."""
        if relocation.symbol >= len(self.symbols):
            what = f"a relocation of {section.name} at {relocation.offset} is of symbol {relocation.symbol}, "
            raise self.error(f"{what}the last is {len(self.symbols) - 1}", section.at)
        return self.symbols[relocation.symbol]
