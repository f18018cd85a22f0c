"""Which functions an ELF program names, and its build id, read piece by piece from the open file.

A program with its debug information has hundreds of megabytes. Of one that is stripped only the tables of sections and
the strings of its dynamic symbols are read, so that a recording of it stays small.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from kdiag.parse.elf import build_id_from_notes, machine
from kdiag.parse.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterable

# include/uapi/linux/elf.h
_SYMTAB, _NOTE, _DYNSYM = 2, 7, 11
_MAX_SECTIONS, _MAX_NOTE = 20_000, 65_536
#: Ten times the names of a program that is linked with all of LLVM.
_MAX_NAMES = 512 * 1024 * 1024
_CHUNK = 64 * 1024
_ROWS = 2048


class Names(NamedTuple):
    """found: those of the wanted functions that a symbol table names. stripped: there is no table besides the dynamic
    symbols. build_id: in hex.
    """

    found: frozenset[str]
    stripped: bool
    build_id: str | None


class _Form(NamedTuple):
    """How the file writes its numbers: for struct, and whether it is of 64 bits."""

    order: str
    wide: bool


class _Section(NamedTuple):
    type: int
    offset: int
    size: int
    link: int


def names(file: BinaryIO, wanted: Iterable[str]) -> Names:
    """Look for functions in a program. Raises ParseError for what is no sound ELF file."""
    ident = machine(_at(file, 0, 20))
    form = _Form("<" if ident.byteorder == "little" else ">", ident.bits == 64)
    sections = _sections(file, form)
    left, found = set(wanted), set[str]()
    for kind in (_SYMTAB, _DYNSYM):
        for one in sections:
            if one.type == kind and one.link < len(sections):
                found |= _defined(file, form, one, sections[one.link], left - found)
    notes = (_at(file, s.offset, s.size) for s in sections if s.type == _NOTE and s.size <= _MAX_NOTE)
    ids = (build_id_from_notes(data, ident.byteorder) for data in notes)
    stripped = all(one.type != _SYMTAB for one in sections)
    return Names(frozenset(found), stripped, next(filter(None, ids), None))


def _sections(file: BinaryIO, form: _Form) -> list[_Section]:
    head, (order, wide) = _at(file, 0, 64), form
    if len(head) < (64 if wide else 52):
        raise ParseError("ELF header ends early", len(head))
    (start,) = struct.unpack_from(order + ("Q" if wide else "I"), head, 40 if wide else 32)
    each, count = struct.unpack_from(order + "HH", head, 58 if wide else 46)
    layout = struct.Struct(order + ("IIQQQQIIQQ" if wide else "IIIIIIIIII"))
    if not start:
        return []
    if each < layout.size:
        raise ParseError(f"ELF section headers of {each} bytes are too small")
    if count > _MAX_SECTIONS:
        raise ParseError(f"{count} ELF section headers", start)
    table = _at(file, start, each * count)
    if len(table) < each * count:
        raise ParseError(f"{count} ELF section headers do not fit in the file", start)
    rows = (layout.unpack_from(table, i * each) for i in range(count))
    return [_Section(row[1], row[4], row[5], row[6]) for row in rows]


def _defined(file: BinaryIO, form: _Form, table: _Section, strings: _Section, wanted: set[str]) -> set[str]:
    """Those of the names that a symbol table defines: strings may share their ends, it says where each begins."""
    places = _places(file, strings, wanted)
    layout = struct.Struct(form.order + ("IBBHQQ" if form.wide else "IIIBBH"))
    section = 3 if form.wide else 5
    found, at = set[str](), 0
    while places and at < table.size and found != wanted:
        rows = _at(file, table.offset + at, min(_ROWS * layout.size, table.size - at))
        if len(rows) < layout.size:
            break
        rows = rows[: len(rows) // layout.size * layout.size]
        for row in layout.iter_unpack(rows):
            if row[0] in places and row[section]:
                found.add(places[row[0]])
        at += len(rows)
    return found


def _places(file: BinaryIO, strings: _Section, wanted: set[str]) -> dict[int, str]:
    """Where in a string table the names end at the end of a string."""
    if strings.size > _MAX_NAMES:
        raise ParseError(f"ELF string table of {strings.size} bytes", strings.offset)
    ends = {name.encode() + b"\0": name for name in wanted}
    longest = max(map(len, ends), default=1)
    places, at, kept = dict[int, str](), 0, b""
    while ends and at < strings.size:
        data = _at(file, strings.offset + at, min(_CHUNK, strings.size - at))
        if not data:
            raise ParseError("ELF string table reaches beyond the end of the file", strings.offset)
        text, base = kept + data, at - len(kept)
        for end, name in ends.items():
            found = text.find(end)
            while found >= 0:
                places[base + found] = name
                found = text.find(end, found + 1)
        at, kept = at + len(data), text[-longest + 1 :]
    return places


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    try:
        file.seek(offset)
        return file.read(size)
    except (OverflowError, ValueError) as error:
        raise ParseError(f"ELF file: {error}", offset) from None
