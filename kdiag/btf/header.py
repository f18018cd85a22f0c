"""A type as a header that a compiler takes: its definition, those that it needs before it, and names of the others.

A struct that another one contains must be defined before it; for one that is only pointed to, its name is enough
(C11, 6.7.2.1). `bpftool btf dump ... format c` does that for all types of a kernel at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from kdiag.btf.body import Bodies
from kdiag.btf.declare import keyword
from kdiag.parse.btf.graph import DEEPEST, Graph
from kdiag.parse.btf.kinds import COMPOSITES, MODIFIERS, Kind

_ENUMS = (Kind.ENUM, Kind.ENUM64)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: What compilers define themselves, and GCC's names for vectors of Arm, which clang does not have (libbpf's
#: src/btf_dump.c, missing_base_types).
#: Uses of types by types in one header; the largest of a kernel has 1,500.
MOST = 20_000
_BUILT_IN = "__builtin_va_list"
_ALIASES = {
    "__Poly8_t": "unsigned char",
    "__Poly16_t": "unsigned short",
    "__Poly64_t": "unsigned long long",
    "__Poly128_t": "unsigned __int128",
}
_BEGIN = """\
#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif
"""
_END = """\
#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif
"""


def header(graph: Graph, type_id: int) -> str:
    """The whole header: a program of CO-RE that includes it has the type's accesses relocated. Raises BtfError."""
    return "\n".join((_BEGIN, *definitions(graph, type_id), _END))


def definitions(graph: Graph, type_id: int) -> list[str]:
    """The declarations and definitions in their order, the type's own last. Raises BtfError."""
    writer = _Writer(graph)
    writer.complete(type_id)
    return writer.done


class _Names:
    """Names that are unique where C wants them so: tags, and apart from them typedefs and constants."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, int], str] = {}
        self._used: dict[str, int] = {}

    def unique(self, name: str, type_id: int) -> str:
        """The name of a type, the same whenever it is asked for."""
        key = (name, type_id)
        if key not in self._given:
            self._given[key] = self.fresh(name)
        return self._given[key]

    def fresh(self, name: str) -> str:
        """A name that is not given to anything else."""
        times = self._used[name] = self._used.get(name, 0) + 1
        return name if times == 1 else f"{name}___{times}"


class _Writer:
    """Writes declarations, each type's once. done: what has been written."""

    def __init__(self, graph: Graph) -> None:
        self.done: list[str] = []
        self._graph = graph
        self._left = MOST
        self._tags, self._words = _Names(), _Names()
        self._bodies = Bodies(graph, self._named, self._words.fresh)
        self._named_only: set[int] = set()
        self._begun: set[int] = set()
        self._complete: set[int] = set()

    def complete(self, type_id: int, depth: int = 0) -> None:
        """Write what a variable of this type needs to be declared, the type's own definition included."""
        self._need(type_id, 0, depth, whole=True)

    def _named(self, type_id: int) -> str:
        graph, kind, name = self._graph, self._graph.kind(type_id), self._graph.name(type_id)
        if not name or kind in (Kind.INT, Kind.FLOAT):
            return name
        if not _IDENTIFIER.fullmatch(name):
            raise graph.error(type_id, f"has the name {name!r}, which C cannot have")
        if kind == Kind.TYPEDEF:
            return name if name == _BUILT_IN else self._words.unique(name, type_id)
        # A declaration without members may be of the struct that has them.
        return name if kind == Kind.FWD else self._tags.unique(name, type_id)

    def _need(self, type_id: int, within: int, depth: int, *, whole: bool) -> None:
        """Write what a use of this type inside the definition of `within` needs. whole: its size must be known."""
        graph = self._graph
        type_id, whole = self._named_part(type_id, whole)
        self._left -= 1
        if type_id and self._left < 0:
            raise graph.error(type_id, f"is needed in more than {MOST} ways")
        kind = graph.kind(type_id)
        if depth > DEEPEST:
            raise graph.error(type_id, f"is nested more than {DEEPEST} types deep")
        if kind in COMPOSITES:
            self._need_composite(type_id, within, depth, whole=whole)
        elif kind == Kind.TYPEDEF:
            self._need_typedef(type_id, within, depth, whole=whole)
        elif kind == Kind.FUNC_PROTO:
            for one in (graph.target(type_id), *(param.type_id for param in graph.params(type_id))):
                self._need(one, within, depth + 1, whole=False)
        elif type_id:
            self._need_plain(type_id, kind)

    def _named_part(self, type_id: int, whole: bool) -> tuple[int, bool]:
        """The type at the end of pointers, arrays and qualifiers, and whether its size must be known."""
        graph, started = self._graph, type_id
        for _ in range(DEEPEST):
            kind = graph.kind(type_id)
            if kind == Kind.PTR:
                type_id, whole = graph.target(type_id), False
            elif kind == Kind.ARRAY:
                type_id, whole = graph.array(type_id).element, True
            elif kind in MODIFIERS and kind != Kind.TYPEDEF:
                type_id = graph.target(type_id)
            else:
                return type_id, whole
        raise graph.error(started, f"is in a declaration of more than {DEEPEST} types")

    def _need_plain(self, type_id: int, kind: int) -> None:
        """Write an enum, a name whose members are not known, or a number that not all compilers have."""
        graph, name = self._graph, self._graph.name(type_id)
        if kind in _ENUMS and name:
            self._once(type_id, lambda: self._bodies.define(type_id))
        elif kind == Kind.FWD:
            self._once(type_id, lambda: f"{keyword(graph, type_id)} {self._named(type_id)}")
        elif kind == Kind.INT and name in _ALIASES:
            self._once(type_id, lambda: f"typedef {_ALIASES[name]} {name}")

    def _need_composite(self, type_id: int, within: int, depth: int, *, whole: bool) -> None:
        graph = self._graph
        if not graph.name(type_id):
            if type_id in self._begun:
                raise graph.error(type_id, "is part of itself")
            self._begun.add(type_id)
            for member in graph.members(type_id):
                self._need(member.type_id, within, depth + 1, whole=True)
            self._begun.discard(type_id)
        elif type_id in self._complete:
            return
        elif not whole:
            if type_id not in self._named_only and type_id != within:
                self._named_only.add(type_id)
                self.done.append(f"{keyword(graph, type_id)} {self._named(type_id)};\n")
        else:
            if type_id in self._begun:
                raise graph.error(type_id, "is part of itself")
            self._begun.add(type_id)
            for member in graph.members(type_id):
                self._need(member.type_id, type_id, depth + 1, whole=True)
            self._once(type_id, lambda: self._bodies.define(type_id))

    def _need_typedef(self, type_id: int, within: int, depth: int, *, whole: bool) -> None:
        graph = self._graph
        if graph.name(type_id) == _BUILT_IN:
            return
        if type_id not in self._begun:
            self._begun.add(type_id)
            target = graph.target(type_id)
            self._need(target, 0, depth + 1, whole=False)
            self._once(type_id, lambda: f"typedef {self._bodies.declare(target, self._named(type_id))}")
        if whole:
            self._need(graph.target(type_id), within, depth + 1, whole=True)

    def _once(self, type_id: int, text: Callable[[], str]) -> None:
        if type_id not in self._complete:
            self._complete.add(type_id)
            self.done.append(f"{text()};\n")
