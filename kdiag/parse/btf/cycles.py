"""That no type is part of itself: a typedef of itself, a pointer to itself, a struct that contains itself.

The kernel finds most of these when it resolves types (btf_resolve() of kernel/bpf/btf.c, EEXIST); not those
behind a modifier that it resolved for a pointer, and none in the BTF that it was built with, which it does not
resolve. libbpf looks for none, and what reads types through it then runs until its stack or its user's patience
ends.

A cycle needs a reference to a type with no smaller id. Nearly all references in a kernel's BTF are to smaller
ones, so one pass in the order of ids settles nearly all types, and few are left to be walked.
"""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING

from kdiag.parse.btf.kinds import COMPOSITES, MODIFIERS, Kind, info_vlen

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_IN_PLACE = frozenset((*COMPOSITES, *MODIFIERS, Kind.ARRAY))
_CHAINED = frozenset((*MODIFIERS, Kind.PTR))
_IS_IN_PLACE = bytes(byte in _IN_PLACE for byte in range(256))
_IS_CHAINED = bytes(byte in _CHAINED for byte in range(256))
_PASSES = 3


def find_cycle(words: array[int], infos_at: Sequence[int], kinds: bytes, first_id: int) -> int | None:
    """An own type that is part of itself, None if none is. A base's types cannot refer to the own ones."""
    chained = _chained(words, infos_at, kinds, first_id)
    return _in_place(words, infos_at, kinds, first_id) if chained is None else chained


def _chained(words: array[int], infos_at: Sequence[int], kinds: bytes, first_id: int) -> int | None:
    """Of pointers and modifiers, which refer to one type each. A pointer in a struct ends what it is in."""
    chosen = kinds.translate(_IS_CHAINED)
    after = words[1:]
    targets = map(after.__getitem__, compress(infos_at, chosen))
    left = dict(zip(compress(range(first_id, first_id + len(kinds)), chosen), targets, strict=True))
    for _ in range(_PASSES):
        left = {type_id: target for type_id, target in left.items() if target in left}
    reached_from: dict[int, int] = {}
    for start in left:
        type_id = start
        while type_id in left and type_id not in reached_from:
            reached_from[type_id] = start
            type_id = left[type_id]
        if reached_from.get(type_id) == start:
            return type_id
    return None


def _in_place(words: array[int], infos_at: Sequence[int], kinds: bytes, first_id: int) -> int | None:
    """Of types whose size depends on others'."""
    chosen = kinds.translate(_IS_IN_PLACE)
    unsettled = set(compress(range(first_id, first_id + len(kinds)), chosen))
    settle = unsettled.discard
    for nth in compress(range(len(kinds)), chosen):
        kind, at = kinds[nth], infos_at[nth]
        if kind == Kind.STRUCT or kind == Kind.UNION:  # noqa: PLR1714  the fastest of three ways to ask
            if unsettled.isdisjoint(words[at + 3 : at + 2 + 3 * info_vlen(words[at]) : 3]):
                settle(nth + first_id)
        elif kind == Kind.ARRAY:
            if words[at + 2] not in unsettled and words[at + 3] not in unsettled:
                settle(nth + first_id)
        elif words[at + 1] not in unsettled:
            settle(nth + first_id)
    left = {}
    for type_id in unsettled:
        at = infos_at[type_id - first_id]
        left[type_id] = tuple(unsettled.intersection(_parts(words, at, kinds[type_id - first_id])))
    return _first_in_cycle(left)


def _parts(words: array[int], at: int, kind: int) -> array[int]:
    """The types that the type with this info word has in it, or is of."""
    if kind in COMPOSITES:
        return words[at + 3 : at + 2 + 3 * info_vlen(words[at]) : 3]
    return words[at + 2 : at + 4] if kind == Kind.ARRAY else words[at + 1 : at + 2]


def _first_in_cycle(edges: Mapping[int, Iterable[int]]) -> int | None:
    """A node that can be reached from itself, None if there is none; looks at every edge once."""
    done: set[int] = set()
    for root in edges:
        path = {root}
        stack: list[tuple[int, Iterator[int]]] = [(root, iter(edges[root]))]
        while stack and root not in done:
            node, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                path.discard(node)
                done.add(node)
            elif following in path:
                return following
            elif following in edges and following not in done:
                path.add(following)
                stack.append((following, iter(edges[following])))
    return None
