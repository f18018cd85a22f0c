"""Which patterns are worth trying on a line: those of which it has a literal, found without trying each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from kdiag.knowledge.tools.message_literals import SHORTEST, literals


class Index(NamedTuple):
    """by_gram: for four characters of a literal, the literals and the numbers of their patterns; always: the numbers of
    patterns that have no literal.
    """

    by_gram: dict[str, tuple[tuple[str, int], ...]]
    always: tuple[int, ...]


def index(patterns: Sequence[str]) -> Index:
    """The index of patterns by the rarest four characters of each literal."""
    words = [literals(pattern) for pattern in patterns]
    often = Counter(gram for needed in words for word in needed for gram in _grams(word))
    by_gram: dict[str, list[tuple[str, int]]] = {}
    for number, needed in enumerate(words):
        for word in needed:
            rarest = min(sorted(_grams(word)), key=often.__getitem__)
            by_gram.setdefault(rarest, []).append((word, number))
    return Index(
        {gram: tuple(found) for gram, found in by_gram.items()},
        tuple(number for number, needed in enumerate(words) if not needed),
    )


def candidates(known: Index, line: str) -> list[int]:
    """The numbers of the patterns that can fit, ascending. The work depends on the line, not on how many there are."""
    found = set(known.always)
    for gram in known.by_gram.keys() & _grams(line):
        found.update(number for word, number in known.by_gram[gram] if word in line)
    return sorted(found)


def _grams(text: str) -> set[str]:
    return {text[at : at + SHORTEST] for at in range(len(text) - SHORTEST + 1)}
