"""Which types of an object and of a kernel are taken for the same: three rules of libbpf's, each laxer or stricter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.parse.bpf.core.names import essential
from kdiag.parse.btf.graph import DEEPEST
from kdiag.parse.btf.kinds import COMPOSITES, Kind

if TYPE_CHECKING:
    from kdiag.parse.btf.graph import Graph

_ENUMS = (Kind.ENUM, Kind.ENUM64)
_DEPTH = 32
#: Comparisons of two members or parameters in one question.
_MOST = 100_000
_SIGNED = 1


class BadRelocation(Exception):
    """libbpf refuses the object for this relocation, whatever the kernel has."""


def kinds_compatible(one: int, other: int) -> bool:
    """btf_kind_core_compat()."""
    return one == other or (one in _ENUMS and other in _ENUMS)


def _int_offset(graph: Graph, type_id: int) -> int:
    return graph.number(type_id) >> 16 & 0xFF


def fields_compatible(own: Graph, own_id: int, graph: Graph, type_id: int) -> bool:
    """bpf_core_fields_are_compat(): whether a field may be read as one of another type."""
    for _ in range(DEEPEST):
        own_id, type_id = own.plain(own_id), graph.plain(type_id)
        kind, other = own.kind(own_id), graph.kind(type_id)
        if kind in COMPOSITES and other in COMPOSITES:
            return True
        if not kinds_compatible(kind, other):
            return False
        if kind in (Kind.PTR, Kind.FLOAT):
            return True
        if kind in (Kind.FWD, *_ENUMS):
            one, two = essential(own.name(own_id)), essential(graph.name(type_id))
            return not one or not two or one == two
        if kind == Kind.INT:
            return not _int_offset(own, own_id) and not _int_offset(graph, type_id)
        if kind != Kind.ARRAY:
            return False
        own_id, type_id = own.array(own_id).element, graph.array(type_id).element
    raise BadRelocation("arrays nested without end")


def types_compatible(  # noqa: PLR0912  a rule each
    own: Graph, own_id: int, graph: Graph, type_id: int, level: int = _DEPTH
) -> bool:
    """bpf_core_types_are_compat(): the same kind of thing, pointers and functions looked into."""
    if not kinds_compatible(own.kind(own_id), graph.kind(type_id)):
        return False
    for _ in range(_DEPTH):
        own_id, type_id = own.plain(own_id), graph.plain(type_id)
        kind = own.kind(own_id)
        if not kinds_compatible(kind, graph.kind(type_id)):
            return False
        if kind in (0, *COMPOSITES, *_ENUMS, Kind.FWD):
            return True
        if kind == Kind.INT:
            return not _int_offset(own, own_id) and not _int_offset(graph, type_id)
        if kind == Kind.PTR:
            own_id, type_id = own.target(own_id), graph.target(type_id)
        elif kind == Kind.ARRAY:
            own_id, type_id = own.array(own_id).element, graph.array(type_id).element
        elif kind == Kind.FUNC_PROTO:
            ours, theirs = own.params(own_id), graph.params(type_id)
            if len(ours) != len(theirs):
                return False
            if level <= 0 and ours:
                raise BadRelocation("functions nested without end")
            for one, other in zip(ours, theirs, strict=True):
                if not types_compatible(
                    own, own.plain(one.type_id), graph, graph.plain(other.type_id), level - 1
                ):
                    return False
            own_id, type_id = own.target(own_id), graph.target(type_id)
        else:
            return False
    raise BadRelocation("types nested without end")


def types_match(own: Graph, own_id: int, graph: Graph, type_id: int) -> bool:
    """bpf_core_types_match(): the same members, constants and parameters by name and kind."""
    return _Match(own, graph).types(own_id, type_id, behind=False, level=_DEPTH)


class _Match:
    """One question of types_match(), with a bound on its work."""

    def __init__(self, own: Graph, graph: Graph) -> None:
        self.own, self.graph, self.left = own, graph, _MOST

    def _spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise BadRelocation("types that are compared without end")

    def names(self, one: str, other: str) -> bool:
        """bpf_core_names_match()."""
        return essential(one) == essential(other) if other else not one

    def types(self, own_id: int, type_id: int, *, behind: bool, level: int) -> bool:  # noqa: PLR0912  a rule each
        """__bpf_core_types_match(). behind: a pointer was followed, and members are no longer looked at."""
        if level <= 0:
            raise BadRelocation("types nested without end")
        own, graph = self.own, self.graph
        for _ in range(_DEPTH):
            self._spend()
            own_id, type_id = own.plain(own_id), graph.plain(type_id)
            kind, other = own.kind(own_id), graph.kind(type_id)
            if not self.names(own.name(own_id) if own_id else "", graph.name(type_id) if type_id else ""):
                return False
            if kind == Kind.FWD:
                return self._forward(own_id, type_id, behind=behind)
            if kind in _ENUMS:
                return other in _ENUMS and self._enums(own_id, type_id)
            if kind in COMPOSITES:
                if behind and kind != other:
                    return other == Kind.FWD and (kind == Kind.UNION) == graph.flag(type_id)
                return kind == other and (behind or self._members(own_id, type_id, level))
            if kind != other:
                return False
            if kind == 0:
                return True
            if kind == Kind.INT:
                signs = (own.number(own_id) >> 24 & _SIGNED, graph.number(type_id) >> 24 & _SIGNED)
                return own.own_size(own_id) == graph.own_size(type_id) and signs[0] == signs[1]
            if kind == Kind.PTR:
                behind, own_id, type_id = True, own.target(own_id), graph.target(type_id)
            elif kind == Kind.ARRAY:
                ours, theirs = own.array(own_id), graph.array(type_id)
                if ours.length != theirs.length:
                    return False
                own_id, type_id = ours.element, theirs.element
            elif kind == Kind.FUNC_PROTO:
                if not self._parameters(own_id, type_id, behind=behind, level=level):
                    return False
                own_id, type_id = own.target(own_id), graph.target(type_id)
            else:
                return False
        raise BadRelocation("types nested without end")

    def _forward(self, own_id: int, type_id: int, *, behind: bool) -> bool:
        union, other = self.own.flag(own_id), self.graph.kind(type_id)
        if other == Kind.FWD:
            return union == self.graph.flag(type_id)
        return behind and other == (Kind.UNION if union else Kind.STRUCT)

    def _enums(self, own_id: int, type_id: int) -> bool:
        if self.own.own_size(own_id) != self.graph.own_size(type_id):
            return False
        ours = [essential(one.name) for one in self.own.enumerators(own_id)]
        theirs = [essential(one.name) for one in self.graph.enumerators(type_id)]
        return len(ours) <= len(theirs) and set(ours) <= set(theirs)

    def _members(self, own_id: int, type_id: int, level: int) -> bool:
        ours, theirs = self.own.members(own_id), self.graph.members(type_id)
        if len(ours) > len(theirs):
            return False
        for one in ours:
            for other in theirs:
                self._spend()
                if self.names(one.name, other.name) and self.types(
                    one.type_id, other.type_id, behind=False, level=level - 1
                ):
                    break
            else:
                return False
        return True

    def _parameters(self, own_id: int, type_id: int, *, behind: bool, level: int) -> bool:
        ours, theirs = self.own.params(own_id), self.graph.params(type_id)
        return len(ours) == len(theirs) and all(
            self.types(one.type_id, other.type_id, behind=behind, level=level - 1)
            for one, other in zip(ours, theirs, strict=True)
        )
