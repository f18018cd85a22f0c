"""A way to a field: in the object's own type (bpf_core_parse_spec()), and the same by names in a type of the kernel
(bpf_core_spec_match()).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from kdiag.parse.bpf.btf_ext import CoreKind
from kdiag.parse.bpf.core.names import essential
from kdiag.parse.bpf.core.types import BadRelocation, fields_compatible, types_compatible, types_match
from kdiag.parse.btf.kinds import COMPOSITES, Kind

if TYPE_CHECKING:
    from kdiag.parse.bpf.btf_ext import CoreRelocation
    from kdiag.parse.btf.graph import Graph

#: BPF_CORE_SPEC_MAX_LEN
LONGEST = 64
_ENUMS = (Kind.ENUM, Kind.ENUM64)
#: Members that are looked at for one relocation, those of anonymous structs included.
_MOST_MEMBERS = 200_000


class Accessor(NamedTuple):
    """A step: a named member (nth of the struct, or a constant's in the enum), or an array's element (name "")."""

    type_id: int
    nth: int
    name: str


class Spec(NamedTuple):
    """A way: from the type `root`, the steps that have a name or are elements, and the bits from the start."""

    graph: Graph
    root: int
    steps: tuple[Accessor, ...]
    bits: int = 0

    def describe(self) -> str:
        """`struct task_struct.mm`, `struct path.dentry`, `enum e.NAME`."""
        return self.described(self.graph.name(self.root), self.steps)

    @staticmethod
    def described(name: str, steps: tuple[Accessor, ...]) -> str:
        """A way by the name of its type."""
        text = name
        for nth, step in enumerate(steps):
            if step.name:
                text += f".{step.name}"
            elif nth:
                text += f"[{step.nth}]"
        return text


def local(graph: Graph, relocation: CoreRelocation) -> Spec:
    """The way of a relocation in the object's own types. Raises BadRelocation where libbpf refuses it."""
    kind, access = relocation.kind, relocation.access
    if not isinstance(kind, CoreKind):
        raise BadRelocation(f"CO-RE relocation of the unknown kind {kind}")
    if not kind.of_field and not kind.of_enumerator:
        if access != "0":
            raise BadRelocation(f"the way {access!r} for a type, not '0'")
        return Spec(graph, relocation.type_id, ())
    way = _numbers(access)
    type_id = graph.plain(relocation.type_id)
    if kind.of_enumerator:
        constants = graph.enumerators(type_id) if graph.kind(type_id) in _ENUMS else []
        if len(way) > 1 or way[0] >= len(constants):
            raise BadRelocation(f"the way {access!r} leads to no constant of an enum")
        return Spec(graph, relocation.type_id, (Accessor(type_id, way[0], constants[way[0]].name),))
    steps = [Accessor(type_id, way[0], "")]
    bits = way[0] * graph.size(type_id) * 8
    for index in way[1:]:
        type_id = graph.plain(type_id)
        if graph.kind(type_id) in COMPOSITES:
            members = graph.members(type_id)
            if index >= len(members):
                raise BadRelocation(f"the way {access!r} leads to member {index} of {len(members)}")
            bits += members[index].bit_offset
            if members[index].name:
                steps.append(Accessor(type_id, index, members[index].name))
            type_id = members[index].type_id
        elif graph.kind(type_id) == Kind.ARRAY:
            array = graph.array(type_id)
            if index >= array.length and not _is_flexible(graph, steps[-1], array.length):
                raise BadRelocation(f"the way {access!r} leads to element {index} of {array.length}")
            type_id = graph.plain(array.element)
            steps.append(Accessor(type_id, index, ""))
            bits += index * graph.size(type_id) * 8
        else:
            raise BadRelocation(f"the way {access!r} leads through a type that has no parts")
    return Spec(graph, relocation.type_id, tuple(steps), bits)


def _numbers(access: str) -> list[int]:
    parts = access.split(":")
    if len(parts) > LONGEST or not all(
        part.isdecimal() and part.isascii() and len(part) < 11 for part in parts
    ):
        raise BadRelocation(f"{access[:80]!r} is no way to a field")
    return [int(part) for part in parts]


def _is_flexible(graph: Graph, before: Accessor, length: int) -> bool:
    """An array without a length at the end of a struct (is_flex_arr())."""
    if not before.name or length:
        return False
    return before.nth == graph.count(before.type_id) - 1


def match(wanted: Spec, kind: CoreKind, graph: Graph, type_id: int) -> Spec | None:
    """The same way in a type of the kernel, None if it does not lead anywhere there. Raises BadRelocation."""
    if not kind.of_field and not kind.of_enumerator:
        alike = types_match if kind is CoreKind.TYPE_MATCHES else types_compatible
        return Spec(graph, type_id, ()) if alike(wanted.graph, wanted.root, graph, type_id) else None
    if kind.of_enumerator:
        return _constant(wanted, graph, type_id)
    return _field(wanted, graph, type_id)


def _constant(wanted: Spec, graph: Graph, root: int) -> Spec | None:
    type_id = graph.plain(root)
    if graph.kind(type_id) not in _ENUMS:
        return None
    name = essential(wanted.steps[0].name)
    for index, constant in enumerate(graph.enumerators(type_id)):
        if essential(constant.name) == name:
            return Spec(graph, root, (Accessor(type_id, index, constant.name),))
    return None


def _field(wanted: Spec, graph: Graph, root: int) -> Spec | None:
    steps: list[Accessor] = []
    bits, type_id = 0, root
    for nth, step in enumerate(wanted.steps):
        type_id = graph.plain(type_id)
        if step.name:
            found = _member(wanted.graph, step, graph, type_id)
            if found is None:
                return None
            accessor, at, type_id = found
            bits += at
            steps.append(accessor)
            continue
        if nth:
            if graph.kind(type_id) != Kind.ARRAY:
                return None
            array = graph.array(type_id)
            if step.nth >= array.length and not _is_flexible(graph, steps[-1], array.length):
                return None
            type_id = graph.plain(array.element)
        steps.append(Accessor(type_id, step.nth, ""))
        bits += step.nth * graph.size(type_id) * 8
    return Spec(graph, root, tuple(steps), bits)


def _member(own: Graph, step: Accessor, graph: Graph, type_id: int) -> tuple[Accessor, int, int] | None:
    """A member by its name, also one in anonymous structs and unions: its step, bits from the start, and type. One
    whose type is another kind of thing is none (bpf_core_match_member()).
    """
    if graph.kind(type_id) not in COMPOSITES:
        return None
    wanted = own.members(step.type_id)[step.nth]
    for accessor, at, member_type in _named(graph, type_id).get(step.name, ()):
        if fields_compatible(own, wanted.type_id, graph, member_type):
            return accessor, at, member_type
    return None


@lru_cache(maxsize=4096)
def _named(graph: Graph, type_id: int) -> dict[str, list[tuple[Accessor, int, int]]]:
    """The members of a struct by name, those of anonymous ones in it too: found once, however many relocations ask."""
    stack = [(0, iter(enumerate(graph.members(type_id))), type_id)]
    found: dict[str, list[tuple[Accessor, int, int]]] = {}
    left = _MOST_MEMBERS
    while stack:
        start, members, owner = stack[-1]
        pair = next(members, None)
        if pair is None:
            stack.pop()
            continue
        left -= 1
        if left < 0 or len(stack) > LONGEST:
            raise BadRelocation("members nested without end")
        nth, member = pair
        at = start + member.bit_offset
        if member.name:
            place = (Accessor(owner, nth, member.name), at, member.type_id)
            found.setdefault(member.name, []).append(place)
            continue
        inner = graph.plain(member.type_id)
        if graph.kind(inner) in COMPOSITES:
            stack.append((at, iter(enumerate(graph.members(inner))), inner))
    return found


def broken(wanted: Spec, kind: CoreKind, graph: Graph, type_id: int) -> tuple[str, str, bool]:
    """Where a way that leads nowhere breaks: the name of the struct, that of the member, and whether there is one of
    that name and of another kind.
    """
    steps = wanted.steps
    long = next((n for n in range(1, len(steps) + 1) if not _leads(wanted, n, graph, type_id)), len(steps))
    step = steps[long - 1]
    owner = wanted.graph.name(step.type_id) or wanted.graph.name(wanted.root)
    before = _field(wanted._replace(steps=steps[: long - 1]), graph, type_id) if kind.of_field else None
    inner = type_id
    if before is not None and before.steps and before.steps[-1].name:
        last = before.steps[-1]
        inner = graph.members(last.type_id)[last.nth].type_id
    plain = graph.plain(inner)
    names = (
        {one.name for one in graph.btf.members(plain, flatten=True)}
        if graph.kind(plain) in COMPOSITES
        else set()
    )
    return owner, step.name or f"[{step.nth}]", step.name in names


def _leads(wanted: Spec, steps: int, graph: Graph, type_id: int) -> bool:
    return _field(wanted._replace(steps=wanted.steps[:steps]), graph, type_id) is not None
