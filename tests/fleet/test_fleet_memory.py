"""Hosts make up what they like: what is counted of it has a bound, is told, and decides nothing it should not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kdiag.commands.compare import Reading
from kdiag.console import exits
from kdiag.fleet import asking, collect, counting, database, kinds
from kdiag.fleet import html as fleet_html
from kdiag.fleet import json as fleet_json
from kdiag.fleet.limits import exit_status
from kdiag.fleet.run import Asked, fleet
from kdiag.model import Report, Status, Works
from tests.support.comparison_samples import broken, capability, finding, report
from tests.support.fleets import found, lines, write
from tests.support.held import held


def failing(number: int) -> Report:
    """`one` fails for a cause of its own."""
    return report(capability("one", Works.FAILS, f"x.{number}"), finding(f"x.{number}", Status.FAIL))


def many(path: Path, count: int, one: Callable[[int], Report]) -> str:
    return lines(path, *((f"web-{number}", one(number)) for number in range(count)))


def test_a_collection_forgets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "_REMEMBERED", 20_000)
    most = []
    with database.temporary() as base:
        one = collect._Collection(base, {})
        for number in range(400):
            summary = Reading().recogniser.of(report(finding(f"x.{number}"), release=f"6.{number}"))
            assert one.add(f"web-{number}", summary) == ""
            most.append(held(vars(one)))
    assert max(most[200:]) <= max(most[:200]) + 50


def test_causes_beyond_a_number_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST", 5)
    monkeypatch.setattr(asking, "_REMEMBERED", 5000)
    given = many(tmp_path / "all.jsonl", 20, failing)
    with fleet(Asked((given,)), Reading()) as answer:
        causes = answer.fleet.causes
        assert len(causes) == 6
        assert causes[-1].words == counting.REST
        assert (causes[-1].machines, sum(cause.machines for cause in causes)) == (15, 20)
        assert len(causes[-1].examples) == 5
        assert len(answer.asking._summaries) < 10
        # Each face has all machines, those of a cause that is not told apart, too.
        page = fleet_html.render(answer.fleet, answer.asking)
        assert counting.REST in page
        document = json.loads(fleet_json.render(answer.fleet, answer.asking))
        assert {tuple(row["causes"]) for row in document["machines"]} == {(f"x.{n}",) for n in range(20)}


def test_the_causes_of_most_machines_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST", 3)
    given = many(tmp_path / "all.jsonl", 30, lambda n: failing(n if n < 20 else 99))
    assert "x.99" in {cause.id for cause in found(given).fleet.causes}


def test_a_loss_is_not_hidden_behind_other_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST", 3)
    before = many(tmp_path / "before.jsonl", 20, lambda n: report() if n == 19 else failing(n))
    after = many(tmp_path / "after.jsonl", 20, lambda n: broken() if n == 19 else report())
    answer = found(after, since=before).fleet
    assert answer.since is not None
    assert {change.kind for change in answer.since.changes} == {"lost", "gained"}
    assert (answer.since.regressed.machines, answer.since.improved.machines) == (1, 19)
    assert exit_status(answer, ()) == exits.NOT_READY


def test_groups_beyond_a_number_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST", 4)
    given = many(tmp_path / "all.jsonl", 10, lambda n: report(release=f"6.{n}"))
    groups = found(given, keys=("kernel",)).fleet.groups
    assert (groups[0].values, groups[0].counts.machines) == (("(others)",), 6)
    assert len(groups) == 5


def test_answers_too_long_to_be_read_again_do_not_spoil_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "_LARGEST", 3000)
    long = replace(report(), findings=(finding("x.a", summary="x" * 4000),))
    given, kept = write(tmp_path / "a", good=report(), long=long), str(tmp_path / "fleet.db")
    for _ in range(2):
        answer = found(given, history=kept).fleet
        assert (answer.counts.machines, answer.unread) == (1, 1)
        ((name, why),) = answer.skipped
        assert (name, "more than 3000" in why) == ("long", True)
