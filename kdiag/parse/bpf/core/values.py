"""The number that a relocation stands for, in the object's types and in the kernel's (bpf_core_calc_relo())."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kdiag.parse.bpf.btf_ext import CoreKind
from kdiag.parse.bpf.core.types import BadRelocation
from kdiag.parse.btf.kinds import Kind

if TYPE_CHECKING:
    from kdiag.parse.bpf.core.spec import Spec
    from kdiag.parse.btf.graph import Graph
    from kdiag.parse.btf.value import Member

_ENUMS = (Kind.ENUM, Kind.ENUM64)
_SIGNED = 1


class Value(NamedTuple):
    """number: None where there is none and the instruction is made invalid (poisoned). checked: whether the compiler
    must have put the same number there. size, type_id: of the field that is loaded, 0 where that does not matter.
    """

    number: int | None
    checked: bool = True
    size: int = 0
    type_id: int = 0


def value(kind: CoreKind, spec: Spec | None, *, big: bool) -> Value:
    """What the relocation is, given where its way leads; None for nowhere. Raises BadRelocation."""
    if kind is CoreKind.TYPE_ID_LOCAL:
        return Value(spec.root if spec else 0, checked=False)
    if kind.of_field:
        return _field(kind, spec, big=big)
    if kind.of_enumerator:
        if kind is CoreKind.ENUMVAL_EXISTS:
            return Value(int(spec is not None))
        if spec is None:
            return Value(None)
        step = spec.steps[0]
        return Value(spec.graph.enumerators(step.type_id)[step.nth].value & 0xFFFFFFFFFFFFFFFF)
    if spec is None:
        return Value(0)
    if kind is CoreKind.TYPE_ID_TARGET:
        return Value(spec.root, checked=False)
    if kind is CoreKind.TYPE_SIZE:
        return Value(spec.graph.size(spec.root))
    return Value(1)


def _field(kind: CoreKind, spec: Spec | None, *, big: bool) -> Value:
    if kind is CoreKind.FIELD_EXISTS:
        return Value(int(spec is not None))
    if spec is None:
        return Value(None)
    graph, step = spec.graph, spec.steps[-1]
    if not step.name:
        if kind is CoreKind.FIELD_BYTE_OFFSET:
            return Value(spec.bits // 8, True, _element_size(graph, step.type_id), step.type_id)
        if kind is CoreKind.FIELD_BYTE_SIZE:
            return Value(graph.size(step.type_id))
        raise BadRelocation(f"{kind.name} is asked of an element of an array")
    member = graph.members(step.type_id)[step.nth]
    plain = graph.plain(member.type_id)
    at, size, width = _place(graph, member, plain, spec.bits)
    if kind is CoreKind.FIELD_BYTE_OFFSET:
        if member.bits:
            return Value(at, checked=False)
        return Value(at, True, _element_size(graph, plain), plain)
    if kind is CoreKind.FIELD_BYTE_SIZE:
        return Value(size, checked=not member.bits)
    if kind is CoreKind.FIELD_SIGNED:
        return Value(int(_is_signed(graph, plain)))
    if kind is CoreKind.FIELD_RSHIFT_U64:
        return Value(64 - width)
    bit = spec.bits - at * 8
    shift = (8 - size) * 8 + bit if big else 64 - (bit + width)
    return Value(shift & 0xFFFFFFFFFFFFFFFF, checked=not member.bits)


def _place(graph: Graph, member: Member, plain: int, bits: int) -> tuple[int, int, int]:
    """The bytes to load for a field: where, how many, and the bits that are its own."""
    if not member.bits:
        size = graph.size(plain)
        return bits // 8, size, size * 8
    size = graph.size(plain)
    if not size:
        raise BadRelocation("a bit-field of a type without a size")
    at = bits // 8 // size * size
    while bits + member.bits - at * 8 > size * 8:
        if size >= 8:
            raise BadRelocation("a bit-field that no load of 64 bits holds")
        size *= 2
        at = bits // 8 // size * size
    return at, size, member.bits


def _element_size(graph: Graph, type_id: int) -> int:
    plain = graph.plain(type_id)
    for _ in range(64):
        if graph.kind(plain) != Kind.ARRAY:
            return graph.size(plain)
        plain = graph.plain(graph.array(plain).element)
    raise BadRelocation("arrays nested without end")


def _is_signed(graph: Graph, plain: int) -> bool:
    if graph.kind(plain) in _ENUMS:
        return graph.flag(plain)
    return graph.kind(plain) == Kind.INT and bool(graph.number(plain) >> 24 & _SIGNED)


def may_resize(own: Graph, one: Value, graph: Graph, other: Value) -> bool:
    """Whether a load may be made wider or narrower: of pointers and of unsigned numbers."""
    if one.size == other.size:
        return True
    ours, theirs = own.kind(one.type_id), graph.kind(other.type_id)
    if ours == theirs == Kind.PTR:
        return True
    return ours == theirs == Kind.INT and not (
        _is_signed(own, one.type_id) or _is_signed(graph, other.type_id)
    )
