"""What the messages of bpftrace, libbpf, clang, bcc and modprobe mean, and which finding to read next.

`explain(text)` takes a tool's output and returns what is recognised in it, the most decisive first: the loud
line is often not the one that matters (the RLIMIT_MEMLOCK line is printed by runs that work). The messages are data:
`catalogue` reads them.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from kdiag.knowledge.tools.catalogue import catalogue
from kdiag.knowledge.tools.message import Message, Weight
from kdiag.knowledge.tools.message_index import Index, candidates, index

#: The most decisive first.
RANK: dict[Weight, int] = {"stop": 0, "cause": 1, "consequence": 2, "harmless": 3}
#: A line that complains, known or not.
COMPLAINT = re.compile(
    r"\b(error|warning|fatal|failed|failure|denied|not permitted|assertion|terminate called|panic|abort(ed)?|unable|"
    r"could not|can(not|'t)|unknown|invalid|(not |un)supported|no such|not found|refused|too many)\b",
    re.IGNORECASE,
)
_MAX_LINES = 20_000
_MAX_LINE = 2_000
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Explained(NamedTuple):
    """One message found in a text: its line (number from 1), the text of the line, the values it named."""

    message: Message
    line: int
    text: str
    details: tuple[tuple[str, str], ...]

    @property
    def harmless(self) -> bool:
        """True for a message that says nothing about failure."""
        return self.message.weight == "harmless"


@cache
def _index() -> Index:
    return index([message.pattern for message in catalogue()])


@cache
def _compiled(number: int) -> re.Pattern[str]:
    return re.compile(catalogue()[number].pattern)


def recognised(line: str) -> tuple[Message, re.Match[str]] | None:
    """The first entry of the catalogue that fits a line without escapes, and where, so that a particular message hides
    the general one.
    """
    for number in candidates(_index(), line):
        if (match := _compiled(number).search(line)) is not None:
            return catalogue()[number], match
    return None


def details(match: re.Match[str]) -> tuple[tuple[str, str], ...]:
    """What the line named, by the names of the pattern's groups."""
    return tuple((name, value) for name, value in match.groupdict().items() if value is not None)


def explain(text: str) -> list[Explained]:
    """The known messages in `text`, most decisive first, each kind once (its first appearance).

    Equal weights keep the order of the text: the first complaint usually causes the next. Colours are ignored; very
    long lines and outputs are cut (2,000 characters, 20,000 lines).
    """
    found: dict[str, Explained] = {}
    for number, raw in enumerate(text.splitlines()[:_MAX_LINES], start=1):
        line = _ESCAPES.sub("", raw[:_MAX_LINE])
        known = recognised(line)
        if known is not None:
            message, match = known
            found.setdefault(message.id, Explained(message, number, line.strip(), details(match)))
    return sorted(found.values(), key=lambda one: (RANK[one.message.weight], one.line))
