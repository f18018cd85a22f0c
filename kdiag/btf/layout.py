"""How a struct lies in memory: where its members are, what holes are between them, and what is left at its end.

BTF says where a member begins and of which type it is. Holes follow from that; a bit-field is in a unit as large as its
type, and what other members leave free of the unit is a hole of bits. pahole counts them the same way (dwarves.c,
class__find_holes(); btf_loader.c, class__fixup_btf_bitfields()).
"""

from __future__ import annotations

from typing import NamedTuple

from kdiag.parse.btf.graph import Graph
from kdiag.parse.btf.kinds import Kind


class Place(NamedTuple):
    """A member and where it lies.

    at: its first bit, counted from the struct's start; bits: the width of a bit-field, 0 for others; size: bytes of its
    type; unit: the byte where it begins, or the unit of a bit-field; hole and bit_hole: what is free after it.
    """

    name: str
    type_id: int
    at: int
    bits: int
    size: int
    unit: int
    hole: int = 0
    bit_hole: int = 0

    @property
    def end(self) -> int:
        """The first bit after it."""
        return self.at + (self.bits or 8 * self.size)


class Layout(NamedTuple):
    """A struct or union; hole and bit_hole: what is free before the first member, padding: after the last."""

    type_id: int
    size: int
    places: tuple[Place, ...]
    hole: int = 0
    bit_hole: int = 0
    padding: int = 0
    bit_padding: int = 0

    @property
    def holes(self) -> list[int]:
        """The bytes of each hole."""
        return [one for one in (self.hole, *(place.hole for place in self.places)) if one]

    @property
    def bit_holes(self) -> list[int]:
        """The bits of each hole between bit-fields."""
        return [one for one in (self.bit_hole, *(place.bit_hole for place in self.places)) if one]


def lay_out(graph: Graph, type_id: int) -> Layout:
    """The layout of a struct or union. Raises BtfError."""
    places = tuple(_place(graph, member) for member in graph.members(type_id))
    size = graph.own_size(type_id)
    if graph.kind(type_id) == Kind.UNION:
        return Layout(type_id, size, places)
    return _with_holes(Layout(type_id, size, places))


def _place(graph: Graph, member: tuple[str, int, int, int]) -> Place:
    name, type_id, at, bits = member
    size, unit = graph.size(type_id), at // 8
    if not bits:
        plain = graph.plain(type_id)
        if graph.kind(plain) == Kind.INT:
            # Before kernel 5.0 a bit-field was a type of its own: include/uapi/linux/btf.h, BTF_INT_BITS().
            number = graph.number(plain)
            width, shift = number & 0xFF, number >> 16 & 0xFF
            if width < 8 * size or shift:
                bits, at = width, at + shift
    if bits and size:
        unit = at // (8 * size) * size
    return Place(name, type_id, at, bits, size, unit)


def _with_holes(layout: Layout) -> Layout:
    """The same, with the holes between its members."""
    gaps: list[tuple[int, int]] = []
    seen, in_bits, unit_end, unit_size = 0, False, 8 * layout.size, 0
    for place in layout.places:
        bit_hole = 0
        if in_bits:
            free_to = min(place.at, unit_end)
            bit_hole, seen = free_to - seen, free_to
        if place.bits:
            hole, start = 0, 8 * place.unit
            if seen < start <= place.at:
                hole, seen = place.unit - seen // 8, start
            bit_hole += place.at - seen
            if place.end > unit_end or 8 * place.size > unit_size:
                unit_size = 8 * place.size
                unit_end = 8 * place.unit + unit_size
                if place.end > unit_end:  # it lies across two units
                    unit_end += unit_size
        else:
            hole = place.at // 8 - seen // 8
            unit_size, unit_end = 0, place.end
        in_bits, seen = bool(place.bits), place.end
        gaps.append((hole, bit_hole))
    bit_padding = 0
    if in_bits:
        free_to = min(8 * layout.size, unit_end)
        bit_padding, seen = free_to - seen, free_to
    after = [*gaps[1:], (0, 0)] if gaps else []
    return layout._replace(
        places=tuple(
            place._replace(hole=hole, bit_hole=bits)
            for place, (hole, bits) in zip(layout.places, after, strict=True)
        ),
        hole=gaps[0][0] if gaps else 0,
        bit_hole=gaps[0][1] if gaps else 0,
        padding=layout.size - seen // 8,
        bit_padding=bit_padding,
    )
