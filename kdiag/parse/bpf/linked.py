"""How the functions of an object hang together, and what its data sections hold: what `reach` asks of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kdiag.parse.bpf.image import NOBITS
from kdiag.parse.bpf.instructions import CALL, CALLBACK, FUNCTION, LOAD_64, SIZE, Instruction
from kdiag.parse.bpf.reach import Known, Place, Reach, Reader

if TYPE_CHECKING:
    from kdiag.parse.bpf.program import Function
    from kdiag.parse.bpf.read import Object

_SECTION_SYMBOL = 3
_OPTION = "kconfig "


class Symbols(NamedTuple):
    """What becomes of the kernel's names that an object uses. options: the numbers that libbpf puts in for options of
    the kernel; absent: weak symbols that are not there, whose address is 0; present: those that are.
    """

    options: Mapping[str, int] = {}
    absent: frozenset[str] = frozenset()
    present: frozenset[str] = frozenset()


class Linked:
    """An object whose instructions are relocated. changes: by function's section and start, and instruction; constants:
    whether .rodata is as the file has it (a program that carries the object may write to it before it loads it);
    filled: the number that all constants have instead.
    """

    def __init__(
        self,
        found: Object,
        changes: Mapping[tuple[str, int], Mapping[int, Instruction]],
        symbols: Symbols = Symbols(),  # noqa: B008  it does not change
        *,
        constants: bool,
        filled: int | None = None,
    ) -> None:
        self.object, self._changes, self._constants, self._symbols = found, changes, constants, symbols
        self._filled = filled
        self._reaches: dict[tuple[str, int], Reach] = {}
        self._codes: dict[tuple[str, int], Mapping[int, Instruction]] = {}

    @cached_property
    def _starts(self) -> dict[tuple[int, int], Function]:
        return {(one.home, one.start): one for one in self.object.functions}

    def called(self, function: Function, nth: int) -> Function | None:
        """The object's own function that an instruction calls or takes the address of (libbpf's src/libbpf.c,
        bpf_object__reloc_code()).
        """
        if not 0 <= nth < len(function.code):
            return None
        one, symbol = function.code[nth], function.symbols.get(nth)
        if one.code == CALL and one.src == FUNCTION:
            if symbol is None:
                return self._starts.get((function.home, function.start + nth + one.imm + 1))
            return self._starts.get((symbol.section, symbol.value // SIZE + one.imm + 1))
        if one.code == LOAD_64:
            if symbol is not None and symbol.section in {function.home, *self._executable}:
                return self._starts.get((symbol.section, (symbol.value + one.imm) // SIZE))
            if symbol is None and one.src == CALLBACK:
                return self._starts.get((function.home, function.start + nth + one.imm + 1))
        return None

    @cached_property
    def _executable(self) -> frozenset[int]:
        return frozenset(one.home for one in self.object.functions)

    def parts(self, program: Function) -> tuple[Function, ...]:
        """A program and all functions of the object that it may come to."""
        found, waiting = {}, [program]
        while waiting:
            one = waiting.pop()
            if (one.home, one.start) in found:
                continue
            found[one.home, one.start] = one
            waiting += filter(None, (self.called(one, nth) for nth in _referring(one)))
        return tuple(found.values())

    def reach(self, program: Function) -> Reach:
        """What a program comes to."""
        key = (program.section, program.start)
        if key not in self._reaches:
            reader = Reader(self._code, self._load, self._address, self.called)
            self._reaches[key] = Reach(program, reader)
        return self._reaches[key]

    def _code(self, function: Function) -> Mapping[int, Instruction]:
        key = (function.section, function.start)
        if key not in self._codes:
            self._codes[key] = {**dict(enumerate(function.code)), **self._changes.get(key, {})}
        return self._codes[key]

    def _load(self, place: Place, size: int) -> int | None:
        """A number in the object's constants."""
        image = self.object.image
        option = place.where.removeprefix(_OPTION)
        if option != place.where:
            number = self._symbols.options.get(option)
            return None if number is None or place.offset else number & (1 << 8 * size) - 1
        if not self._constants or not place.where.isdecimal():
            return None
        index = int(place.where)
        if index >= len(image.sections):  # of a symbol that is in no section (elf(5): SHN_ABS, SHN_COMMON)
            return None
        section = image.sections[index]
        if section.kind == NOBITS or not (section.name == ".rodata" or section.name.startswith(".rodata.")):
            return None
        if not 0 <= place.offset <= section.size - size:
            return None
        if self._filled is not None:
            return self._filled
        at = section.at + place.offset
        return int.from_bytes(image.data[at : at + size], "little" if image.order == "<" else "big")

    def _address(self, function: Function, nth: int) -> Known:
        code, symbol = self._code(function), function.symbols.get(nth)
        one = code[nth]
        if symbol is None:
            after = code.get(nth + 1)
            return (one.imm & 0xFFFFFFFF) | (after.imm & 0xFFFFFFFF) << 32 if after and not one.src else None
        if symbol.section:
            return Place(str(symbol.section), symbol.value + one.imm)
        if symbol.name in self._symbols.options:
            return Place(f"{_OPTION}{symbol.name}", 0)
        if symbol.name in self._symbols.absent:
            return 0
        return Place(f"kernel {symbol.name}", 0) if symbol.name in self._symbols.present else None


def _referring(function: Function) -> list[int]:
    return [
        nth
        for nth, one in enumerate(function.code)
        if (one.code == CALL and one.src == FUNCTION)
        or (one.code == LOAD_64 and (nth in function.symbols or one.src))
    ]
