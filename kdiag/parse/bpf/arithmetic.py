"""What an instruction does to numbers that are known: Documentation/bpf/standardization/instruction-set.rst."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kdiag.parse.bpf.instructions import ALU, JMP32, Instruction

if TYPE_CHECKING:
    from kdiag.parse.bpf.reach import Known

MASK = (1 << 64) - 1
_HALF = (1 << 32) - 1
_FROM_REGISTER = 0x08
ADD, SUB, MUL, DIV, OR, AND, LSH, RSH, NEG, MOD, XOR, MOV, ARSH, END = range(0, 0xE0, 0x10)
_JEQ, _JNE = 0x10, 0x50


def held(registers: Sequence[Known], number: int) -> Known:
    """What is known of a register. An instruction has room for 16 of them, there are 11 (r0 to r10), and the verifier
    refuses the others: of these nothing is known.
    """
    return registers[number] if number < len(registers) else None


def operate(one: Instruction, registers: Sequence[Known]) -> Known:
    """What the destination holds afterwards, None where that is not known."""
    operation = one.code & 0xF0
    narrow = one.kind == ALU
    left: Known = held(registers, one.dst)
    right: Known = one.imm & MASK
    if one.code & _FROM_REGISTER:
        right = held(registers, one.src)
    if operation == MOV and not one.off:
        return right & _HALF if narrow and isinstance(right, int) else None if narrow else right
    if operation == END or one.off or right is None:
        return None
    if not isinstance(left, int) or not isinstance(right, int):
        return _moved(operation, left, right) if not narrow else None
    return _number(operation, left, right, 32 if narrow else 64)


def _moved(operation: int, left: Known, right: Known) -> Known:
    """An address and a number: an address a little further."""
    if operation in (ADD, SUB) and left is not None and not isinstance(left, int) and isinstance(right, int):
        step = right - (1 << 64) if right >> 63 else right
        return left._replace(offset=left.offset + (step if operation == ADD else -step))
    return None


def _number(operation: int, left: int, right: int, bits: int) -> int | None:  # noqa: PLR0912  an operation each
    mask = (1 << bits) - 1
    left, right = left & mask, right & mask
    if operation == ADD:
        result = left + right
    elif operation == SUB:
        result = left - right
    elif operation == MUL:
        result = left * right
    elif operation == DIV:
        result = left // right if right else 0
    elif operation == MOD:
        result = left % right if right else left
    elif operation == OR:
        result = left | right
    elif operation == AND:
        result = left & right
    elif operation == XOR:
        result = left ^ right
    elif operation == LSH:
        result = left << right % bits
    elif operation == RSH:
        result = left >> right % bits
    elif operation == ARSH:
        result = _signed(left, bits) >> right % bits
    elif operation == NEG:
        result = -left
    else:
        return None
    return result & mask


def branch(one: Instruction, registers: Sequence[Known]) -> list[tuple[bool, Known]]:
    """The ways on from a conditional jump: whether it is taken, and what its first register holds then."""
    left: Known = held(registers, one.dst)
    right: Known = one.imm & MASK
    if one.code & _FROM_REGISTER:
        right = held(registers, one.src)
    operation, narrow = one.code & 0xF0, one.kind == JMP32
    if isinstance(left, int) and isinstance(right, int):
        taken = _holds(operation, left, right, 32 if narrow else 64)
        if taken is not None:
            return [(taken, left)]
    is_place = left is not None and not isinstance(left, int)
    if not narrow and right == 0 and is_place and operation in (_JEQ, _JNE):
        return [(operation == _JNE, left)]
    equal = right if isinstance(right, int) and not narrow and left is None else left
    return [
        (False, equal if operation == _JNE else left),
        (True, equal if operation == _JEQ else left),
    ]


def _holds(operation: int, left: int, right: int, bits: int) -> bool | None:
    mask = (1 << bits) - 1
    left, right = left & mask, right & mask
    signed = _signed(left, bits), _signed(right, bits)
    answers = {
        0x10: left == right,
        0x20: left > right,
        0x30: left >= right,
        0x40: bool(left & right),
        0x50: left != right,
        0x60: signed[0] > signed[1],
        0x70: signed[0] >= signed[1],
        0xA0: left < right,
        0xB0: left <= right,
        0xC0: signed[0] < signed[1],
        0xD0: signed[0] <= signed[1],
    }
    return answers.get(operation)


def _signed(number: int, bits: int) -> int:
    return number - (1 << bits) if number >> bits - 1 else number
