"""A collection of reports as a value: how many machines are ready, by which properties, why not, and since when."""

from __future__ import annotations

from typing import NamedTuple

#: In this order, everywhere.
VERDICTS = ("ready", "not-ready", "unknown")


class Counts(NamedTuple):
    """Machines by the verdict of their reports."""

    ready: int = 0
    not_ready: int = 0
    unknown: int = 0

    @property
    def machines(self) -> int:
        """All of them."""
        return sum(self)

    def plus(self, verdict: str, count: int) -> Counts:
        """With `count` more of this verdict."""
        at = VERDICTS.index(verdict)
        return Counts(*(n + count if i == at else n for i, n in enumerate(self)))


class Group(NamedTuple):
    """Machines that have these values of the properties that were asked for."""

    values: tuple[str, ...]
    counts: Counts


class Waiting(NamedTuple):
    """A capability that a cause keeps from working. required: whether a verdict is about it."""

    id: str
    title: str
    machines: int
    required: bool


class Cause(NamedTuple):
    """Why something does not work. id: of the finding at the root, empty where none explains it; words: its most
    frequent ones, `wordings` in all; required: machines on which something required waits for it; examples: of names;
    next: a command that repairs it.
    """

    id: str
    words: str
    wordings: int
    machines: int
    required: int
    waiting: tuple[Waiting, ...]
    examples: tuple[str, ...]
    next: str


class Change(NamedTuple):
    """What became of a capability on some machines since the earlier collection. kind: as of
    kdiag.compare.value.Change. required: whether the verdict is about it.
    """

    kind: str
    id: str
    title: str
    was: str
    now: str
    required: bool
    machines: int
    because: str
    cause: str
    next: str
    examples: tuple[str, ...]


class Names(NamedTuple):
    """How many machines, and the first few names."""

    machines: int
    examples: tuple[str, ...]


class Since(NamedTuple):
    """The earlier collection, and what changed. name: what it was read from; regressed: machines on which something
    that worked fails now, or cannot be told; missing: those that were in it and are not in this one; unread: whether
    inputs could not be read, so that some of the missing may be among them.
    """

    name: str
    taken: str
    counts: Counts
    changes: tuple[Change, ...]
    regressed: Names
    improved: Names
    fell: Names
    new: Names
    missing: Names
    same: int


class Point(NamedTuple):
    """One collection of a history."""

    taken: str
    counts: Counts
    unread: int


class Fleet(NamedTuple):
    """A collection. kinds: how many different sets of answers; keys: the properties that `groups` are by; repeated:
    reports of machines that another report was newer of; trend: the collections of the history, the oldest first.
    """

    taken: str
    counts: Counts
    kinds: int
    keys: tuple[str, ...]
    groups: tuple[Group, ...]
    causes: tuple[Cause, ...]
    since: Since | None
    trend: tuple[Point, ...]
    repeated: int
    skipped: tuple[tuple[str, str], ...] = ()
    unread: int = 0
