"""What the kernel accepts from a program, btf_parse() of kernel/bpf/btf.c, in the form of BTF already read.

It is more than what it demands of the BTF that it was built with, which it trusts, and far more than libbpf does,
which trusts all. Two things are left out: what becomes of structs that hold a bpf_spin_lock, a graph's node or a
tagged pointer (btf_parse_struct_metas()), because that is about programs, not types; and the 16 MiB that a program
may bring. One is more: a type that is part of itself is refused wherever it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.parse.btf.cycles import find_cycle
from kdiag.parse.btf.kinds import MODIFIERS, Kind
from kdiag.parse.btf.metas import check_metas
from kdiag.parse.btf.resolve import resolve
from kdiag.parse.btf.types import types_of

if TYPE_CHECKING:
    from kdiag.parse.btf.types import Resolution, Types
    from kdiag.parse.btf.value import Btf

MAX_CHAIN = 32


def verify(btf: Btf) -> Resolution:
    """Raises BtfError if the kernel would refuse it. A base is verified too, if it has not been."""
    types = types_of(btf)
    check_metas(types)
    looped = find_cycle(types.words, types.infos_at, types.kinds[types.first_id :], types.first_id)
    if looped is not None:
        raise types.error(looped, types.at(looped) - 1, "is part of itself")
    found = resolve(types, btf.base.resolution or verify(btf.base) if btf.base else None)
    _check_tags(types)
    return found


def _check_tags(types: Types) -> None:
    """btf_check_type_tags(): type tags come before other modifiers, and these are not too many."""
    kinds, good = types.kinds, types.first_id - 1
    for type_id, at in types.own(*MODIFIERS):
        current, in_tags, left = type_id, kinds[type_id] == Kind.TYPE_TAG, MAX_CHAIN
        while kinds[current] in MODIFIERS:
            if not left:
                raise types.error(type_id, at + 1, f"begins a chain of more than {MAX_CHAIN} modifiers")
            left -= 1
            tagged = kinds[current] == Kind.TYPE_TAG
            if tagged and not in_tags:
                raise types.error(type_id, at + 1, f"has modifiers before the type tag {current}")
            in_tags = in_tags and tagged
            if current <= good:
                break
            current = types.thirds[current]
        good = type_id
