"""What the kernel requires of each record on its own: the *_check_meta() of the kinds in kernel/bpf/btf.c.

That references and names are in range, that what has no elements claims none, and that what has to be zero is,
has been seen to already (`kdiag.parse.btf.records`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.parse.btf.kinds import COMPOSITES, SHAPES, Kind, info_flag, info_kind, info_vlen
from kdiag.parse.btf.members import int_bits, int_offset

if TYPE_CHECKING:
    from kdiag.parse.btf.types import Types

_MAY_HAVE_FLAG = (*COMPOSITES, Kind.ENUM, Kind.ENUM64, Kind.FWD, Kind.DECL_TAG, Kind.TYPE_TAG)
_INT_DATA = 0x0FFFFFFF  # BTF_INT_MASK
_ENCODINGS = (0, 1, 2, 4)  # none, signed, char, bool: one at most
_FLOAT_SIZES = (2, 4, 8, 12, 16)
_ENUM_SIZES = (1, 2, 4, 8)
_LAST_LINKAGE = 1  # of a VAR: static or global; BTF_VAR_GLOBAL_EXTERN is for libbpf alone
_NO_PART = 0xFFFFFFFF  # a DECL_TAG of the whole


def check_metas(types: Types) -> None:
    """Raises BtfError for a record that the kernel refuses whatever it refers to."""
    _check_flags(types)
    _check_names(types)
    _check_numbers(types)
    _check_composites(types)
    _check_sections(types)


def _check_flags(types: Types) -> None:
    words = types.words
    flagged = {info_kind(info) for info in {words[at] for at in types.infos_at} if info_flag(info)}
    for type_id, at in types.own(
        *(kind for kind in flagged if kind in SHAPES and kind not in _MAY_HAVE_FLAG)
    ):
        if info_flag(words[at]):
            raise types.error(
                type_id, at, f"is a {Kind(info_kind(words[at])).name} and cannot have the kind flag"
            )


def _check_names(types: Types) -> None:
    needed: set[int] = set()
    optional: set[int] = set()
    words = types.words
    wanted = {"i": needed, "o": optional}
    for kind, (fixed, element) in SHAPES.items():
        own, step = wanted.get(fixed[0]), len(element)
        each = wanted.get(element[:1])
        if own is not None:
            own.update([words[at - 1] for _, at in types.own(kind)])
        if each is not None:
            for _, at in types.own(kind):
                each.update(words[at + 2 : at + 2 + step * info_vlen(words[at]) : step])
    optional.discard(0)
    bad = types.strings.bad_identifiers(needed) | types.strings.bad_identifiers(optional)
    if bad:
        raise _first_bad_name(types, bad)
    for type_id, at in types.own(Kind.DECL_TAG, Kind.TYPE_TAG):
        if types.strings.is_empty(words[at - 1]):
            raise types.error(type_id, at - 1, "is a tag without a name")
    for type_id, at in types.own(Kind.DATASEC):
        if not types.strings.is_printable(words[at - 1]):
            raise types.error(type_id, at - 1, "is a section whose name is none")


def _first_bad_name(types: Types, bad: set[int]) -> Exception:
    for nth, at in enumerate(types.infos_at):
        info = types.words[at]
        shape = SHAPES.get(info_kind(info))
        letters = shape.fixed + shape.element * info_vlen(info) if shape else ""
        for index, letter in enumerate(letters, at - 1):
            word = types.words[index]
            if word in bad and (letter == "i" or (letter == "o" and word)):
                return types.error(types.first_id + nth, index, "has a name that is no identifier")
    raise AssertionError("a name was bad, and is not")


def _check_numbers(types: Types) -> None:
    """Those of the kinds that are few, or small."""
    words = types.words
    for type_id, at in types.own(Kind.INT):
        number = words[at + 2]
        bits = int_bits(number) + int_offset(number)
        wrong = number > _INT_DATA or bits > 128 or (bits + 7) // 8 > words[at + 1]
        if wrong or number >> 24 not in _ENCODINGS:
            raise types.error(
                type_id, at + 2, f"is an INT of {words[at + 1]} bytes with the data {number:#x}"
            )
    for kinds, sizes in (((Kind.ENUM, Kind.ENUM64), _ENUM_SIZES), ((Kind.FLOAT,), _FLOAT_SIZES)):
        for type_id, at in types.own(*kinds):
            if words[at + 1] not in sizes:
                name = Kind(types.kinds[type_id]).name
                raise types.error(type_id, at + 1, f"is of kind {name} and has {words[at + 1]} bytes")
    for type_id, at in types.own(Kind.VAR):
        if words[at + 2] > _LAST_LINKAGE:
            raise types.error(type_id, at + 2, f"is a VAR of linkage {words[at + 2]}")
        if not words[at + 1]:
            raise types.error(type_id, at + 1, "is a VAR of type void")
    for type_id, at in types.own(Kind.DECL_TAG):
        if 0x80000000 <= words[at + 2] < _NO_PART:
            raise types.error(type_id, at + 2, "is a tag of a negative part")


def _check_composites(types: Types) -> None:
    """That members are in order, and that none begins beyond the end."""
    words = types.words
    for type_id, at in types.own(*COMPOSITES):
        info, size, last = words[at], words[at + 1], 0
        mask = 0xFFFFFF if info_flag(info) else 0xFFFFFFFF
        most = 0 if types.kinds[type_id] == Kind.UNION else 8 * size
        for place in range(at + 4, at + 4 + 3 * info_vlen(info), 3):
            offset = words[place] & mask
            if offset < last or offset > most:
                raise types.error(
                    type_id, place, f"has a member at bit {offset}, after {last} in {size} bytes"
                )
            last = offset


def _check_sections(types: Types) -> None:
    """That variables do not overlap, and are in their section."""
    words = types.words
    for type_id, at in types.own(Kind.DATASEC):
        size, end = words[at + 1], 0
        if not size:
            raise types.error(type_id, at + 1, "is an empty section")
        for place in range(at + 3, at + 3 + 3 * info_vlen(words[at]), 3):
            begin, room = words[place], words[place + 1]
            if begin < end or not room or begin + room > size:
                what = f"has a variable at {begin}-{begin + room}, after {end} in {size} bytes"
                raise types.error(type_id, place, what)
            end = begin + room
