"""What changed in structs and functions from one kernel's types to another's."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

from kdiag.btf.declare import Declarer
from kdiag.btf.text import prototype
from kdiag.parse.btf.kinds import COMPOSITES, BtfError, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kdiag.btf.sources import Types
    from kdiag.parse.btf.graph import Graph

_FUNC = (Kind.FUNC,)


class Spot(NamedTuple):
    """A member's type and place in one of the two."""

    type: str
    at: int
    bits: int
    size: int


class Changed(NamedTuple):
    """A member that is not as it was. before or after is None where it is not there."""

    name: str
    before: Spot | None
    after: Spot | None

    @property
    def what(self) -> str:
        """`removed`, `added`, `type` or, of one that only lies elsewhere, `moved`."""
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        same = (self.before.type, self.before.bits, self.before.size)
        return "moved" if same == (self.after.type, self.after.bits, self.after.size) else "type"


class StructChange(NamedTuple):
    """A struct or union. A size is None where there is none of this name."""

    name: str
    before: int | None
    after: int | None
    members: tuple[Changed, ...] = ()
    problem: str = ""


class FunctionChange(NamedTuple):
    """A function's prototype, "" where there is none of this name."""

    name: str
    before: str
    after: str


class Difference(NamedTuple):
    """What was looked at, by number, and what changed. absent: names that neither has."""

    structs: int
    functions: int
    changed: tuple[StructChange, ...]
    prototypes: tuple[FunctionChange, ...]
    absent: tuple[str, ...] = ()


def difference(first: Types, second: Types, structs: Sequence[str], functions: Sequence[str]) -> Difference:
    """The changes in these structs and functions."""
    pairs = {name: (_composite(first, name), _composite(second, name)) for name in structs}
    changes = [_struct(first, second, name, *ids) for name, ids in pairs.items()]
    prototypes = [(name, _prototype(first, name), _prototype(second, name)) for name in functions]
    absent = [name for name, ids in pairs.items() if ids == (None, None)]
    return Difference(
        structs=len(pairs) - len(absent),
        functions=sum(1 for _, before, after in prototypes if before or after),
        changed=tuple(change for change in changes if change is not None),
        prototypes=tuple(FunctionChange(*one) for one in prototypes if one[1] != one[2]),
        absent=tuple(absent),
    )


def all_structs(*both: Types) -> list[str]:
    """The names of all structs and unions of either."""
    return sorted({name for types in both for name in _names(types, COMPOSITES)})


def _names(types: Types, kinds: Iterable[int]) -> set[str]:
    words, infos_at, own = types.btf.records
    chosen = own.translate(bytes(byte in tuple(kinds) for byte in range(256)))
    return {types.btf.text(offset) for at in compress(infos_at, chosen) if (offset := words[at - 1])}


def _composite(types: Types, name: str) -> int | None:
    return types.btf.find(name, (Kind.STRUCT, Kind.UNION))


def _prototype(types: Types, name: str) -> str:
    type_id = types.btf.find(name, _FUNC)
    return "" if type_id is None else prototype(types, type_id)


def _struct(
    first: Types, second: Types, name: str, before: int | None, after: int | None
) -> StructChange | None:
    """What changed, None if nothing did, or if neither has such a struct."""
    if before is None and after is None:
        return None
    if before is None or after is None:
        old = None if before is None else first.graph.own_size(before)
        new = None if after is None else second.graph.own_size(after)
        return StructChange(name, old, new)
    sizes = first.graph.own_size(before), second.graph.own_size(after)
    try:
        old_spots, new_spots = _spots(first.graph, before), _spots(second.graph, after)
    except BtfError as error:
        return StructChange(name, *sizes, problem=str(error))
    names = [*old_spots, *(one for one in new_spots if one not in old_spots)]
    members = tuple(
        Changed(one, old_spots.get(one), new_spots.get(one))
        for one in names
        if old_spots.get(one) != new_spots.get(one)
    )
    return StructChange(name, *sizes, members) if members or sizes[0] != sizes[1] else None


def _spots(graph: Graph, type_id: int) -> dict[str, Spot]:
    """The members that a program can name, the first of each name."""
    declare = Declarer(graph).declare
    spots: dict[str, Spot] = {}
    for one in graph.flat_members(type_id):
        if one.name:
            spots.setdefault(
                one.name, Spot(declare(one.type_id), one.bit_offset, one.bits, graph.size(one.type_id))
            )
    return spots
