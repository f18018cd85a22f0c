"""Which patterns are worth trying on a line: those of which it has a literal, found without trying each of them.

A literal is known by a word that stands free in it, which is then a whole word of each line that has the literal; the
line's words are looked up. The few literals without such a word are looked for themselves.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kdiag.knowledge.tools.message_literals import literals

_WORD = re.compile(r"[A-Za-z0-9_]+")


class Index(NamedTuple):
    """by_word: for a word of a literal, the literals and the numbers of their patterns; plain: literals without one;
    always: the numbers of patterns that have no literal.
    """

    by_word: dict[str, tuple[tuple[str, int], ...]]
    plain: tuple[tuple[str, int], ...]
    always: tuple[int, ...]


def index(patterns: Sequence[str]) -> Index:
    """The index of patterns by the rarest word of each literal."""
    words = [literals(pattern) for pattern in patterns]
    often = Counter(word for needed in words for literal in needed for word in _free(literal))
    by_word: dict[str, list[tuple[str, int]]] = {}
    plain = []
    for number, needed in enumerate(words):
        for literal in needed:
            rarest = min(sorted(_free(literal)), key=often.__getitem__, default="")
            if rarest:
                by_word.setdefault(rarest, []).append((literal, number))
            else:
                plain.append((literal, number))
    return Index(
        {word: tuple(found) for word, found in by_word.items()},
        tuple(plain),
        tuple(number for number, needed in enumerate(words) if not needed),
    )


def candidates(known: Index, line: str) -> list[int]:
    """The numbers of the patterns that can fit, ascending. The work depends on the line, not on how many there are."""
    found = {number for literal, number in known.plain if literal in line}
    found.update(known.always)
    for word in known.by_word.keys() & set(_WORD.findall(line)):
        found.update(number for literal, number in known.by_word[word] if literal in line)
    return sorted(found)


def _free(literal: str) -> Iterator[str]:
    """Its words that end inside of it: what stands beside the others in a line is not known."""
    for word in _WORD.finditer(literal):
        if word.start() > 0 and word.end() < len(literal):
            yield word[0]
