"""The functions that an ELF file names in its symbol tables (elf(5)), of any size and origin, in bounded memory."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from kdiag.parse.btf.sections import content, sections
from kdiag.parse.elf import ElfIdent, machine
from kdiag.parse.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kdiag.parse.btf.sections import Section

_FUNC, _IFUNC = 2, 10  # STT_FUNC, STT_GNU_IFUNC
_TABLES = ((".symtab", ".strtab"), (".dynsym", ".dynstr"))
#: A browser with its symbols has 800,000 functions and 60 MB of names.
_MAX_NAMES = 256 * 1024 * 1024
_MAX_ROWS = 4_000_000
_LONGEST = 4096


class Function(NamedTuple):
    """A function. address: as the file says; size: in bytes, 0 where it does not say; inside: defined in this file."""

    name: str
    address: int
    size: int
    inside: bool


class Symbols(NamedTuple):
    """tables: which of `.symtab` and `.dynsym` there are; build_id: in hex, None without one."""

    ident: ElfIdent
    functions: tuple[Function, ...]
    tables: tuple[str, ...]
    dwarf: bool
    build_id: str | None

    @property
    def stripped(self) -> bool:
        """Whether there are no names but those for the dynamic linker."""
        return ".symtab" not in self.tables


def symbols(file: BinaryIO) -> Symbols:
    """All functions of a program or library. Raises ParseError for what is no sound ELF file, OSError."""
    file.seek(0)
    ident = machine(file.read(64))
    found = {section.name: section for section in sections(file)}
    functions: dict[tuple[str, int], Function] = {}
    tables = []
    for table, strings in _TABLES:
        if table in found and strings in found:
            tables.append(table)
            for one in _rows(file, ident, found[table], found[strings]):
                functions.setdefault((one.name, one.address), one)
    dwarf = ".debug_info" in found
    return Symbols(ident, tuple(functions.values()), tuple(tables), dwarf, _build_id(file, ident, found))


def _build_id(file: BinaryIO, ident: ElfIdent, found: dict[str, Section]) -> str | None:
    section = found.get(".note.gnu.build-id")
    if section is None:
        return None
    data = content(file, section, 4096)
    if len(data) < 16:
        return None
    name, size = (int.from_bytes(data[at : at + 4], ident.byteorder) for at in (0, 4))
    start = 12 + (name + 3) // 4 * 4
    return data[start : start + size].hex() or None


def _rows(file: BinaryIO, ident: ElfIdent, table: Section, strings: Section) -> Iterator[Function]:
    order = "<" if ident.byteorder == "little" else ">"
    layout = struct.Struct(order + ("IBBHQQ" if ident.bits == 64 else "IIIBBH"))
    if table.size > _MAX_ROWS * layout.size:
        raise ParseError(f"{table.name} of {table.size} bytes", table.at)
    names = content(file, strings, _MAX_NAMES)
    data = content(file, table, _MAX_ROWS * layout.size)
    for row in layout.iter_unpack(data[: len(data) // layout.size * layout.size]):
        if ident.bits == 64:
            at, info, _, index, value, size = row
        else:
            at, value, size, info, _, index = row
        if info & 0xF not in (_FUNC, _IFUNC) or at >= len(names):
            continue
        end = names.find(b"\0", at, at + _LONGEST)
        name = names[at : end if end >= 0 else at + _LONGEST].decode("utf-8", "surrogateescape")
        if name:
            # `malloc@@GLIBC_2.2.5` in .symtab is malloc for tools, which leave the version away.
            yield Function(name.partition("@")[0], value, size, inside=bool(index))
