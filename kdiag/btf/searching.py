"""All types whose names match a pattern: every string of the BTF is looked at once, and every type."""

from __future__ import annotations

import re
from fnmatch import translate
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kdiag.btf.sources import Source, Types
    from kdiag.parse.btf.kinds import Kind
    from kdiag.parse.btf.value import Btf


def everywhere(
    source: Source, module: str, pattern: str, kinds: Sequence[Kind]
) -> list[tuple[Types, int, str]]:
    """What matches a glob in a kernel and in its modules, or in one module. Raises NoTypes, BtfError."""
    places = [source.module(module)] if module else [source.main, *source.others(b"")]
    return [(types, *one) for types in places for one in matching(types, pattern, kinds)]


def matching(types: Types, pattern: str, kinds: Sequence[Kind]) -> Iterator[tuple[int, str]]:
    """The own types of these kinds whose names match a glob, in their order, each with its name."""
    return named(types.btf, re.compile(translate(pattern)), kinds)


def named(btf: Btf, pattern: re.Pattern[str], kinds: Sequence[Kind]) -> Iterator[tuple[int, str]]:
    """The own types of these kinds whose names match, in their order, each with its name. A name that is the tail of a
    longer string is found, too.
    """
    words, infos_at, own_kinds = btf.records
    wanted = own_kinds.translate(bytes(byte in kinds for byte in range(256)))
    known: dict[int, str] = _whole_strings(btf, pattern)
    begun = _beginnings(btf)
    for nth, chosen in enumerate(wanted):
        if chosen:
            offset = words[infos_at[nth] - 1]
            if offset in known:
                yield btf.first_id + nth, known[offset]
            elif offset and offset not in begun:
                name = btf.text(offset)
                if name and pattern.fullmatch(name):
                    yield btf.first_id + nth, name


def _strings(btf: Btf) -> list[bytes]:
    begin, end = btf.string_section
    return btf.data[begin:end].split(b"\0")


def _beginnings(btf: Btf) -> frozenset[int]:
    return frozenset(accumulate((len(text) + 1 for text in _strings(btf)), initial=btf.names_from))


def _whole_strings(btf: Btf, pattern: re.Pattern[str]) -> dict[int, str]:
    at, found = btf.names_from, {}
    for raw in _strings(btf):
        text = raw.decode("utf-8", "surrogateescape")
        if raw and pattern.fullmatch(text):
            found[at] = text
        at += len(raw) + 1
    return found
