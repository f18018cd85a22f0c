"""What a collection in the database says: counts by property, causes, and what changed since an earlier one."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from kdiag.compare.causes import Machine
from kdiag.compare.reading.answers import MachineSummary
from kdiag.compare.reading.inputs import BadInput
from kdiag.compare.regressions import KINDS, changes_since
from kdiag.fleet.kinds import Trouble, summary_of, troubles
from kdiag.fleet.value import Cause, Change, Counts, Group, Names, Point, Since, Waiting
from kdiag.words import did_you_mean, listed

#: Names of machines that are given as examples.
_EXAMPLES = 5
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
        self._summaries: dict[int, MachineSummary] = {}
        self.tally: list[tuple[int, int, str, int]] = database.execute(
            "SELECT kind, place, verdict, machines FROM tally WHERE collection = ?", (number,)
        ).fetchall()

    def summary(self, kind: int) -> MachineSummary:
        """What machines of a kind answered. Raises ValueError for a damaged history."""
        if kind not in self._summaries:
            row = self.database.execute("SELECT content FROM kind WHERE id = ?", (kind,)).fetchone()
            self._summaries[kind] = summary_of(row[0] if row else b"")
        return self._summaries[kind]

    def counts(self) -> Counts:
        """By verdict."""
        found = Counts()
        for _, _, verdict, machines in self.tally:
            found = found.plus(verdict, machines)
        return found

    @property
    def kinds(self) -> int:
        """How many different sets of answers."""
        return len({kind for kind, *_ in self.tally})

    def places(self) -> dict[int, Place]:
        """The places of this collection."""
        rows = self.database.execute(
            "SELECT DISTINCT p.id, p.content FROM tally t JOIN place p ON p.id = t.place WHERE t.collection = ?",
            (self.number,),
        )
        return {number: Place(*json.loads(text)) for number, text in rows}

    def groups(self, keys: Sequence[str]) -> tuple[Group, ...]:
        """Machines by properties and labels, the most frequent first. Raises BadInput for a label that none has."""
        if not keys:
            return ()
        places = self.places()
        labels = {name for place in places.values() for name in place.labels}
        for key in keys:
            if key not in KEYS and key not in labels:
                known = [*KEYS, *sorted(labels)]
                raise BadInput(
                    f"--group-by {key}: no machine has a label of this name{did_you_mean(key, known)}; "
                    f"there are {listed(known)}"
                )
        found: dict[tuple[str, ...], Counts] = {}
        for _, place, verdict, machines in self.tally:
            values = tuple(places[place].value(key) for key in keys)
            found[values] = found.get(values, Counts()).plus(verdict, machines)
        groups = [Group(values, counts) for values, counts in found.items()]
        return tuple(sorted(groups, key=lambda g: (-g.counts.machines, g.values)))

    def of_kinds(self) -> Counter[int]:
        """How many machines each kind has."""
        found: Counter[int] = Counter()
        for kind, _, _, machines in self.tally:
            found[kind] += machines
        return found

    def causes(self) -> tuple[Cause, ...]:
        """Why things do not work, first what most machines wait for with something required."""
        waiting: dict[tuple[str, str], list[tuple[int, int, Trouble]]] = {}
        for kind, machines in self.of_kinds().items():
            for trouble in troubles(self.summary(kind)):
                # Without a finding at the root, what the capability itself says is the cause.
                key = (trouble.cause, "" if trouble.cause else trouble.words)
                waiting.setdefault(key, []).append((kind, machines, trouble))
        found = [self._cause(key[0], some) for key, some in waiting.items()]
        return tuple(sorted(found, key=lambda c: (-c.required, -c.machines, c.id)))

    def _cause(self, cause: str, some: Sequence[tuple[int, int, Trouble]]) -> Cause:
        every = {kind: machines for kind, machines, _ in some}
        required = {kind: machines for kind, machines, trouble in some if trouble.required}
        words: Counter[str] = Counter()
        blocked: dict[str, Waiting] = {}
        for _, machines, trouble in some:
            words[trouble.words] += machines
            before = blocked.get(trouble.id, Waiting(trouble.id, trouble.title, 0, required=False))
            blocked[trouble.id] = before._replace(
                machines=before.machines + machines, required=before.required or trouble.required
            )
        return Cause(
            cause,
            words.most_common(1)[0][0],
            len(words),
            sum(every.values()),
            sum(required.values()),
            tuple(sorted(blocked.values(), key=lambda w: (not w.required, -w.machines))),
            self._examples(required or every),
            next((trouble.next for _, _, trouble in some if trouble.next), ""),
        )

    def _examples(self, kinds: Iterable[int]) -> tuple[str, ...]:
        some = sorted(kinds)[:50]
        marks = ", ".join("?" * len(some))
        return self._names(f"s.last = ? AND s.kind IN ({marks})", (self.number, *some), _EXAMPLES)

    def _names(self, where: str, values: Sequence[object], most: int) -> tuple[str, ...]:
        rows = self.database.execute(
            f"SELECT m.name FROM seen s JOIN machine m ON m.id = s.machine WHERE {where} LIMIT ?",  # noqa: S608
            (*values, most),
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
        pairs: list[tuple[int, int, int]] = self._run(
            f"SELECT o.kind, n.kind, count(*) FROM {self._JOINED} GROUP BY o.kind, n.kind"  # noqa: S608
        ).fetchall()
        changed = [pair for pair in pairs if pair[0] != pair[1]]
        by_pair = {pair[:2]: tuple(self._changes(*pair)) for pair in changed}
        worse = [p for p in changed if any(c.kind in ("lost", "unknown") for c in by_pair[p[:2]])]
        better = [p for p in changed if p not in worse and any(c.kind == "gained" for c in by_pair[p[:2]])]
        there = "SELECT 1 FROM seen n WHERE n.machine = o.machine AND n.last = :now"
        before = "SELECT 1 FROM seen o WHERE o.machine = n.machine AND o.first <= :then AND o.last >= :then"
        return Since(
            name=name,
            taken=taken,
            counts=self._then.counts(),
            changes=tuple(_merged(change for some in by_pair.values() for change in some)),
            regressed=self._of_pairs(worse),
            improved=self._of_pairs(better),
            fell=self._names(f"{self._JOINED} AND o.verdict = 'ready' AND n.verdict <> 'ready'", "o"),
            new=self._names(f"seen n WHERE n.last = :now AND NOT EXISTS ({before})", "n"),
            missing=self._names(
                f"seen o WHERE o.first <= :then AND o.last >= :then AND NOT EXISTS ({there})", "o"
            ),
            same=sum(pair[2] for pair in pairs) - sum(pair[2] for pair in changed),
        )

    def _changes(self, old: int, new: int, machines: int) -> Iterator[Change]:
        before, after = self._then.summary(old), self._now.summary(new)
        examples: tuple[str, ...] = ()
        for one in changes_since(Machine(before), [("", machines, Machine(after))]):
            examples = examples or self._of_pairs([(old, new, machines)]).examples
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

    def _of_pairs(self, pairs: Sequence[tuple[int, int, int]]) -> Names:
        examples: list[str] = []
        for old, new, _ in pairs:
            if len(examples) >= _EXAMPLES:
                break
            rows = self._run(
                f"SELECT m.name FROM {self._JOINED.replace('WHERE', 'JOIN machine m ON m.id = o.machine WHERE')}"  # noqa: S608
                f" AND o.kind = {old:d} AND n.kind = {new:d} LIMIT :few"
            )
            examples += [name for (name,) in rows]
        return Names(sum(pair[2] for pair in pairs), tuple(examples[:_EXAMPLES]))

    def _names(self, of: str, side: str) -> Names:
        (count,) = self._run(f"SELECT count(*) FROM {of}").fetchone()  # noqa: S608
        rows = self._run(
            f"SELECT (SELECT name FROM machine WHERE id = {side}.machine) FROM {of} LIMIT :few"  # noqa: S608
        )
        return Names(count, tuple(name for (name,) in rows))

    def _run(self, statement: str) -> sqlite3.Cursor:
        return self._now.database.execute(statement, self._values)


def _merged(changes: Iterable[Change]) -> list[Change]:
    """The same change for the same cause once, the worst first, what is required before the rest."""
    found: dict[tuple[str, str, str], Change] = {}
    for one in changes:
        key = (one.kind, one.id, one.cause)
        before = found.get(key)
        if before is None:
            found[key] = one
        else:
            found[key] = before._replace(
                machines=before.machines + one.machines,
                required=before.required or one.required,
                examples=(*before.examples, *one.examples)[:_EXAMPLES],
                next=before.next or one.next,
            )
    return sorted(found.values(), key=lambda c: (KINDS.index(c.kind), not c.required, -c.machines, c.id))


def as_of(database: sqlite3.Connection) -> int:
    """The number of the newest collection, 0 without any."""
    return int(database.execute("SELECT coalesce(max(id), 0) FROM collection").fetchone()[0])
