"""Functions and USDT probes of programs, held against pyelftools, and of files made to mislead."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection, SymbolTableSection
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.parse.errors import ParseError
from kdiag.parse.programs.symbols import symbols
from kdiag.parse.programs.usdt import probes
from tests.support.usdt_program import note, program

SOUND = program(
    symtab=(("main", 0x10, True), ("helper", 0x20, True)),
    dynsym=(("malloc", 0, False), ("main", 0x10, True)),
    notes=note("app", "start", 0x1234, 0x4000, "8@%rdi -4@$1") + note("app", "end", 0x1300),
    build_id=b"\xab\xcd\xef",
)


def test_functions_are_those_of_both_tables() -> None:
    found = symbols(io.BytesIO(SOUND))
    assert {(one.name, one.address, one.inside) for one in found.functions} == {
        ("main", 0x10, True),
        ("helper", 0x20, True),
        ("malloc", 0, False),
    }
    assert found.tables == (".symtab", ".dynsym") and not found.stripped and found.build_id == "abcdef"


def test_probes_have_places_semaphores_and_arguments() -> None:
    start, end = probes(io.BytesIO(SOUND))
    assert (start.provider, start.name, start.address, start.semaphore) == ("app", "start", 0x1234, 0x4000)
    assert start.arguments == ("8@%rdi", "-4@$1") and end.semaphore == 0 and end.arguments == ()


def _programs_here() -> list[Path]:
    places = [
        Path(sys.executable).resolve(),
        *Path("/lib").glob("*-linux-gnu/libc.so.6"),
        Path("/bin/sh").resolve(),
    ]
    return [one for one in places if one.is_file() and one.read_bytes()[:4] == b"\x7fELF"]


@pytest.mark.parametrize("path", _programs_here(), ids=lambda path: path.name)
def test_a_program_of_this_machine_as_pyelftools_reads_it(path: Path) -> None:
    with path.open("rb") as file:
        elf = ELFFile(file)
        theirs = {
            (symbol.name.partition("@")[0], symbol["st_value"])
            for table in elf.iter_sections()
            if isinstance(table, SymbolTableSection) and table.name in (".symtab", ".dynsym")
            for symbol in table.iter_symbols()
            if symbol["st_info"]["type"] in ("STT_FUNC", "STT_LOOS") and symbol.name
        }
        stap = [
            one
            for section in elf.iter_sections()
            if isinstance(section, NoteSection) and section.name == ".note.stapsdt"
            for one in section.iter_notes()
        ]
        mine = symbols(file)
        assert {(one.name, one.address) for one in mine.functions} == theirs
        assert len(probes(file)) == len(stap)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_program_is_refused_or_read(data: st.DataObject) -> None:
    damaged = bytearray(SOUND)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    for reader in (symbols, probes):
        with contextlib.suppress(ParseError):
            reader(io.BytesIO(cut))


def test_tables_larger_than_the_file_are_refused() -> None:
    huge = bytearray(SOUND)
    headers = int.from_bytes(SOUND[40:48], "little")
    for nth in range(1, 8):
        huge[headers + 64 * nth + 32 : headers + 64 * nth + 40] = (1 << 62).to_bytes(8, "little")
    for reader in (symbols, probes):
        with pytest.raises(ParseError):
            reader(io.BytesIO(bytes(huge)))
