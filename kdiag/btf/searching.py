"""All types whose names match a pattern: every string of the BTF is looked at once, and every type."""

from __future__ import annotations

import re
from fnmatch import translate
from itertools import compress
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


def named(
    btf: Btf, pattern: re.Pattern[str], kinds: Sequence[Kind], start: bytes = b""
) -> Iterator[tuple[int, str]]:
    """The own types of these kinds whose names match, in their order, each with its name. start: how all that match
    begin, which is asked first.
    """
    words, infos_at, own_kinds = btf.records
    chosen = own_kinds.translate(bytes(byte in kinds for byte in range(256)))
    known: dict[int, str] = {}
    for nth in compress(range(len(own_kinds)), chosen):
        offset = words[infos_at[nth] - 1]
        if offset not in known:
            known[offset] = _matched(btf, offset, pattern, start)
        if known[offset]:
            yield btf.first_id + nth, known[offset]


def _matched(btf: Btf, offset: int, pattern: re.Pattern[str], start: bytes) -> str:
    """The name at an offset if it matches, else ""."""
    if start and not btf.reads(offset, start):
        return ""
    name = btf.text(offset)
    return name if name and pattern.fullmatch(name) else ""
