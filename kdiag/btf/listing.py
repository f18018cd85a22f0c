"""A struct, union or enum as C with offsets and sizes, holes and cache lines, in the form that pahole made known.

    pid_t pid;                                        /*  1272     4 */

The comment says the byte where the member begins (for a bit-field the byte of its unit, and the bit in it) and the
bytes of its type. An anonymous member is shown with what is in it, its offsets counted from the outer start; behind a
pointer, from its own.
"""

from __future__ import annotations

from kdiag.btf.declare import Declarer, base_of, keyword
from kdiag.btf.layout import Layout, Place, lay_out
from kdiag.parse.btf.graph import DEEPEST, Graph
from kdiag.parse.btf.kinds import COMPOSITES, Kind

CACHE_LINE = 64
#: Members shown in one listing; the largest struct of a kernel has some 500.
MOST = 50_000
_COLUMN = 56


def listing(graph: Graph, type_id: int, cache_line: int = CACHE_LINE) -> str:
    """The definition of a struct, union, enum or of whatever else has a name, in lines. Raises BtfError."""
    writer = _Writer(graph, cache_line)
    kind = graph.kind(type_id)
    if kind in COMPOSITES:
        return f"{writer.composite(type_id, 0, 0, outer=True)};\n"
    if kind in (Kind.ENUM, Kind.ENUM64):
        return f"{writer.enum(type_id, 0)};\n"
    if kind == Kind.TYPEDEF:
        target = graph.target(type_id)
        return f"typedef {writer.declaration(target, graph.name(type_id), 0, 0)};\n"
    if kind == Kind.FWD:
        return f"{keyword(graph, type_id)} {graph.name(type_id)};\n"
    if kind == Kind.VAR:
        return f"{Declarer(graph).declare(graph.target(type_id), graph.name(type_id))};\n"
    return f"{graph.name(type_id)};\n"


