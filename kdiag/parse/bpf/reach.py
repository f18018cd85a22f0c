"""Which instructions of a program the kernel's verifier comes to: branches whose condition is known are not followed
the other way. That is how an object asks for a field and does without (Documentation/bpf/verifier.rst, dead code).

Registers hold a known number, a known place or nothing that is known. Each instruction is looked at for a bounded
number of states; then what differs between them counts as not known, so that the work ends. This is coarser than the
verifier, which also keeps ranges: what is not reached here is not reached there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from kdiag.parse.bpf.arithmetic import MASK, branch, held, operate
from kdiag.parse.bpf.instructions import (
    ALU,
    ALU64,
    CALL,
    CALLBACK,
    EXIT,
    FUNCTION,
    HELPER,
    JA,
    JA32,
    JMP,
    JMP32,
    LDX,
    LOAD_64,
    ST,
    STX,
    Instruction,
)

if TYPE_CHECKING:
    from kdiag.parse.bpf.program import Function

#: States of one instruction before they are merged, and steps for one program.
_STATES = 12
_STEPS = 400_000
#: MAX_CALL_FRAMES of include/linux/bpf_verifier.h
_FRAMES = 8
_SIZES = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}
_MEM = 0x60
_STACK = 10
CONTEXT = "context"


class Place(NamedTuple):
    """An address that is known not to be 0: `stack`, the program's `context`, the number of a data section, an option
    that libbpf looks up (`kconfig NAME`), or something in the kernel.
    """

    where: str
    offset: int


Known = int | Place | None
Registers = tuple[Known, ...]


class State(NamedTuple):
    """What is known before an instruction: r0 to r10, and numbers on the stack by offset."""

    registers: Registers
    stack: tuple[tuple[int, Known], ...] = ()


class Reader(NamedTuple):
    """What the walk needs of the object. code: a function's instructions, relocated; load: the number at a place, None
    where it is not known; address: what a 64-bit load with a symbol gives; called: the function at an instruction's
    call or address.
    """

    code: Callable[[Function], Mapping[int, Instruction]]
    load: Callable[[Place, int], int | None]
    address: Callable[[Function, int], Known]
    called: Callable[[Function, int], Function | None]


class Reach:
    """The instructions that one program comes to, by function and number. complete: whether all were followed. context:
    the bytes of its context (its arguments) that it reads.
    """

    def __init__(self, program: Function, reader: Reader) -> None:
        self._reader = reader
        self._left = _STEPS
        self._results: dict[tuple[tuple[str, int], Registers], Known] = {}
        self.reached: set[tuple[str, int, int]] = set()
        self.context: set[int] = set()
        self.complete = True
        self._run(program, (Place(CONTEXT, 0), None, None, None, None), 0)

    def has(self, function: Function, nth: int) -> bool:
        """Whether the program comes to an instruction, as far as that was followed."""
        return not self.complete or (function.section, function.start, nth) in self.reached

    def _run(self, function: Function, arguments: Registers, depth: int) -> Known:
        """Follow a function; what it returns where that is known."""
        key = ((function.section, function.start), arguments)
        if key in self._results:
            return self._results[key]
        if depth >= _FRAMES:
            self.complete = False
            return None
        self._results[key] = None  # for one that calls itself
        code = self._reader.code(function)
        begin = State((None, *arguments, None, None, None, None, Place("stack", 0)))
        waiting, seen = [(0, begin)], dict[int, list[State]]()
        results: list[Known] = []
        while waiting:
            nth, state = waiting.pop()
            one = code.get(nth)
            self._left -= 1
            if self._left < 0:
                self.complete = False
                break
            if one is None:
                continue
            merged = _new(seen.setdefault(nth, []), state)
            if merged is None:
                continue
            self.reached.add((function.section, function.start, nth))
            if one.code == EXIT:
                results.append(merged.registers[0])
            else:
                waiting += self._after(function, nth, one, merged, depth)
        if results and all(result == results[0] for result in results):
            self._results[key] = results[0]
        return self._results[key]

    def _after(
        self, function: Function, nth: int, one: Instruction, state: State, depth: int
    ) -> list[tuple[int, State]]:
        """The instructions that follow, each with what is known there."""
        if one.code in (JA, JA32):
            return [(nth + 1 + (one.off if one.code == JA else one.imm), state)]
        if one.code == CALL:
            return self._call(function, nth, one, state, depth)
        if one.code == LOAD_64:
            return [(nth + 2, self._address(function, nth, one, state, depth))]
        if one.kind in (ALU, ALU64):
            return [(nth + 1, _put(state, one.dst, operate(one, state.registers)))]
        if one.kind in (JMP, JMP32):
            return [
                (nth + 1 + (one.off if taken else 0), _put(state, one.dst, value))
                for taken, value in branch(one, state.registers)
            ]
        if one.kind == LDX:
            return [(nth + 1, _put(state, one.dst, self._load(one, state)))]
        if one.kind in (ST, STX):
            return [(nth + 1, _store(one, state))]
        return [(nth + 1, _put(state, 0, None))]

    def _call(
        self, function: Function, nth: int, one: Instruction, state: State, depth: int
    ) -> list[tuple[int, State]]:
        result: Known = None
        target = self._reader.called(function, nth) if one.src in (FUNCTION, HELPER) else None
        arguments = state.registers[1:6]
        if target is not None and one.src == FUNCTION:
            plain = tuple(
                None if isinstance(value, Place) and value.where == "stack" else value for value in arguments
            )
            result = self._run(target, plain, depth + 1)
        registers = (result, None, None, None, None, None, *state.registers[6:])
        on_stack = any(isinstance(value, Place) and value.where == "stack" for value in arguments)
        return [(nth + 1, State(registers, () if on_stack else state.stack))]

    def _address(self, function: Function, nth: int, one: Instruction, state: State, depth: int) -> State:
        """A 64-bit load: a number, or an address. A function whose address is taken is called back by a helper."""
        target = self._reader.called(function, nth)
        if target is not None and one.src in (CALLBACK, 0):
            self._run(target, (None,) * 5, depth + 1)
            return _put(state, one.dst, Place(f"function {target.name}", 0))
        value = self._reader.address(function, nth)
        return _put(state, one.dst, value)

    def _load(self, one: Instruction, state: State) -> Known:
        place = held(state.registers, one.src)
        if one.code & 0xE0 != _MEM or not isinstance(place, Place):
            return None
        at, size = place.offset + one.off, _SIZES[one.code & 0x18]
        if place.where == CONTEXT:
            self.context.add(at)
            return None
        if place.where == "stack":
            return dict(state.stack).get(at) if size == 8 else None
        return self._reader.load(Place(place.where, at), size)


def _put(state: State, register: int, value: Known) -> State:
    if register > _STACK or state.registers[register] == value:
        return state
    return state._replace(registers=(*state.registers[:register], value, *state.registers[register + 1 :]))


def _store(one: Instruction, state: State) -> State:
    place = held(state.registers, one.dst)
    if not isinstance(place, Place):
        # Where it goes is not known: the verifier lets nothing be stored to the stack by an unknown place.
        return state
    if place.where != "stack":
        return state
    at, size = place.offset + one.off, _SIZES[one.code & 0x18]
    kept = {offset: value for offset, value in state.stack if offset + 8 <= at or offset >= at + size}
    if size == 8 and one.code & 0xE0 == _MEM:
        value = one.imm & MASK if one.kind == ST else held(state.registers, one.src)
        if value is not None:
            kept[at] = value
    return state._replace(stack=tuple(sorted(kept.items())))


def _new(seen: list[State], state: State) -> State | None:
    """The state to go on with, None if one like it was followed already."""
    if any(_covers(one, state) for one in seen):
        return None
    if len(seen) < _STATES:
        seen.append(state)
        return state
    merged = state
    for one in seen:
        registers = tuple(a if a == b else None for a, b in zip(one.registers, merged.registers, strict=True))
        stack = tuple(sorted(set(one.stack) & set(merged.stack), key=lambda item: item[0]))
        merged = State(registers, stack)
    seen[:] = [merged] * _STATES
    return merged


def _covers(one: State, other: State) -> bool:
    """Whether all that follows from `other` follows from `one`: it knows no more."""
    return all(a is None or a == b for a, b in zip(one.registers, other.registers, strict=True)) and set(
        one.stack
    ) <= set(other.stack)
