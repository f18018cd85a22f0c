"""BTF once read: what it holds, and how to find a type and the members of a struct in it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import compress, islice
from typing import TYPE_CHECKING, NamedTuple

from kdiag.parse.btf.kinds import COMPOSITES, MODIFIERS, BtfError, Kind, info_flag, info_vlen

if TYPE_CHECKING:
    from array import array

    from kdiag.parse.btf.header import ByteOrder
    from kdiag.parse.btf.records import Records
    from kdiag.parse.btf.types import Resolution

# Bounds against BTF made to exhaust its reader; the kernel's own are 32 (MAX_RESOLVE_DEPTH) and 512 bytes
# (KSYM_NAME_LEN).
MAX_FLATTENED = 65_536
MAX_DEPTH = 32
MAX_NAME = 1024
#: How many places where a name, or a number like its offset, is found are tried before all types are looked at.
MAX_TRIES = 64


class Member(NamedTuple):
    """A member of a struct or union; the name is "" where it is anonymous.

    `bits` is the width of a bit-field, or 0 where the member itself gives none.
    """

    name: str
    type_id: int
    bit_offset: int
    bits: int


class Btf(NamedTuple):
    """Validated BTF; `kdiag.parse.btf.parse` makes it.

    `size` is in bytes. `n_types`, `counts`, `unknown_counts` and `highest_kind` are about this BTF alone, not
    its base: `counts` has every known kind, `unknown_counts` those that only the layout section describes,
    `highest_kind` is over both, 0 without types. The own type ids begin with `first_id`; lower ones are the
    base's, 0 is void. What `has_layout` means to old readers is told in `kdiag.parse.btf.header`.
    """

    byteorder: ByteOrder
    version: int
    size: int
    header_length: int
    has_layout: bool
    first_id: int
    n_types: int
    counts: Mapping[Kind, int]
    unknown_counts: Mapping[int, int]
    highest_kind: int
    # What the look-ups below need.
    base: Btf | None
    names_from: int
    names_end: int
    string_section: tuple[int, int]
    type_section: tuple[int, int]
    records: Records
    data: bytes
    resolution: Resolution | None = None

    def __repr__(self) -> str:
        return f"<BTF of {self.size} bytes, {self.byteorder}-endian, {self.n_types} types>"

    def record(self, type_id: int) -> tuple[array[int], int]:
        """The words that a type's record is in, and the index of its info word. Raises `BtfError`, also for void."""
        owner, nth = self._owner(type_id)
        return owner.records.words, owner.records.infos_at[nth]

    def place(self, type_id: int) -> int:
        """The offset of a type's record in the file of its BTF (or of that BTF's base)."""
        owner, nth = self._owner(type_id)
        return owner.type_section[0] + 4 * (owner.records.infos_at[nth] - 1)

    def text(self, offset: int) -> str:
        """The string at a name offset. Raises `BtfError`."""
        return self._string(offset)

    def kinds_by_id(self) -> bytes:
        """The kind of every type by its id, void's 0 and the base's types included."""
        return (self.base.kinds_by_id() if self.base else b"\0") + self.records.kinds

    def kind(self, type_id: int) -> int:
        """A type's kind: a `Kind`, a higher number if it is unknown, 0 for void."""
        if type_id == 0:
            return 0
        owner, nth = self._owner(type_id)
        number = owner.records.kinds[nth]
        return Kind(number) if number in self.counts else number

    def name(self, type_id: int) -> str:
        """A type's name, "" if it is anonymous; "void" for 0."""
        if type_id == 0:
            return "void"
        owner, nth = self._owner(type_id)
        return self._string(owner.records.words[owner.records.infos_at[nth] - 1])

    def has(self, name: str, kind: Kind) -> bool:
        """Whether there is a type of this name and kind."""
        return self.find(name, (kind,)) is not None

    def find(self, name: str, kinds: Collection[Kind]) -> int | None:
        """The id of the first type so named of one of these kinds, the base's before the own; None if none.

        In vmlinux it takes 1 ms if there is such a type, or no such name; 12 ms if the name is of other things.
        """
        if self.base and (found := self.base.find(name, kinds)) is not None:
            return found
        text = name.encode("utf-8", "surrogateescape") + b"\0"
        if text == b"\0" or text.count(b"\0") > 1:
            return None
        offsets = dict(islice(self._name_offsets(text), MAX_TRIES + 1))
        if len(offsets) > MAX_TRIES:
            return self._find_any(lambda offset: self.reads(offset, text), kinds)
        whole = [offset for offset, is_whole in offsets.items() if is_whole]
        if len(whole) == 1 and (found := self._find_one(whole[0], kinds)) is not None:
            return found
        return self._find_any(offsets.__contains__, kinds) if offsets else None

    def all_of(self, name: str, kinds: Collection[Kind]) -> list[int]:
        """The ids of all own types so named of these kinds, the base's left out."""
        text = name.encode("utf-8", "surrogateescape") + b"\0"
        if text == b"\0" or text.count(b"\0") > 1:
            return []
        offsets = dict(islice(self._name_offsets(text), MAX_TRIES + 1))
        if len(offsets) > MAX_TRIES:
            return list(self._all_named(lambda offset: self.reads(offset, text), kinds))
        return list(self._all_named(offsets.__contains__, kinds)) if offsets else []

    def members(self, type_id: int, *, flatten: bool = False) -> tuple[Member, ...]:
        """The members of a STRUCT or UNION, in order.

        With `flatten`, the members of anonymous structs and unions take the place of these, as in C (a
        kernel with randomised structs has all of task_struct in one); bit offsets are from the outer start.
        Raises `BtfError` for another kind, an id out of range, or nesting without end.
        """
        return tuple(self._flattened(type_id) if flatten else self._members(type_id))

    def _members(self, type_id: int) -> Iterator[Member]:
        if self.kind(type_id) not in COMPOSITES:
            raise BtfError(f"type {type_id} is neither a struct nor a union and has no members")
        owner, nth = self._owner(type_id)
        words, start = owner.records.words, owner.records.infos_at[nth] + 2
        info = words[start - 2]
        rows = words[start : start + 3 * info_vlen(info)]
        for name, member_type, offset in zip(rows[0::3], rows[1::3], rows[2::3], strict=True):
            if info_flag(info):
                yield Member(self._string(name), member_type, offset & 0xFFFFFF, offset >> 24)
            else:
                yield Member(self._string(name), member_type, offset, 0)

    def _flattened(self, type_id: int) -> Iterator[Member]:
        seen = 0
        inner: dict[int, int | None] = {}  # by a member's type, so that no modifiers are taken off twice
        stack = [(0, self._members(type_id))]
        while stack:
            start, members = stack[-1]
            member = next(members, None)
            if member is None:
                stack.pop()
                continue
            seen += 1
            if seen > MAX_FLATTENED or len(stack) > MAX_DEPTH:
                raise BtfError(f"type {type_id} has anonymous members nested without end")
            moved = member._replace(bit_offset=start + member.bit_offset)
            if not member.name and member.type_id not in inner:
                inner[member.type_id] = self._composite(member.type_id)
            nested = None if member.name else inner[member.type_id]
            if nested is None:
                yield moved
            else:
                stack.append((moved.bit_offset, self._members(nested)))

    def _composite(self, type_id: int) -> int | None:
        """The struct or union that a type is when const, typedef and the like are taken off."""
        for _ in range(MAX_DEPTH + 1):
            kind = self.kind(type_id)
            if kind in COMPOSITES:
                return type_id
            if kind not in MODIFIERS:
                return None
            owner, nth = self._owner(type_id)
            type_id = owner.records.words[owner.records.infos_at[nth] + 1]
        return None

    def _owner(self, type_id: int) -> tuple[Btf, int]:
        """The BTF, this or a base, that has the type, and which of its types it is."""
        owner: Btf | None = self
        while owner and type_id < owner.first_id:
            owner = owner.base
        if owner is None or type_id >= owner.first_id + owner.n_types:
            raise BtfError(f"there is no type {type_id}: the last is {self.first_id + self.n_types - 1}")
        return owner, type_id - owner.first_id

    def _string(self, offset: int) -> str:
        owner = self
        while owner.base and offset < owner.names_from:
            owner = owner.base
        begin = owner.string_section[0] + offset - owner.names_from
        last = owner.string_section[1]
        if begin >= last:
            raise BtfError(
                f"a name at {offset}, but the strings end at {owner.names_end}", owner.type_section[0]
            )
        end = owner.data.find(b"\0", begin, min(begin + MAX_NAME, last))
        if end < 0:
            raise BtfError(f"a name is longer than {MAX_NAME} bytes", begin)
        return owner.data[begin:end].decode("utf-8", "surrogateescape")

    def _name_offsets(self, text: bytes) -> Iterator[tuple[int, bool]]:
        """Every offset that reads as `text`, NUL included, and whether one of the section's strings begins there.

        Otherwise it is the tail of a longer string, which a producer may use to save space.
        """
        owner: Btf | None = self
        while owner:
            begin, end = owner.string_section
            at = owner.data.find(text, begin, end)
            while at >= 0:
                yield at - begin + owner.names_from, at == begin or owner.data[at - 1] == 0
                at = owner.data.find(text, at + 1, end)
            owner = owner.base

    def reads(self, offset: int, text: bytes) -> bool:
        """Whether the bytes at a name offset begin with these."""
        owner = self
        while owner.base and offset < owner.names_from:
            owner = owner.base
        return owner.data.startswith(text, owner.string_section[0] + offset - owner.names_from)

    def _find_one(self, offset: int, kinds: Collection[Kind]) -> int | None:
        """The first own type with that name offset: finds its bytes, then whether a record begins there.

        None too where the same bytes are in too many other places.
        """
        begin, end = self.type_section
        _, infos_at, own_kinds = self.records
        wanted = offset.to_bytes(4, self.byteorder)
        at = self.data.find(wanted, begin, end)
        for _ in range(MAX_TRIES):
            if at < 0:
                break
            index = (at - begin) // 4 + 1
            nth = bisect_left(infos_at, index)
            aligned = (at - begin) % 4 == 0
            if aligned and nth < len(infos_at) and infos_at[nth] == index and own_kinds[nth] in kinds:
                return self.first_id + nth
            at = self.data.find(wanted, at + 1, end)
        return None

    def _find_any(self, is_name: Callable[[int], bool], kinds: Collection[Kind]) -> int | None:
        """The first own type of these kinds whose name offset is one: looks at all of them."""
        return next(self._all_named(is_name, kinds), None)

    def _all_named(self, is_name: Callable[[int], bool], kinds: Collection[Kind]) -> Iterator[int]:
        words, infos_at, own_kinds = self.records
        chosen = own_kinds.translate(bytes(byte in kinds for byte in range(256)))
        for nth in compress(range(len(own_kinds)), chosen):
            if is_name(words[infos_at[nth] - 1]):
                yield self.first_id + nth