class _Writer:
    """Writes one listing; remembers the cache line that it is in."""

    def __init__(self, graph: Graph, cache_line: int) -> None:
        self._graph = graph
        self._line_size = cache_line
        self._cache_line = 0
        self._left = MOST
        self._paddings: dict[int, int] = {}

    def declaration(self, type_id: int, name: str, level: int, base: int, *, flexible: bool = False) -> str:
        """A member's declaration, with the definition of what is anonymous in it. base: the byte where it begins."""
        if level > DEEPEST:
            raise self._graph.error(type_id, f"is nested more than {DEEPEST} types deep")

        def inline(anonymous: int) -> str:
            if self._graph.kind(anonymous) in COMPOSITES:
                _, pointed = base_of(self._graph, type_id)
                return self.composite(anonymous, level, 0 if pointed else base)
            return self.enum(anonymous, level)

        return Declarer(self._graph, inline).declare(type_id, name, flexible=flexible)

    def composite(self, type_id: int, level: int, base: int, *, outer: bool = False) -> str:
        """`struct name { ... }`, without an end."""
        graph, layout = self._graph, lay_out(self._graph, type_id)
        name = graph.name(type_id)
        is_union = graph.kind(type_id) == Kind.UNION
        lines = [f"{keyword(graph, type_id)} {name} {{" if name else f"{keyword(graph, type_id)} {{"]
        if is_union:
            lines += self._union(layout, level + 1, base)
        else:
            lines += self._struct(layout, level + 1, base)
        if outer:
            lines += ["", *(_tab(level + 1) + one for one in self._sums(layout, is_union))]
        packed = not is_union and bool(layout.places) and graph.is_packed(type_id)
        lines.append(f"{_tab(level)}}}{' __attribute__((__packed__))' if packed else ''}")
        return "\n".join(lines)

    def enum(self, type_id: int, level: int) -> str:
        """`enum name { ... }`, without an end; one without constants is only declared."""
        graph, name = self._graph, self._graph.name(type_id)
        head = f"enum {name}" if name else "enum"
        constants = graph.enumerators(type_id)
        self._spend(type_id, len(constants))
        if not constants:
            return head
        width = max(len(one.name) for one in constants)
        lines = [f"{_tab(level + 1)}{one.name:<{width}} = {one.value}," for one in constants]
        small = " __attribute__((__packed__))" if graph.own_size(type_id) != 4 else ""
        return "\n".join((f"{head} {{", *lines, f"{_tab(level)}}}{small}"))

    def _spend(self, type_id: int, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise self._graph.error(type_id, f"is in a listing of more than {MOST} members")

    def _union(self, layout: Layout, level: int, base: int) -> list[str]:
        lines, before = [], self._cache_line
        for place in layout.places:
            lines += self._member(place, level, base)
            self._cache_line = before
        return lines

    def _struct(self, layout: Layout, level: int, base: int) -> list[str]:
        lines = _apart(_hole_notes(layout.hole, layout.bit_hole), level)[1:]
        last: Place | None = None
        span = 0  # of the bytes that the members at the last place share
        for index, place in enumerate(layout.places):
            lines += _apart(_before(last, span, place), level)
            is_last = index == len(layout.places) - 1
            lines += self._member(place, level, base, flexible=is_last and index > 0)
            notes = [*self._padding_note(place), *_hole_notes(place.hole, place.bit_hole)]
            lines += _apart(notes, level)
            if last is None or not span or last.unit != place.unit or (place.bits and not last.bits):
                span = place.size
            last = place
        return lines[:-1] if lines and not lines[-1] else lines

    def _member(self, place: Place, level: int, base: int, *, flexible: bool = False) -> list[str]:
        self._spend(place.type_id, 1)
        offset = base + place.unit
        lines = self._boundary(offset, level)
        declared = self.declaration(place.type_id, place.name, level, offset, flexible=flexible)
        if place.bits:
            declared += f":{place.bits}"
        bit = f":{place.at - 8 * place.unit:2} {place.size:2}" if place.bits else f" {place.size:5}"
        head, newline, tail = f"{_tab(level)}{declared};".rpartition("\n")
        width = _COLUMN - 7 * (len(tail) - len(tail.lstrip("\t")))
        lines.append(f"{head}{newline}{tail:<{width}} /* {offset:5}{bit} */")
        return lines

    def _boundary(self, offset: int, level: int) -> list[str]:
        """A note where a cache line began since the member before."""
        line, into = divmod(offset, self._line_size)
        if line <= self._cache_line:
            return []
        self._cache_line = line
        ago = f" was {into} byte{'s' * (into > 1)} ago" if into else ""
        return [f"{_tab(level)}/* --- cacheline {line} boundary ({offset - into} bytes){ago} --- */"]

    def _padding(self, place: Place) -> int:
        """The bytes at the end of a member that is a struct which are nobody's."""
        type_id = place.type_id
        if self._graph.kind(type_id) != Kind.STRUCT:
            return 0
        if type_id not in self._paddings:
            self._paddings[type_id] = lay_out(self._graph, type_id).padding
        return self._paddings[type_id]

    def _padding_note(self, place: Place) -> list[str]:
        padding = self._padding(place)
        return [f"/* XXX last struct has {_counted(padding, 'byte')} of padding */"] if padding > 0 else []

    def _sums(self, layout: Layout, is_union: bool) -> list[str]:
        """What a struct comes to, in numbers."""
        lines = -(-layout.size // self._line_size)
        notes = [f"/* size: {layout.size}, cachelines: {lines}, members: {len(layout.places)} */"]
        if is_union:
            return notes
        whole = sum(place.size for place in layout.places if not place.bits)
        bits = sum(place.bits for place in layout.places)
        holes, bit_holes = layout.holes, layout.bit_holes
        if (holes or bit_holes) and whole:
            more = f", holes: {len(holes)}, sum holes: {sum(holes)}" if holes else ""
            notes.append(f"/* sum members: {whole}{more} */")
        if (holes or bit_holes) and bits:
            more = f", bit holes: {len(bit_holes)}, sum bit holes: {sum(bit_holes)} bits"
            notes.append(
                f"/* sum bitfield members: {bits} bits{more if bit_holes else f' ({bits // 8} bytes)'} */"
            )
        if layout.padding > 0:
            notes.append(f"/* padding: {layout.padding} */")
        paddings = [one for place in layout.places if (one := self._padding(place)) > 0]
        if paddings:
            notes.append(f"/* paddings: {len(paddings)}, sum paddings: {sum(paddings)} */")
        if layout.bit_padding > 0:
            notes.append(f"/* bit_padding: {layout.bit_padding} bits */")
        if layout.size % self._line_size:
            notes.append(f"/* last cacheline: {layout.size % self._line_size} bytes */")
        return notes


def _before(last: Place | None, span: int, place: Place) -> list[str]:
    """What is said between two members that share their bytes."""
    if last is None or not span:
        return []
    if place.unit < last.unit or (place.unit == last.unit and not last.bits and place.bits):
        return ["/* Bitfield combined with previous fields */"]
    if 0 < place.unit - last.unit < span:
        return ["/* Bitfield combined with next fields */"]
    return []


def _hole_notes(hole: int, bit_hole: int) -> list[str]:
    notes = [f"/* XXX {_counted(bit_hole, 'bit')} hole, try to pack */"] if bit_hole > 0 else []
    return [*notes, f"/* XXX {_counted(hole, 'byte')} hole, try to pack */"] if hole > 0 else notes


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _apart(notes: list[str], level: int) -> list[str]:
    """Notes with a blank line before and after them; nothing without any."""
    return ["", *(_tab(level) + note for note in notes), ""] if notes else []


def _tab(level: int) -> str:
    return "\t" * level
