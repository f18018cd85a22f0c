"""What types are made of, followed from type to type in bounded time: for BTF that was read lazily, of any origin.

Each question looks at what it needs. A reference that leads nowhere, a chain of modifiers or a nesting without end is a
`BtfError` with the offset of the record. How sizes and alignments follow from BTF is told by libbpf's src/btf.c,
btf__resolve_size(), btf__align_of() and determine_ptr_size().
"""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

from kdiag.parse.btf.kinds import COMPOSITES, LONG, MODIFIERS, BtfError, Kind, info_flag, info_kind, info_vlen
from kdiag.parse.btf.value import Member

if TYPE_CHECKING:
    from collections.abc import Callable

    from kdiag.parse.btf.value import Btf

#: Modifiers, arrays and pointers in a row, and structs within structs; the kernel allows a program's BTF 32
#: (kernel/bpf/btf.c, MAX_RESOLVE_DEPTH), and no kernel's own has 20.
DEEPEST = 64
#: Steps from type to type, and names that are written, in all answers about one BTF: all types of a kernel take a
#: million. BTF can be made in which a few types are part of one another in more ways than there is time for.
MOST_STEPS = 3_000_000
#: Members, constants or parameters of one type; include/uapi/linux/btf.h has room for 65,535 before Linux 7.1.
MOST_ELEMENTS = 262_144

_ENUMS = (Kind.ENUM, Kind.ENUM64)
_SIZED = (Kind.INT, Kind.FLOAT, *COMPOSITES, *_ENUMS, Kind.DATASEC)
_TYPED = (*MODIFIERS, Kind.PTR, Kind.FUNC, Kind.FUNC_PROTO, Kind.VAR, Kind.DECL_TAG)
_IS_INT = bytes(byte == Kind.INT for byte in range(256))


class Array(NamedTuple):
    """An array: the type of its elements, and how many it has."""

    element: int
    length: int


class Param(NamedTuple):
    """A parameter of a function; one of type 0 at the end stands for `...`."""

    name: str
    type_id: int


class Enumerator(NamedTuple):
    """A constant of an enum."""

    name: str
    value: int


