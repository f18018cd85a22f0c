"""Which lines are worth reading: a log has a million, and a handful says something.

A line is read if it has a word of a known message, or one with which lines complain. The words are taken out of the
patterns' literals: one that stands free in a literal stands free in each line that the pattern fits, so that a line's
words are looked up in a set, however many messages are known. A literal without such a word is looked for itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_WORD = re.compile(r"[a-z]{3,}")
#: Letters of a word that says more than `not` and `file`, which half of all lines have.
_TELLING = 5

#: A word of each alternative of `COMPLAINT`.
COMPLAINING = frozenset(
    (  # noqa: SIM905  words
        "error warning fatal failed failure denied permitted assertion terminate panic abort aborted unable could can "
        "cannot unknown invalid supported unsupported such found refused many"
    ).split()
)


class Sieve(NamedTuple):
    """words, in small letters; pieces: literals without such a word; all: a pattern has no literal, and reads all."""

    words: frozenset[str]
    pieces: tuple[str, ...]
    all: bool

    def keeps(self, line: str) -> bool:
        """Whether the line can be one that is known, or complains."""
        small = line.lower()
        if self.all or not self.words.isdisjoint(_WORD.findall(small)):
            return True
        for piece in self.pieces:  # noqa: SIM110  any() costs a call for each
            if piece in small:
                return True
        return False


def sieve(needed: Iterable[tuple[str, ...]], words: Iterable[str] = ()) -> Sieve:
    """For patterns, each given by the literals of which a line that it fits has one, and words besides."""
    found, pieces, every = {*COMPLAINING, *words}, set[str](), False
    for literals in needed:
        every = every or not literals
        for literal in literals:
            small = literal.lower()
            free = set(_free(small))
            telling = max(sorted(free), key=len, default="")
            if not free.isdisjoint(found):
                continue
            if len(telling) >= _TELLING:
                found.add(telling)
            else:
                pieces.add(small)
    return Sieve(frozenset(found), tuple(sorted(p for p in pieces if not _another(p, pieces))), every)


def _another(piece: str, pieces: Iterable[str]) -> bool:
    return any(other != piece and other in piece for other in pieces)


def _free(literal: str) -> Iterator[str]:
    """Its words that end inside of it: what stands beside the others in a line is not known."""
    for word in _WORD.finditer(literal):
        if word.start() > 0 and word.end() < len(literal):
            yield word[0]
