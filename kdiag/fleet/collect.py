"""Reports into the database, one after the other: one collection. Memory grows with the number of different answers,
not with the number of machines.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from kdiag.compare.grouping import properties
from kdiag.compare.reading.answers import MachineSummary
from kdiag.compare.reading.inputs import SUFFIXES, BadInput, Document, Unread, documents, paths
from kdiag.compare.reading.memory import Memory, within
from kdiag.compare.reading.stream import Recogniser
from kdiag.compare.value import PROPERTIES
from kdiag.fleet.database import stored
from kdiag.fleet.kinds import content, digest

#: The label that names a machine, where reports are not one to a file of its name.
HOST = "host"
#: Bytes of answers and places that are looked up without asking the database.
_REMEMBERED = 16 * 1024 * 1024


class Read(Protocol):
    """Reads documents; recogniser: knows some of them where they stand in a stream."""

    @property
    def recogniser(self) -> Recogniser | None: ...
    def __call__(self, document: Document) -> MachineSummary:
        """What a document says. Raises BadInput."""


class Collected(NamedTuple):
    """What became of the inputs. number: of the collection in the database; repeated: reports that a newer one of the
    same machine was preferred to; unread: how many could not be read, `skipped`: the first of them, with the reason.
    """

    number: int
    machines: int
    repeated: int
    unread: int
    skipped: tuple[tuple[str, str], ...]


def collect(
    database: sqlite3.Connection,
    given: Sequence[str],
    read: Read,
    labels: Mapping[str, Mapping[str, str]],
    taken: str = "",
) -> Collected:
    """Put what is given into the database as its newest collection, all of it or nothing. read: a document's summary;
    labels: by the name of a machine; taken: when, else when the newest report was made. Raises BadInput for what is not
    there.
    """
    database.execute("BEGIN IMMEDIATE")
    try:
        one = _Collection(database, labels)
        unread = Unread()
        for name, found in summaries(given, read):
            problem = found if isinstance(found, str) else one.add(name, found)
            if problem:
                unread.add(name, problem)
        one.finish(taken, unread.count)
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
    return Collected(one.number, one.machines, one.repeated, unread.count, tuple(unread.told))


def summaries(given: Sequence[str], read: Read) -> Iterator[tuple[str, MachineSummary | str]]:
    """The names of machines with what they answered, or with the reason why that cannot be read."""
    for start in given:
        base = start.rstrip("/") + "/" if os.path.isdir(start) else ""
        for path in paths((start,)):
            try:
                for document in documents(path, read.recogniser):
                    try:
                        yield _name(document.name, base), read(document)
                    except BadInput as bad:
                        yield document.name, str(bad)
            except BadInput as bad:
                yield path, str(bad)


def _name(document: str, base: str) -> str:
    """A machine's name: that of its file, with the directories below the one that was given."""
    name = document.removeprefix(base) if base else os.path.basename(document)
    return next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)


class _Collection:
    """The newest collection while it is read."""

    def __init__(self, database: sqlite3.Connection, labels: Mapping[str, Mapping[str, str]]) -> None:
        self._database, self._labels = database, labels
        self.before: int = database.execute("SELECT coalesce(max(id), 0) FROM collection").fetchone()[0]
        self.number = self.before + 1
        self.machines = self.repeated = 0
        self._newest = ""
        self._now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._kinds: Memory[tuple[object, ...], int] = Memory()
        self._places: Memory[tuple[object, ...], int] = Memory()

    def add(self, name: str, summary: MachineSummary) -> str:
        """One more machine; why it cannot be kept, "" if it can."""
        within(_REMEMBERED, (self._kinds, self._places))
        own = dict(summary.labels)
        name = stored(own.pop(HOST, "") or name)
        try:
            row = (self._kind(summary), self._place(name, summary, own), summary.verdict.value)
        except BadInput as bad:
            return str(bad)
        created = stored(summary.created)
        self._newest = max(self._newest, created) if summary.created <= self._now else self._newest
        new = self._database.execute("INSERT OR IGNORE INTO machine (name) VALUES (?)", (name,))
        if new.rowcount:
            self.machines += 1
            self._insert(new.lastrowid or 0, row, created)
            return ""
        (machine,) = self._database.execute("SELECT id FROM machine WHERE name = ?", (name,)).fetchone()
        if self._is_newer(machine, created):
            self._put(machine, row, created)
        return ""

    def finish(self, taken: str, unread: int) -> None:
        """Count what there is."""
        run = self._database.execute
        run("INSERT INTO collection VALUES (?, ?, ?)", (self.number, taken or self._newest, unread))
        run(
            "INSERT INTO tally SELECT last, kind, place, verdict, count(*) FROM seen WHERE last = ?"
            " GROUP BY kind, place, verdict",
            (self.number,),
        )

    def _is_newer(self, machine: int, created: str) -> bool:
        """Whether this is the machine's first report in this collection, or newer than the one before, which goes."""
        row = self._database.execute(
            "SELECT first, created FROM seen WHERE machine = ? AND last = ?", (machine, self.number)
        ).fetchone()
        if row is None:
            self.machines += 1
            return True
        self.repeated += 1
        first, before = row
        if created < before:
            return False
        how = "DELETE FROM seen" if first == self.number else "UPDATE seen SET last = last - 1"
        self._database.execute(f"{how} WHERE machine = ? AND last = ?", (machine, self.number))
        return True

    def _put(self, machine: int, row: tuple[int, int, str], created: str) -> None:
        """Say that the machine's answers are the same as before, or what they are now."""
        run = self._database.execute
        longer = run(
            "UPDATE seen SET last = ?, created = ? WHERE machine = ? AND last = ? AND kind = ? AND place = ?"
            " AND verdict = ?",
            (self.number, created, machine, self.before, *row),
        )
        if not longer.rowcount:
            self._insert(machine, row, created)

    def _insert(self, machine: int, row: tuple[int, int, str], created: str) -> None:
        self._database.execute(
            "INSERT INTO seen VALUES (?, ?, ?, ?, ?, ?, ?)",
            (machine, self.number, self.number, *row, created),
        )

    def _kind(self, summary: MachineSummary) -> int:
        key = summary.answers, summary.required
        found = self._kinds.get(key)
        if found is None:
            found = self._known("kind", "digest", digest(summary), lambda: content(summary))
            self._kinds.keep(key, found, sum(map(len, summary.required)) + 8 * len(summary.required))
        return found

    def _place(self, name: str, summary: MachineSummary, own: dict[str, str]) -> int:
        values = properties(summary.machine)
        more = {**own, **self._labels.get(name, {})}
        key = (*values, *sorted(more.items()))
        found = self._places.get(key)
        if found is None:
            text = json.dumps([dict(zip(PROPERTIES, values, strict=True)), more], sort_keys=True)
            found = self._places.keep(key, self._known("place", "content", text, None), 2 * len(text))
        return found

    def _known(self, table: str, key: str, value: object, rest: Callable[[], bytes] | None) -> int:
        """The number of a row, made where there is none."""
        run = self._database.execute
        row = run(f"SELECT id FROM {table} WHERE {key} = ?", (value,)).fetchone()  # noqa: S608  names of ours
        if row is not None:
            return int(row[0])
        values = (value,) if rest is None else (value, rest())
        marks = ", ".join("?" for _ in values)
        return run(f"INSERT INTO {table} VALUES (NULL, {marks})", values).lastrowid or 0  # noqa: S608
