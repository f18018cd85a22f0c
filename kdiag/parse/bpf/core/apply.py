"""What libbpf makes of an instruction for its relocation (bpf_core_patch_insn())."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.parse.bpf.btf_ext import CoreKind
from kdiag.parse.bpf.instructions import ALU, ALU64, CALL, LD, LDX, LOAD_64, ST, STX, Instruction

if TYPE_CHECKING:
    from kdiag.parse.bpf.core.resolve import Resolved

#: The helper that no kernel has, by which libbpf marks what it could not relocate: "invalid func unknown#195896080".
BAD = 195896080
POISON = Instruction(CALL, 0, 0, 0, BAD)
_FROM_REGISTER = 0x08
_WORDS = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}
_OFFSETS = (CoreKind.FIELD_BYTE_OFFSET,)
_MASK = (1 << 64) - 1


class Refused(Exception):
    """libbpf refuses the object: the instruction is none that the relocation can be for."""


def patched(code: tuple[Instruction, ...], nth: int, found: Resolved) -> dict[int, Instruction]:
    """The instructions that change, by their number. Raises Refused."""
    one = code[nth]
    second = nth + 1 if one.code == LOAD_64 and nth + 1 < len(code) else None
    poison = {nth: POISON} if second is None else {nth: POISON, second: POISON}
    number = found.here.number
    if number is None:
        return poison
    expected = found.own.number if found.own.checked else None
    if one.kind in (ALU, ALU64):
        if one.code & _FROM_REGISTER:
            raise Refused("an instruction with two registers has a relocation")
        _same(one.imm & _MASK, expected)
        return {nth: one._replace(imm=_signed(number, 32))}
    if one.kind in (LDX, ST, STX):
        _same(one.off & _MASK, expected)
        if number > 0x7FFF:
            raise Refused(f"the field is at byte {number}, and an instruction reaches no further than 32767")
        if not found.resizes:
            return poison
        changed = one._replace(off=number)
        if found.own.size != found.here.size and found.here.size in _WORDS:
            changed = changed._replace(code=one.code & ~0x18 | _WORDS[found.here.size])
        return {nth: changed}
    if one.kind == LD and second is not None:
        _same((one.imm & 0xFFFFFFFF) | (code[second].imm & 0xFFFFFFFF) << 32, expected)
        low, high = _signed(number, 32), _signed(number >> 32, 32)
        return {nth: one._replace(imm=low), second: code[second]._replace(imm=high)}
    raise Refused("an instruction that takes no value has a relocation")


def _same(there: int, expected: int | None) -> None:
    """The compiler put the value of its own types there, or the object was damaged."""
    if expected is not None and there != expected & _MASK:
        raise Refused(f"the instruction has {there}, and its relocation says {expected}")


def _signed(number: int, bits: int) -> int:
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> bits - 1 else number
