"""kdiag/knowledge/texts/index.json, made from the files of texts: by which word of a line each of them is found."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from kdiag.knowledge.texts.templates import TOOLS, Index, divided, words
from kdiag.why.sieve import COMPLAINING
from tests.support.message_sources.tables import PLACE, load


def made(place: Path = PLACE) -> Index:
    """The index of the files."""
    free = [
        words(divided(text[0] or "")[0])
        for tool in TOOLS
        for texts in load(tool, place)["templates"].values()
        for text in texts
    ]
    often = Counter(word for known in free for word in known)
    by_word: dict[str, list[int]] = {}
    for number, known in enumerate(free):
        # A tie is broken by the word itself, so that the index is the same every time.
        by_word.setdefault(min(known, key=lambda word: (often[word], word)), []).append(number)
    return {"by_word": dict(sorted(by_word.items())), "telling": sorted(_telling(free))}


#: Words of the verifier's states, in every line of its log.
_EVERYWHERE = frozenset(
    {"scalar", "ctx", "map", "value", "imm", "off", "type", "frame", "stack", "mem", "insn"}
)


def _telling(free: Sequence[set[str]]) -> set[str]:
    chosen: set[str] = set()
    for known in free:
        if known.isdisjoint(COMPLAINING) and known.isdisjoint(chosen):
            chosen.add(max(sorted(known - _EVERYWHERE or known), key=len))
    return chosen


def written(index: Mapping[str, object]) -> str:
    """As JSON, with a line for each part."""
    parts = [f'  "{key}": {json.dumps(value, separators=(",", ":"))}' for key, value in index.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"
