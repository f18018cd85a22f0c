"""What a history says: its collections, and since when a machine answers as it does."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from kdiag.compare.causes import Machine
from kdiag.compare.reading.inputs import BadInput
from kdiag.compare.regressions import changes_since
from kdiag.compare.value import Change
from kdiag.fleet import database
from kdiag.fleet.asking import Asking, as_of
from kdiag.fleet.text import machines, when
from kdiag.fleet.value import Point
from kdiag.model import Works
from kdiag.report.terminal.page import Page
from kdiag.words import did_you_mean

_VERDICTS = {"ready": "ready", "not-ready": "not ready", "unknown": "cannot tell"}
_KINDS = {
    "lost": "worked, fails",
    "unknown": "worked, cannot be told",
    "worse": "works with a caveat",
    "gained": "works",
}


def show(path: str, machine: str, page: Page) -> str:
    """The collections, or what became of one machine, as text. Raises BadInput."""
    try:
        with database.history(path) as base:
            lines = (
                _machine(base, machine, page)
                if machine
                else _collections(Asking(base, as_of(base)).trend(), page)
            )
            return "\n".join(line.rstrip() for line in lines) + "\n"
    except database.BadHistory as error:
        raise BadInput(str(error)) from None
    except BadInput:
        raise
    except ValueError as error:
        raise BadInput(f"{path}: {error}") from None


def _collections(points: tuple[Point, ...], page: Page) -> Iterator[str]:
    if not points:
        yield "no collection yet"
        return
    yield page.paint(
        f"{'collection':<18}{'machines':>10}{'ready':>10}{'not ready':>11}{'cannot tell':>13}{'not read':>10}",
        "bold",
    )
    for one in points:
        counts = one.counts
        yield (
            f"{when(one.taken):<18}{counts.machines:>10,}{counts.ready:>10,}{counts.not_ready:>11,}"
            f"{counts.unknown:>13,}{one.unread:>10,}"
        )


def _machine(base: sqlite3.Connection, name: str, page: Page) -> Iterator[str]:
    rows = base.execute(
        "SELECT s.kind, s.verdict, s.first, s.last, a.taken, z.taken FROM seen s JOIN machine m ON m.id = s.machine"
        " JOIN collection a ON a.id = s.first JOIN collection z ON z.id = s.last WHERE m.name = ? ORDER BY s.last",
        (database.stored(name),),
    ).fetchall()
    if not rows:
        some = [known for (known,) in base.execute("SELECT name FROM machine LIMIT 10000")]
        raise BadInput(f"{name}: no machine of this name in the history{did_you_mean(name, some)}")
    asking = Asking(base, as_of(base))
    yield page.paint(page.clean(name), "bold")
    before = None
    for kind, judged, first, last, since, until in rows:
        gone = "" if last == asking.number else f" until {when(until)}"
        many = last - first + 1
        verdict = _VERDICTS.get(judged, "cannot tell")
        yield f"  since {when(since)}{gone}  {verdict} ({many} collection{'s' * (many > 1)})"
        now = Machine(asking.summary(kind))
        if before is not None:
            yield from _changes(tuple(changes_since(before, [("", 1, now)])), page)
        before = now
    latest = rows[-1]
    if latest[3] != asking.number:
        yield f"  not in the newest collection, of {machines(asking.counts().machines)}"


def _changes(changes: Sequence[Change], page: Page) -> Iterator[str]:
    """What became of a machine: things that changed alike for the same cause together."""
    alike: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        root = change.chain[-1] if change.chain else None
        words = f"{root.id}: {root.summary}" if root else change.because
        alike.setdefault((change.kind, words if change.kind != "gained" else ""), []).append(change)
    for (kind, words), some in alike.items():
        mark = page.works_mark(Works(some[0].now or "unknown"))
        titles = ", ".join(change.title for change in some)
        first, *rest = page.text(f"{_KINDS[kind]}: {titles}", 6)
        yield f"    {mark} {first.strip()}"
        yield from rest
        yield from page.text(words, 8) if words else ()
