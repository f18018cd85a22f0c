"""Definitions of structs, unions and enums that a compiler lays out as BTF says: with padding where it would put none.

A compiler puts a member where its type's alignment allows. Where BTF has it further on, unnamed bit-fields fill the
gap, and a struct that no alignment explains is packed. Which fillers are written follows libbpf's src/btf_dump.c
(btf_dump_emit_bit_padding()), so that the two can be held against each other.
"""

from __future__ import annotations

from collections.abc import Callable

from kdiag.btf.declare import Declarer, keyword
from kdiag.parse.btf.graph import DEEPEST, Graph
from kdiag.parse.btf.kinds import COMPOSITES, BtfError, Kind

Named = Callable[[int], str]
#: The name of an enum's constant, which may have to be another where two enums have the same.
Constant = Callable[[str], str]
#: Lines of definitions inside definitions.
MOST = 50_000


class Bodies:
    """Writes definitions."""

    def __init__(self, graph: Graph, named: Named, constant: Constant) -> None:
        self._graph = graph
        self._named = named
        self._constant = constant
        self._left = MOST
        word = 8 * graph.pointer
        self._fillers = (("long", word), ("int", 32), ("short", 16), ("char", 8))

    def declare(self, type_id: int, name: str, level: int = 0) -> str:
        """A declaration, with the definitions of what is anonymous in it."""
        if level > DEEPEST:
            raise self._graph.error(type_id, f"is nested more than {DEEPEST} types deep")
        return Declarer(self._graph, lambda inner: self.define(inner, level), self._named).declare(
            type_id, name
        )

    def define(self, type_id: int, level: int = 0) -> str:
        """`struct name { ... }`, without an end."""
        if self._graph.kind(type_id) in COMPOSITES:
            return self._composite(type_id, level)
        return self._enum(type_id, level)

    def _head(self, type_id: int) -> str:
        name = self._named(type_id)
        word = keyword(self._graph, type_id)
        return f"{word} {name}" if name else word

    def _composite(self, type_id: int, level: int) -> str:
        graph, members = self._graph, self._graph.members(type_id)
        self._left -= len(members) + 1
        if self._left < 0:
            raise graph.error(type_id, f"is in definitions of more than {MOST} members")
        is_struct, tab = graph.kind(type_id) == Kind.STRUCT, "\t" * (level + 1)
        packed = is_struct and graph.is_packed(type_id)
        size, end, after_bits = graph.own_size(type_id), 0, False
        lines = []
        for member in members:
            align = 1 if packed else graph.align(member.type_id)
            in_bits = after_bits and bool(member.bits)
            lines += self._padding(end, member.bit_offset, align, in_bits)
            declared = self.declare(member.type_id, member.name, level + 1)
            lines.append(f"{declared}: {member.bits};" if member.bits else f"{declared};")
            end = member.bit_offset + (member.bits or 8 * graph.size(member.type_id))
            after_bits = bool(member.bits)
        if is_struct:
            lines += self._padding(end, 8 * size, graph.align(type_id), in_bits=False)
        body = "".join(f"\n{tab}{line}" for line in lines)
        end_tab = "\n" + "\t" * level if members or size else ""
        return f"{self._head(type_id)} {{{body}{end_tab}}}{' __attribute__((packed))' if packed else ''}"

    def _padding(self, end: int, start: int, align: int, in_bits: bool) -> list[str]:
        """Fillers for the bits from the end of one member to the start of the next, whose alignment it is."""
        if end >= start:
            return []
        name, bits = next(
            ((name, bits) for name, bits in self._fillers if _up(end, bits) <= start), self._fillers[-1]
        )
        lines, aligned = [], _up(end, bits)
        if end < aligned <= start:
            only_marks = aligned == start and _up(end, 8 * align) != aligned
            swallowed = aligned != start and start - aligned <= aligned - end
            if in_bits or only_marks or swallowed:
                lines.append(f"{name}: {aligned - end if in_bits else 0};")
            end = aligned
        while end < start:
            width = min(start - end, bits)
            if width < bits:
                name = next((word for word, most in reversed(self._fillers) if most >= width), name)
            lines.append(f"{name}: {width};")
            end += width
            if len(lines) > MOST:
                raise BtfError(f"a gap of {start - end} bits, which no struct of C has")
        return lines

    def _enum(self, type_id: int, level: int) -> str:
        graph, constants = self._graph, self._graph.enumerators(type_id)
        if not constants:
            return self._head(type_id)
        wide = graph.kind(type_id) == Kind.ENUM64
        suffix = ("LL" if graph.flag(type_id) else "ULL") if wide else ""
        tab = "\t" * (level + 1)
        lines = "".join(f"\n{tab}{self._constant(one.name)} = {one.value}{suffix}," for one in constants)
        tail = "\n" + "\t" * level
        return f"{self._head(type_id)} {{{lines}{tail}}}{self._mode(type_id, wide)}"

    def _mode(self, type_id: int, wide: bool) -> str:
        """What makes a compiler give an enum a size that is not that of an int."""
        graph, size = self._graph, self._graph.own_size(type_id)
        if size == 1:
            return " __attribute__((mode(byte)))"
        if size == 8 and graph.pointer == 8:
            top = 1 << 32
            if not wide or all(0 <= one.value < top for one in graph.enumerators(type_id)):
                return " __attribute__((mode(word)))"
        return ""


def _up(at: int, step: int) -> int:
    return -(-at // step) * step
