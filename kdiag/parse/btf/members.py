"""Whether a member has room in its struct: the *_check_member() and *_check_kflag_member() of kernel/bpf/btf.c."""

from __future__ import annotations

from typing import NamedTuple

from kdiag.parse.btf.kinds import Kind

_WIDEST = 128  # BITS_PER_U128
_ENUMS = (Kind.ENUM, Kind.ENUM64)
_ENUM_BITS = 32  # of an enum in a struct that has bit-fields, whatever the enum's own size


def int_bits(number: int) -> int:
    """The width in an INT's data word."""
    return number & 0xFF


def int_offset(number: int) -> int:
    """The bits before the value in an INT's data word."""
    return number >> 16 & 0xFF


def is_regular(number: int) -> bool:
    """Whether an INT is none of the odd ones that stood for bit-fields before kernel 5.0."""
    return int_bits(number) in (8, 16, 32, 64, 128) and not int_offset(number)


class Holder(NamedTuple):
    """A struct with members: its bytes, whether it has the kind flag, which allows bit-fields, and how many bytes
    a pointer has.
    """

    room: int
    bit_fields: bool
    pointer: int


def member_problem(holder: Holder, word: int, kind: int, size: int, number: int) -> str:
    """What is wrong with a member whose third word is `word`, "" if nothing.

    It is of this kind and size when modifiers are taken off; `number` is an INT's data word.
    """
    bits, at = (word >> 24, word & 0xFFFFFF) if holder.bit_fields else (0, word)
    if kind == Kind.INT:
        return _int_problem(holder, number, at, bits)
    if kind in _ENUMS and holder.bit_fields:
        if bits > _ENUM_BITS:
            return f"of {bits} bits, more than its enum has"
        if not bits and at % 8:
            return "that does not begin at a byte"
        return _beyond(at, bits or _ENUM_BITS, holder.room)
    if bits:
        return f"of {bits} bits, but its type has no bit-fields"
    if kind > Kind.ENUM64:
        return ""
    if at % (8 * min(holder.pointer, size) if kind == Kind.FLOAT else 8):
        return "that does not begin where its type can"
    return _beyond(at, 8 * size, holder.room)


def _int_problem(holder: Holder, number: int, at: int, bits: int) -> str:
    width = int_bits(number)
    if not holder.bit_fields:
        at += int_offset(number)
        if at > 0xFFFFFFFF:
            return "that begins beyond any struct"
    else:
        if not is_regular(number):
            return "of an integer that is a bit-field itself"
        if bits > width:
            return f"of {bits} bits, more than its integer has"
        if not bits and at % 8:
            return "that does not begin at a byte"
        width = bits or width
    if width + at % 8 > _WIDEST:
        return f"that touches more than {_WIDEST} bits"
    return _beyond(at, width, holder.room)


def _beyond(at: int, width: int, room: int) -> str:
    return f"that ends beyond its {room} bytes" if (at + width + 7) // 8 > room else ""
