"""The programs of an object: functions in executable sections, as libbpf finds them (src/libbpf.c,
bpf_object__add_programs() and bpf_object__collect_prog_relos()).
"""

from __future__ import annotations

from typing import NamedTuple

from kdiag.parse.bpf.image import EXECUTABLE, NOBITS, Image, Section, Symbol
from kdiag.parse.bpf.instructions import (
    CALL,
    FUNCTION,
    HELPER,
    KFUNC,
    LOAD_64,
    SIZE,
    Instruction,
    decode,
)
from kdiag.parse.errors import ParseError

_FUNCTION_SYMBOL, _SECTION_SYMBOL = 2, 3
_GLOBAL, _WEAK = 1, 2
_TEXT = ".text"
_MOST_PROGRAMS = 4096


class Function(NamedTuple):
    """A function of an object. section: its name; home: its number; start: of its first instruction there, in
    instructions; symbols: by instruction, what the linker is to put there.
    """

    name: str
    section: str
    home: int
    start: int
    code: tuple[Instruction, ...]
    symbols: dict[int, Symbol]

    @property
    def is_program(self) -> bool:
        """Whether the kernel is to call it: those in .text are called by others."""
        return self.section != _TEXT

    def helpers(self) -> dict[int, int]:
        """The helpers that are called by number, each with the first instruction that does."""
        found: dict[int, int] = {}
        for nth, one in enumerate(self.code):
            if one.code == CALL and one.src == HELPER:
                found.setdefault(one.imm, nth)
        return found

    def kernel_functions(self) -> dict[str, Symbol]:
        """The functions of the kernel that are called: calls of what the object does not have."""
        return {
            symbol.name: symbol
            for nth, symbol in self.symbols.items()
            if not symbol.section and self.code[nth].code == CALL and self.code[nth].src in (FUNCTION, KFUNC)
        }


def functions(image: Image) -> tuple[Function, ...]:
    """All functions in the order of sections and symbols. Raises ParseError."""
    executable = {one.number: one for one in image.sections if one.flags & EXECUTABLE and one.kind != NOBITS}
    placed = [
        symbol
        for symbol in image.symbols
        if symbol.kind == _FUNCTION_SYMBOL and symbol.section in executable and symbol.size
    ]
    if len(placed) > _MOST_PROGRAMS:
        raise ParseError(f"{len(placed)} functions, kdiag reads {_MOST_PROGRAMS}")
    placed.sort(key=lambda symbol: (symbol.section, symbol.value))
    symbols = {index: _symbols(image, section) for index, section in executable.items()}
    return tuple(_function(image, executable[one.section], one, symbols[one.section]) for one in placed)


def _symbols(image: Image, section: Section) -> dict[int, Symbol]:
    """By instruction of a section."""
    found = {}
    for relocation in image.relocations.get(section.number, ()):
        if relocation.offset % SIZE or relocation.offset >= section.size:
            what = (
                f"a relocation of {section.name} is for byte {relocation.offset}, where no instruction begins"
            )
            raise image.error(what, section.at)
        found[relocation.offset // SIZE] = image.symbol(relocation, section)
    return found


def _function(image: Image, section: Section, symbol: Symbol, symbols: dict[int, Symbol]) -> Function:
    end = symbol.value + symbol.size
    if symbol.value % SIZE or end > section.size:
        what = f"function {symbol.name} is at {symbol.value}-{end} of section {section.name}, "
        raise image.error(f"{what}which has {section.size} bytes", section.at)
    data = image.data[section.at + symbol.value : section.at + end]
    code = decode(data, image.order, f"function {symbol.name}", image.start + section.at + symbol.value)
    start = symbol.value // SIZE
    own = {nth - start: one for nth, one in symbols.items() if start <= nth < start + len(code)}
    for nth in own:
        if code[nth].code not in (CALL, LOAD_64):
            what = f"function {symbol.name}: instruction {nth} has a relocation and is neither a call nor a 64-bit load"
            raise image.error(what, section.at + symbol.value + nth * SIZE)
    return Function(symbol.name, section.name, section.number, start, code, own)
