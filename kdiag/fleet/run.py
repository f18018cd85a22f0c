"""A fleet out of what was given: read into a database, held against an earlier collection, asked."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from kdiag.compare.reading.inputs import BadInput
from kdiag.fleet import database
from kdiag.fleet.asking import Asking, Changes, as_of
from kdiag.fleet.collect import Collected, Read, collect
from kdiag.fleet.value import Fleet


class Asked(NamedTuple):
    """What to do. since: an earlier collection: reports, or a history; history: where to keep this one and what to
    compare it with; keys: to group by; labels: by machine.
    """

    given: Sequence[str]
    since: str = ""
    history: str = ""
    keys: Sequence[str] = ()
    labels: Mapping[str, Mapping[str, str]] = {}


class Found(NamedTuple):
    """The fleet, and the collection to ask more of."""

    fleet: Fleet
    asking: Asking


@contextmanager
def fleet(asked: Asked, read: Read) -> Iterator[Found]:
    """What was asked for; read: a document's summary. Raises BadInput."""
    if asked.since and asked.history:
        raise BadInput("--history compares with its last collection: leave out --since, or use --since alone")
    try:
        with _opened(asked) as base:
            yield _found(base, asked, read)
    except database.BadHistory as error:
        raise BadInput(str(error)) from None


@contextmanager
def _opened(asked: Asked) -> Iterator[sqlite3.Connection]:
    if asked.history:
        with database.history(asked.history, make=True) as base:
            yield base
        return
    with database.temporary() as base:
        if database.is_database(asked.since):
            with database.history(asked.since) as kept:
                kept.backup(base)
        yield base


def _found(base: sqlite3.Connection, asked: Asked, read: Read) -> Found:
    then = as_of(base)
    if asked.since and not then:
        before = collect(base, (asked.since,), read, asked.labels)
        if not before.machines:
            raise BadInput(f"{asked.since}: no report in it can be read", map(_told, before.skipped))
        then = before.number
    taken = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    done = collect(base, asked.given, read, asked.labels, taken)
    try:
        asking = Asking(base, done.number)
        return Found(_fleet(asking, then, done, asked, taken), asking)
    except ValueError as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{asked.history or asked.since}: {error}") from None


def _fleet(asking: Asking, then: int, done: Collected, asked: Asked, taken: str) -> Fleet:
    trend = asking.trend()
    return Fleet(
        taken=taken,
        counts=asking.counts(),
        kinds=asking.kinds,
        keys=tuple(asked.keys),
        groups=asking.groups(asked.keys),
        causes=asking.causes(),
        since=Changes(asking, then).since(asked.history or asked.since) if then else None,
        trend=trend if len(trend) > 1 else (),
        repeated=done.repeated,
        skipped=done.skipped,
        unread=done.unread,
    )


def _told(one: tuple[str, str]) -> str:
    return f"{one[0]}: {one[1]}"
