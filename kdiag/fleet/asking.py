"""What a collection in the database says: counts by property, causes, and what changed since an earlier one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from kdiag.compare.causes import Machine
from kdiag.compare.reading.answers import MachineSummary
from kdiag.compare.reading.inputs import BadInput
from kdiag.compare.reading.memory import Memory, within
from kdiag.compare.regressions import KINDS, changes_since
from kdiag.fleet.counting import Counting
from kdiag.fleet.kinds import summary_of, troubles
from kdiag.fleet.value import Cause, Change, Counts, Group, Names, Point, Since
from kdiag.words import did_you_mean, listed

#: Names of machines that are given as examples.
_EXAMPLES = 5
#: So many groups are told apart, and so many changes of each kind: machines can make up what they like.
MOST = 2000
_OTHERS = "(others)"
#: Bytes of what machines answered, and of their places, that are kept at hand.
_REMEMBERED = 64 * 1024 * 1024
#: What a property is called by those who group by it.
KEYS = {
    "kernel": "release",
    "distribution": "distribution",
    "arch": "arch",
    "container": "container",
    "vm": "vm",
    "bpftrace": "bpftrace",
    "user": "user",
}


class Place(NamedTuple):
    """The properties and labels of machines."""

    properties: dict[str, str]
    labels: dict[str, str]

    def value(self, key: str) -> str:
        """Of a property or a label; empty where the machine has none."""
        return self.properties.get(KEYS[key], "") if key in KEYS else self.labels.get(key, "")


class Asking:
    """Questions to one collection of a database."""

    def __init__(self, database: sqlite3.Connection, number: int) -> None:
        self.database, self.number = database, number
        self._summaries: Memory[int, MachineSummary] = Memory()
        self._places: Memory[int, Place] = Memory()

    def summary(self, kind: int) -> MachineSummary:
        """What machines of a kind answered. Raises ValueError for a damaged history."""
        known = self._summaries.get(kind)
        if known is not None:
            return known
        within(_REMEMBERED, (self._summaries, self._places))
        row = self.database.execute("SELECT content FROM kind WHERE id = ?", (kind,)).fetchone()
        found, size = summary_of(row[0] if row else b"")
        return self._summaries.keep(kind, found, 4 * size)

    def place(self, number: int) -> Place:
        """The properties and labels of machines."""
        known = self._places.get(number)
        if known is not None:
            return known
        within(_REMEMBERED, (self._summaries, self._places))
        (text,) = self.database.execute("SELECT content FROM place WHERE id = ?", (number,)).fetchone()
        return self._places.keep(number, Place(*json.loads(text)), 4 * len(text))

    def _tally(self, what: str, rest: str = "") -> sqlite3.Cursor:
        return self.database.execute(
            f"SELECT {what} FROM tally WHERE collection = ? {rest}",  # noqa: S608  words of ours
            (self.number,),
        )

    def counts(self) -> Counts:
        """By verdict."""
        found = Counts()
        for verdict, machines in self._tally("verdict, sum(machines)", "GROUP BY verdict"):
            found = found.plus(verdict, machines)
        return found

    @property
    def kinds(self) -> int:
        """How many different sets of answers."""
        return int(self._tally("count(DISTINCT kind)").fetchone()[0])

    def groups(self, keys: Sequence[str]) -> tuple[Group, ...]:
        """Machines by properties and labels, the most frequent first. Raises BadInput for a label that none has."""
        if not keys:
            return ()
        labels: set[str] = set()
        found: dict[tuple[str, ...], Counts] = {}
        rest = (_OTHERS,) * len(keys)
        for number, verdict, machines in self._tally(
            "place, verdict, sum(machines)", "GROUP BY place, verdict ORDER BY 3 DESC"
        ):
            place = self.place(number)
            values = tuple(place.value(key) for key in keys)
            values = values if values in found or len(found) < MOST else rest
            found[values] = found.get(values, Counts()).plus(verdict, machines)
            labels.update(label for label in place.labels if len(labels) < MOST or label in keys)
        for key in keys:
            if key not in KEYS and key not in labels:
                known = [*KEYS, *sorted(labels)]
                raise BadInput(
                    f"--group-by {key}: no machine has a label of this name{did_you_mean(key, known)}; "
                    f"there are {listed(known)}"
                )
        groups = [Group(values, counts) for values, counts in found.items()]
        return tuple(sorted(groups, key=lambda g: (-g.counts.machines, g.values)))

    def of_kinds(self) -> Iterator[tuple[int, int]]:
        """The kinds, the most frequent first, and how many machines each has."""
        return iter(self._tally("kind, sum(machines)", "GROUP BY kind ORDER BY 2 DESC, 1"))

    def causes(self) -> tuple[Cause, ...]:
        """Why things do not work, first what most machines wait for with something required."""
        counting = Counting()
        for kind, machines in self.of_kinds():
            counting.add(kind, machines, troubles(self.summary(kind)))
        return counting.causes(self._examples)

    def _examples(self, kinds: Sequence[int]) -> tuple[str, ...]:
        marks = ", ".join("?" * len(kinds))
        rows = self.database.execute(
            "SELECT m.name FROM seen s JOIN machine m ON m.id = s.machine"  # noqa: S608  marks of ours
            f" WHERE s.last = ? AND s.kind IN ({marks}) LIMIT ?",
            (self.number, *kinds, _EXAMPLES),
        )
        return tuple(name for (name,) in rows)

    def trend(self) -> tuple[Point, ...]:
        """The collections of the database up to this one."""
        points: dict[int, Point] = {}
        for number, taken, unread in self.database.execute(
            "SELECT id, taken, unread FROM collection WHERE id <= ? ORDER BY id", (self.number,)
        ):
            points[number] = Point(taken, Counts(), unread)
        for number, verdict, machines in self.database.execute(
            "SELECT collection, verdict, sum(machines) FROM tally GROUP BY 1, 2"
        ):
            if number in points:
                points[number] = points[number]._replace(counts=points[number].counts.plus(verdict, machines))
        return tuple(points.values())

    def machines(self) -> Iterator[tuple[str, int, int, str, str]]:
        """Every machine, by name: its kind, its place, its verdict, and since when its answers are these."""
        return iter(
            self.database.execute(
                "SELECT m.name, s.kind, s.place, s.verdict, c.taken FROM seen s JOIN machine m ON m.id = s.machine"
                " JOIN collection c ON c.id = s.first WHERE s.last = ? ORDER BY m.name",
                (self.number,),
            )
        )


class Changes:
    """Two collections of one database, the earlier one `then`."""

    #: A machine's row in the earlier collection, and in this one.
    _JOINED = "seen o JOIN seen n ON n.machine = o.machine AND n.last = :now WHERE o.first <= :then AND o.last >= :then"

    def __init__(self, now: Asking, then: int) -> None:
        self._now, self._then = now, Asking(now.database, then)
        self._values = {"now": now.number, "then": then, "few": _EXAMPLES}

    def since(self, name: str) -> Since:
        """All that changed, regressions first. name: of what the earlier collection was read from."""
        (taken,) = self._run("SELECT taken FROM collection WHERE id = :then").fetchone()
        changes = _Changed()
        worse, better = _Pairs(), _Pairs()
        alike = 0
        for old, new, machines in self._run(
            f"SELECT o.kind, n.kind, count(*) FROM {self._JOINED} GROUP BY o.kind, n.kind ORDER BY 3 DESC, 1, 2"  # noqa: S608
        ):
            if old == new:
                alike += machines
                continue
            found = tuple(self._changes(old, new, machines))
            changes.add(found)
            kinds = {change.kind for change in found}
            if kinds & {"lost", "unknown"}:
                worse.add(old, new, machines)
            elif "gained" in kinds:
                better.add(old, new, machines)
        there = "SELECT 1 FROM seen n WHERE n.machine = o.machine AND n.last = :now"
        before = "SELECT 1 FROM seen o WHERE o.machine = n.machine AND o.first <= :then AND o.last >= :then"
        return Since(
            name=name,
            taken=taken,
            counts=self._then.counts(),
            changes=changes.sorted(),
            regressed=self._of_pairs(worse),
            improved=self._of_pairs(better),
            fell=self._names(f"{self._JOINED} AND o.verdict = 'ready' AND n.verdict <> 'ready'", "o"),
            new=self._names(f"seen n WHERE n.last = :now AND NOT EXISTS ({before})", "n"),
            missing=self._names(
                f"seen o WHERE o.first <= :then AND o.last >= :then AND NOT EXISTS ({there})", "o"
            ),
            same=alike,
        )

    def _changes(self, old: int, new: int, machines: int) -> Iterator[Change]:
        before, after = self._then.summary(old), self._now.summary(new)
        examples: tuple[str, ...] = ()
        for one in changes_since(Machine(before), [("", machines, Machine(after))]):
            examples = examples or self._of_pairs(_Pairs(machines, [(old, new)])).examples
            root = one.chain[-1] if one.chain else None
            yield Change(
                one.kind,
                one.id,
                one.title,
                one.was,
                one.now,
                one.id in after.required,
                machines,
                root.summary if root else one.because,
                root.id if root else "",
                one.next,
                examples,
            )

    def _of_pairs(self, pairs: _Pairs) -> Names:
        examples: list[str] = []
        for old, new in pairs.first:
            rows = self._run(
                f"SELECT m.name FROM {self._JOINED.replace('WHERE', 'JOIN machine m ON m.id = o.machine WHERE')}"  # noqa: S608
                f" AND o.kind = {old:d} AND n.kind = {new:d} LIMIT :few"
            )
            examples += [name for (name,) in rows]
            if len(examples) >= _EXAMPLES:
                break
        return Names(pairs.machines, tuple(examples[:_EXAMPLES]))

    def _names(self, of: str, side: str) -> Names:
        (count,) = self._run(f"SELECT count(*) FROM {of}").fetchone()  # noqa: S608
        rows = self._run(
            f"SELECT (SELECT name FROM machine WHERE id = {side}.machine) FROM {of} LIMIT :few"  # noqa: S608
        )
        return Names(count, tuple(name for (name,) in rows))

    def _run(self, statement: str) -> sqlite3.Cursor:
        return self._now.database.execute(statement, self._values)


@dataclass
class _Pairs:
    """Machines that answer otherwise than before: how many, and the first kinds that they had and have."""

    machines: int = 0
    first: list[tuple[int, int]] = field(default_factory=list)

    def add(self, old: int, new: int, machines: int) -> None:
        """Some more machines."""
        self.machines += machines
        if len(self.first) < _EXAMPLES:
            self.first.append((old, new))


class _Changed:
    """The same change for the same cause once."""

    def __init__(self) -> None:
        self._found: dict[str, dict[tuple[str, str], Change]] = {kind: {} for kind in KINDS}

    def add(self, changes: Iterable[Change]) -> None:
        """What changed on some machines."""
        for one in changes:
            found, key = self._found[one.kind], (one.id, one.cause)
            before = found.get(key)
            if before is not None:
                found[key] = before._replace(
                    machines=before.machines + one.machines,
                    required=before.required or one.required,
                    examples=(*before.examples, *one.examples)[:_EXAMPLES],
                    next=before.next or one.next,
                )
            elif len(found) < MOST:
                found[key] = one

    def sorted(self) -> tuple[Change, ...]:
        """The worst first, what is required before the rest."""
        every = [change for found in self._found.values() for change in found.values()]
        return tuple(sorted(every, key=lambda c: (KINDS.index(c.kind), not c.required, -c.machines, c.id)))


def as_of(database: sqlite3.Connection) -> int:
    """The number of the newest collection, 0 without any."""
    return int(database.execute("SELECT coalesce(max(id), 0) FROM collection").fetchone()[0])
