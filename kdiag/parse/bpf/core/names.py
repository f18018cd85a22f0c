"""The kernel's types by name: one pass for all names that an object has relocations for."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdiag.parse.btf.value import Btf

_FLAVOUR = b"___"
#: Flavours of one name in a kernel; there are hardly any.
_MOST = 256


def essential(name: str) -> str:
    """A name without its flavour, the part after the last `___` (bpf_core_essential_name_len())."""
    at = len(name) - 5
    while at >= 0:
        if name[at + 1 : at + 4] == "___" and name[at] != "_" and name[at + 4] != "_":
            return name[: at + 1]
        at -= 1
    return name


def by_name(btf: Btf, names: Iterable[str]) -> dict[str, list[int]]:
    """The own types (not the base's) of each essential name, of any kind, in the order of their ids."""
    offsets = {offset: name for name in set(names) if name for offset in _offsets(btf, name)}
    if not offsets:
        return {}
    words, infos_at, _ = btf.records
    before = array("I", (0,)) + words  # the word before an info word has the info word's index in it
    found: dict[str, list[int]] = {}
    for nth, offset in enumerate(map(before.__getitem__, infos_at)):
        if offset in offsets:
            found.setdefault(offsets[offset], []).append(btf.first_id + nth)
    return found


def _offsets(btf: Btf, name: str) -> Iterator[int]:
    """Where the name is in the strings, whole or with a flavour; the base's strings too: split BTF shares them."""
    owner: Btf | None = btf
    while owner is not None:
        yield from _own_offsets(owner, name)
        owner = owner.base


def _own_offsets(btf: Btf, name: str) -> Iterator[int]:
    text = name.encode("utf-8", "surrogateescape")
    begin, end = btf.string_section
    wanted = b"\0" + text
    # A module's section has no string of length 0 before its first.
    at = begin - 1 if btf.data.startswith(text, begin) else btf.data.find(wanted, begin, end)
    tries = 0
    while at >= 0 and tries < _MOST:
        place = at + 1
        after = btf.data[place + len(text) : place + len(text) + 4]
        if after[:1] == b"\0":
            yield place - begin + btf.names_from
        elif after.startswith(_FLAVOUR):
            tries += 1
            stop = btf.data.find(b"\0", place, end)
            whole = btf.data[place:stop].decode("utf-8", "surrogateescape")
            if essential(whole) == name:
                yield place - begin + btf.names_from
        at = btf.data.find(wanted, place, end)