class Graph:
    """The types of one BTF and of its base. Answers are kept: the same few types are asked for again and again.

    shown: how a name is shown, whatever is in it (`kdiag.console.printable.line`).
    """

    __slots__ = ("_aligns", "_left", "_members", "_shown", "_sizes", "btf", "pointer")

    def __init__(self, btf: Btf, shown: Callable[[str], str] = str) -> None:
        self.btf = btf
        self._shown = shown
        self._left = MOST_STEPS
        self.pointer = _pointer_size(btf)
        self._sizes: dict[int, int] = {}
        self._aligns: dict[int, int] = {0: 1}
        self._members: dict[int, tuple[Member, ...]] = {}

    def spend(self, type_id: int, steps: int) -> None:
        """Count steps that an answer takes. Raises BtfError when there were too many in all."""
        self._left -= steps
        if self._left < 0:
            raise self.error(type_id, f"is in an answer of more than {MOST_STEPS} steps")

    def kind(self, type_id: int) -> int:
        """The number of a type's kind, 0 for void."""
        if not type_id:
            return 0
        words, at = self.btf.record(type_id)
        return info_kind(words[at])

    def name(self, type_id: int) -> str:
        """A type's name, "" if it is anonymous."""
        return self._shown(self.btf.name(type_id))

    def flag(self, type_id: int) -> bool:
        """The kind flag: a forward declaration's union, an enum's sign."""
        words, at = self.btf.record(type_id)
        return info_flag(words[at])

    def count(self, type_id: int) -> int:
        """How many members, constants or parameters a type has; a function's linkage."""
        words, at = self.btf.record(type_id)
        return info_vlen(words[at])

    def target(self, type_id: int) -> int:
        """The type that a pointer, modifier, function or variable is of; what a function returns."""
        words, at = self.btf.record(type_id)
        if info_kind(words[at]) not in _TYPED:
            raise self.error(type_id, "refers to no type")
        return words[at + 1]

    def own_size(self, type_id: int) -> int:
        """The size that a struct, union, enum or number states."""
        words, at = self.btf.record(type_id)
        return words[at + 1]

    def number(self, type_id: int) -> int:
        """An INT's data word: its encoding, offset and width."""
        words, at = self.btf.record(type_id)
        return words[at + 2]

    def array(self, type_id: int) -> Array:
        """What an ARRAY is of."""
        words, at = self.btf.record(type_id)
        return Array(words[at + 2], words[at + 4])

    def members(self, type_id: int) -> tuple[Member, ...]:
        """The members of a struct or union, anonymous ones as what they are."""
        if type_id not in self._members:
            self._few(type_id)
            members = self.btf.members(type_id)
            self._members[type_id] = tuple(one._replace(name=self._shown(one.name)) for one in members)
        return self._members[type_id]

    def flat_members(self, type_id: int) -> tuple[Member, ...]:
        """Those that a program can name: the members of anonymous ones take their place."""
        members = self.btf.members(type_id, flatten=True)
        return tuple(one._replace(name=self._shown(one.name)) for one in members)

    def params(self, type_id: int) -> list[Param]:
        """The parameters of a FUNC_PROTO."""
        self._few(type_id)
        words, at = self.btf.record(type_id)
        rows = words[at + 2 : at + 2 + 2 * info_vlen(words[at])]
        return [
            Param(self._shown(self.btf.text(name)), kind)
            for name, kind in zip(rows[::2], rows[1::2], strict=True)
        ]

    def enumerators(self, type_id: int) -> list[Enumerator]:
        """The constants of an enum, with the sign that its flag gives them."""
        self._few(type_id)
        words, at = self.btf.record(type_id)
        info = words[at]
        if info_kind(info) == Kind.ENUM:
            rows = words[at + 2 : at + 2 + 2 * info_vlen(info)]
            pairs, top = zip(rows[::2], rows[1::2], strict=True), 1 << 31
        else:
            rows = words[at + 2 : at + 2 + 3 * info_vlen(info)]
            wide = [high << 32 | low for low, high in zip(rows[1::3], rows[2::3], strict=True)]
            pairs, top = zip(rows[::3], wide, strict=True), 1 << 63
        signed = info_flag(info)
        return [
            Enumerator(
                self._shown(self.btf.text(name)), value - 2 * top if signed and value >= top else value
            )
            for name, value in pairs
        ]

    def plain(self, type_id: int) -> int:
        """The type when const, typedef and the like are taken off."""
        started = type_id
        for _ in range(DEEPEST):
            if self.kind(type_id) not in MODIFIERS:
                return type_id
            type_id = self.target(type_id)
        raise self.error(started, f"begins a chain of more than {DEEPEST} modifiers")

    def size(self, type_id: int) -> int:
        """Bytes that a value of the type takes, 0 for void and for what has none (a function)."""
        if type_id not in self._sizes:
            self._sizes[type_id] = self._size(type_id)
        return self._sizes[type_id]

    def _size(self, type_id: int) -> int:
        started, times = type_id, 1
        for _ in range(DEEPEST):
            kind = self.kind(type_id)
            if kind in _SIZED:
                return times * self.own_size(type_id)
            if kind == Kind.PTR:
                return times * self.pointer
            if kind == Kind.ARRAY:
                type_id, count = self.array(type_id)
                times *= count
            elif kind in MODIFIERS or kind == Kind.VAR:
                type_id = self.target(type_id)
            else:
                return 0
        raise self.error(started, f"begins a chain of more than {DEEPEST} types")

    def align(self, type_id: int, depth: int = 0) -> int:
        """The alignment that a compiler gives the type: of a packed struct, and of what has none, 1."""
        if type_id not in self._aligns:
            if depth > DEEPEST:
                raise self.error(type_id, f"is nested more than {DEEPEST} types deep")
            self._aligns[type_id] = self._align(type_id, depth)
        return self._aligns[type_id]

    def _align(self, type_id: int, depth: int) -> int:
        kind = self.kind(type_id)
        if kind == Kind.PTR:
            return self.pointer
        if kind in (Kind.INT, Kind.FLOAT, *_ENUMS):
            return max(1, min(self.pointer, self.own_size(type_id)))
        if kind == Kind.ARRAY:
            return self.align(self.array(type_id).element, depth + 1)
        if kind in MODIFIERS:
            return self.align(self.target(type_id), depth + 1)
        if kind not in COMPOSITES:
            return 1
        widest = 1
        for member in self.members(type_id):
            one = self.align(member.type_id, depth + 1)
            widest = max(widest, one)
            if not member.bits and member.bit_offset % (8 * one):
                return 1
        return 1 if self.own_size(type_id) % widest else widest

    def is_packed(self, type_id: int) -> bool:
        """Whether a struct lies as none would that is not packed; one that would lie the same unpacked is not."""
        widest = 1
        for member in self.members(type_id):
            one = self.align(member.type_id)
            widest = max(widest, one)
            if not member.bits and member.bit_offset % (8 * one):
                return True
        return bool(self.own_size(type_id) % widest)

    def _few(self, type_id: int) -> None:
        if self.count(type_id) > MOST_ELEMENTS:
            raise self.error(type_id, f"has {self.count(type_id)} elements, more than {MOST_ELEMENTS}")

    def error(self, type_id: int, what: str) -> BtfError:
        """That something is wrong with a type."""
        return BtfError(f"type {type_id} {what}", self.btf.place(type_id))


def _pointer_size(btf: Btf) -> int:
    """The size of a pointer: that of the type `long`, which every kernel has; 8 without it."""
    if btf.base is not None:
        return _pointer_size(btf.base)
    words, infos_at, kinds = btf.records
    for at in compress(infos_at, kinds.translate(_IS_INT)):
        if words[at + 1] in (4, 8) and btf.text(words[at - 1]) in LONG:
            return words[at + 1]
    return 8
