"""What changed since an earlier collection, be it a directory, a file or a history; and what a job fails for."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from kdiag.compare.reading.inputs import BadInput
from kdiag.fleet.limits import exit_status, judge, parse
from kdiag.fleet.past import show
from kdiag.report.terminal.page import Page
from tests.support.comparison_samples import broken, report, without
from tests.support.fleets import found, lines, write


def two(tmp_path: Path) -> tuple[str, str]:
    """Yesterday: a, b and gone are well, c is broken. Today: b is broken, c is well, d is new."""
    old = write(tmp_path / "old", a=report(), b=report(), c=broken(), gone=report())
    new = write(
        tmp_path / "new", a=report(created="2026-03-01T00:00:00Z"), b=broken(), c=report(), d=report()
    )
    return old, new


@pytest.mark.parametrize("form", ["directory", "lines", "history"])
def test_regressions_come_first(form: str, tmp_path: Path) -> None:
    old, new = two(tmp_path)
    if form == "lines":
        old = lines(
            tmp_path / "old.jsonl", ("a", report()), ("b", report()), ("c", broken()), ("gone", report())
        )
    if form == "history":
        found(old, history=str(tmp_path / "h.db"))
        old = str(tmp_path / "h.db")
    since = found(new, since=old).fleet.since
    assert since is not None
    assert [(c.kind, c.id, c.machines, c.cause, c.examples, c.required) for c in since.changes] == [
        ("lost", "one", 1, "x.c", ("b",), True),
        ("gained", "one", 1, "", ("c",), True),
    ]
    assert (since.regressed.examples, since.improved.examples) == (("b",), ("c",))
    assert (since.new.examples, since.missing.examples, since.same) == (("d",), ("gone",), 1)


def test_what_a_report_no_longer_speaks_of_is_a_regression(tmp_path: Path) -> None:
    old = write(tmp_path / "old", a=report())
    since = found(write(tmp_path / "new", a=without(report(), "two")), since=old).fleet.since
    assert since is not None
    assert [(c.kind, c.id) for c in since.changes] == [("unknown", "two")]
    assert since.regressed.machines == 1


def test_a_history_says_since_when(tmp_path: Path) -> None:
    path = str(tmp_path / "h.db")
    for one in (report(), report(), broken(), broken(), report()):
        fleet = found(write(tmp_path / "now", web=one, other=report()), history=path).fleet
    assert [point.counts.machines for point in fleet.trend] == [2] * 5
    with sqlite3.connect(path) as base:
        rows = base.execute("SELECT first, last FROM seen ORDER BY machine, last").fetchall()
    assert sorted(rows) == [(1, 2), (1, 5), (3, 4), (5, 5)]
    told = show(path, "web", Page(80))
    assert told.count("since ") == 3
    assert "worked, fails: Do one" in told
    assert "x.c: c is missing" in told
    with pytest.raises(BadInput, match="no machine of this name in the history; did you mean web"):
        show(path, "wbe", Page(80))


def test_what_fails_leaves_the_history_as_it_was(tmp_path: Path) -> None:
    path = str(tmp_path / "h.db")
    found(write(tmp_path / "now", web=report()), history=path)
    with pytest.raises(BadInput):
        found(str(tmp_path / "now"), str(tmp_path / "not there"), history=path)
    fleet = found(write(tmp_path / "now", web=report()), history=path).fleet
    assert len(fleet.trend) == 2


def test_a_history_that_another_user_could_change_is_refused(tmp_path: Path) -> None:
    given = write(tmp_path / "now", web=report())
    shared = tmp_path / "shared"
    shared.mkdir()
    path = shared / "h.db"
    for mode in (0o777, 0o1777):
        os.chmod(shared, mode)
        with pytest.raises(BadInput, match="directory"):
            found(given, history=str(path))
        assert not path.exists()
    os.chmod(shared, 0o700)
    found(given, history=str(path))
    os.chmod(path, 0o666)
    with pytest.raises(BadInput, match="writable by every user"):
        found(given, history=str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"SQLite format 3\0" + b"x" * 4000, "damaged|malformed|not a database"),
        (b"{}" * 50, "not a database"),
    ],
)
def test_what_is_no_history_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=message):
        found(write(tmp_path / "now", web=report()), history=str(path))
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE seen (x)")
    base.close()
    with pytest.raises(BadInput, match="of another program"):
        found(write(tmp_path / "now", web=report()), history=str(path))


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        ("", 1),  # b lost something
        ("50%", 0),
        ("not-ready=0", 0),
        ("regressed=0", 1),
        ("regressed=1,missing=1", 0),
        ("missing=0%", 1),
        ("regressed=25%", 0),
        ("regressed=24.9%", 1),
    ],
)
def test_limits(limits: str, status: int, tmp_path: Path) -> None:
    old, new = two(tmp_path)
    fleet = found(new, since=old).fleet
    given = parse([limits] if limits else [])
    assert exit_status(fleet, judge(given, fleet)) == status


def test_a_limit_on_what_cannot_be_read(tmp_path: Path) -> None:
    given = write(tmp_path / "now", web=report())
    Path(given, "x.json").write_text("garbage")
    fleet = found(given).fleet
    assert exit_status(fleet, ()) == 2
    assert exit_status(fleet, judge(parse(["unread=50%"]), fleet)) == 0
    assert exit_status(fleet, judge(parse(["unread=0"]), fleet)) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lots", "expected a number or a share"),
        ("notready=5%", "did you mean not-ready"),
        ("101%", "from 0% to 100%"),
        ("1.5", "whole number"),
        ("-1", "expected a number"),
    ],
)
def test_limits_that_are_none(text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        parse([text])
