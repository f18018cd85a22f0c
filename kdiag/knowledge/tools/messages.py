"""What the messages of bpftrace, libbpf, clang, bcc and modprobe mean, and which finding to read next.

`explain(text)` takes a tool's output and returns what is recognised in it, the most decisive first: the loud
line is often not the one that matters (the RLIMIT_MEMLOCK line is printed by runs that work). The messages are data:
`catalogue` reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from kdiag.knowledge.texts.releases import Version
from kdiag.knowledge.texts.templates import fitting
from kdiag.knowledge.tools.catalogue import GENERAL, catalogue
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


#: A row, and where its pattern fits.
Fit = tuple[Message, re.Match[str]]


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


class Recognised(NamedTuple):
    """A row that fits a line. details: what the line named, by the names of the pattern's groups; since, until: the
    releases of the row's tool that print the line, None for unbounded; text: as the source has it, empty where a
    pattern fits.
    """

    message: Message
    details: tuple[tuple[str, str], ...] = ()
    since: Version | None = None
    until: Version | None = None
    text: str = ""


@cache
def patterns() -> tuple[Message, ...]:
    """The rows that have a pattern."""
    return tuple(message for message in catalogue() if message.pattern)


class Printed(NamedTuple):
    """A known message, and the names of the programs that printed it."""

    known: Explained
    programs: tuple[str, ...]


@cache
def _index() -> Index:
    return index([message.pattern for message in patterns()])


@cache
def _compiled(number: int) -> re.Pattern[str]:
    return re.compile(patterns()[number].pattern)


@cache
def _by_id() -> dict[str, Message]:
    return {message.id: message for message in catalogue()}


def recognised(line: str) -> Recognised | None:
    """The first entry of the catalogue that fits a line without escapes, so that a particular message hides the general
    one.
    """
    return next(all_recognised(line), None)


def by_pattern(line: str) -> Iterator[Fit]:
    """The rows whose pattern fits a line, in the catalogue's order."""
    for number in candidates(_index(), line):
        if (match := _compiled(number).search(line)) is not None:
            yield patterns()[number], match


def all_recognised(line: str, fits: Iterable[Fit] | None = None) -> Iterator[Recognised]:
    """Every entry that fits: the patterns in the catalogue's order, then the texts, the one that says most first, then
    what any program says (`GENERAL`). fits: what `by_pattern` gives, where that was asked already.
    """
    texts = fitting(line)
    ages = {text.row: (text.since, text.until) for text in reversed(texts)}
    seen, general = set(), []
    for message, match in by_pattern(line) if fits is None else fits:
        seen.add(message.id)
        named = tuple((name, value) for name, value in match.groupdict().items() if value is not None)
        found = Recognised(message, named, *ages.get(message.id, (message.since, message.until)))
        if message.id.startswith(GENERAL):
            general.append(found)
        else:
            yield found
    for text in texts:
        if text.row not in seen:
            seen.add(text.row)
            yield Recognised(_by_id()[text.row], (), text.since, text.until, text.text)
    yield from general


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
            found.setdefault(known.message.id, Explained(known.message, number, line.strip(), known.details))
    return sorted(found.values(), key=lambda one: (RANK[one.message.weight], one.line))
