"""All types of BTF and of its base in one place by id, for the passes that look at each of them."""

from __future__ import annotations

from array import array
from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

from kdiag.parse.btf.kinds import LONG, BtfError, Kind
from kdiag.parse.btf.names import Strings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kdiag.parse.btf.value import Btf


class Resolution(NamedTuple):
    """By type id, the type that a modifier or a variable comes to, any other itself; and the bytes of arrays."""

    onto: array[int]
    arrays: dict[int, int]


class Types(NamedTuple):
    """By id, void and the base's included: the kinds, the third words (sizes or types), and INTs' data words.

    Of the own ones, the section's words and where their info words are in them. `pointer` is a pointer's size.
    """

    kinds: bytes
    thirds: array[int]
    ints: dict[int, int]
    words: array[int]
    infos_at: array[int]
    first_id: int
    section_at: int
    strings: Strings
    pointer: int
    base: Types | None

    def at(self, type_id: int) -> int:
        """The index of an own type's info word."""
        return self.infos_at[type_id - self.first_id]

    def own(self, *kinds: int) -> Iterator[tuple[int, int]]:
        """The own types of these kinds, each with the index of its info word."""
        chosen = self.kinds[self.first_id :].translate(bytes(byte in kinds for byte in range(256)))
        ids = range(self.first_id, len(self.kinds))
        return zip(compress(ids, chosen), compress(self.infos_at, chosen), strict=True)

    def record(self, type_id: int) -> tuple[array[int], int]:
        """Any type's words, and the index of its info word in them."""
        owner = self
        while owner.base and type_id < owner.first_id:
            owner = owner.base
        return owner.words, owner.at(type_id)

    def error(self, type_id: int, index: int, what: str) -> BtfError:
        """That something is wrong with an own type in the word at `index`."""
        return BtfError(f"type {type_id} {what}", self.section_at + 4 * index)


def types_of(btf: Btf) -> Types:
    """The types of BTF whose records are in order."""
    base = types_of(btf.base) if btf.base else None
    words, infos_at, own_kinds = btf.records
    after = words[1:]  # the word after an info word has the info word's index in it
    thirds = (base.thirds if base else array("I", (0,))) + array("I", map(after.__getitem__, infos_at))
    ints = dict(base.ints) if base else {}
    pointer = base.pointer if base else 0
    for nth, kind in enumerate(own_kinds) if Kind.INT in own_kinds else ():
        if kind == Kind.INT:
            type_id, at = btf.first_id + nth, infos_at[nth]
            ints[type_id] = words[at + 2]
            if not pointer and words[at + 1] in (4, 8) and btf.name(type_id) in LONG:
                pointer = words[at + 1]
    strings = Strings(btf.data, btf.string_section[0], btf.names_from, base.strings if base else None)
    return Types(
        kinds=btf.kinds_by_id(),
        thirds=thirds,
        ints=ints,
        words=words,
        infos_at=infos_at,
        first_id=btf.first_id,
        section_at=btf.type_section[0],
        strings=strings,
        pointer=pointer or 8,
        base=base,
    )
