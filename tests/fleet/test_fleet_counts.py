"""A fleet is counted by verdict, property, label and cause; what cannot be read is named, and the rest goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kdiag.compare.reading.inputs import BadInput
from kdiag.fleet import labels
from kdiag.fleet.value import Counts
from kdiag.model import Readiness, Report, Verdict
from kdiag.report.faces.json import render
from kdiag.report.terminal.page import Page
from tests.support.comparison_samples import broken, report
from tests.support.fleets import found, lines, write


def not_ready(one: Report) -> Report:
    return replace(one, verdict=Verdict(Readiness.NOT_READY, "one does not work"))


def test_machines_are_counted_by_verdict_property_and_cause(tmp_path: Path) -> None:
    given = write(
        tmp_path / "a",
        web_1=report(),
        web_2=report(release="5.10"),
        db_1=not_ready(broken()),
        db_2=not_ready(broken()),
    )
    fleet = found(given, keys=("kernel",)).fleet
    assert fleet.counts == Counts(2, 2, 0)
    assert fleet.kinds == 2
    assert [(g.values, g.counts) for g in fleet.groups] == [
        (("6.12.1",), Counts(1, 2, 0)),
        (("5.10",), Counts(1, 0, 0)),
    ]
    (cause,) = fleet.causes
    assert (cause.id, cause.words, cause.machines, cause.required) == ("x.c", "c is missing", 2, 2)
    assert cause.examples == ("db-1", "db-2")
    assert cause.next == "sudo repair c"


def test_a_name_and_labels_come_from_the_report_or_a_file(tmp_path: Path) -> None:
    given = lines(tmp_path / "all.jsonl", ("web-1", report()), ("db-1", broken()), site="fra")
    fleet = found(given, keys=("site", "distribution")).fleet
    assert [group.values for group in fleet.groups] == [("fra", "Debian 13")]
    assert fleet.causes[0].examples == ("db-1",)
    Path(tmp_path, "l.csv").write_text("machine,role\nweb-1,web\ndb-1,db\n")
    assert labels.read(str(tmp_path / "l.csv")) == {"web-1": {"role": "web"}, "db-1": {"role": "db"}}
    with pytest.raises(BadInput, match="no machine has a label of this name; did you mean site"):
        found(given, keys=("sites",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("machine\nweb-1\n", "expected a header"),
        ("machine,site\nweb-1\n", "line 2 has 1 fields, the header has 2"),
        ('{"web-1": 7}', "expected an object of strings"),
        ("{", "not JSON"),
    ],
)
def test_a_file_of_labels_that_is_none(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_text(content)
    with pytest.raises(BadInput, match=message):
        labels.read(str(path))


HOSTILE = {
    "garbage": b"ssh: connect to host web-7 port 22: No route to host\n",
    "half": render(report()).encode()[:2000],
    "empty": b"",
    "old": b'{"schema": "kdiag.report/0"}\n',
    "newer": render(report()).replace("kdiag.report/1", "kdiag.report/2").encode(),
    "deep": b"[" * 100_000,
    "escapes": b'{"schema": "\\u001b]0;owned\\u0007\\u001b[31m"}\n',
    "binary": bytes(range(256)) * 20,
    "deep in a report": (render(report())[:-3] + ', "x": ' + "[" * 100_000 + "\n}\n").encode(),
    "a NUL in a string": render(report()).encode().replace(b"Debian", b"Deb\0ian"),
    "a number of 5,000 digits": (render(report())[:-3] + ', "x": 1' + "0" * 5000 + "\n}\n").encode(),
    "a number beyond all numbers": render(report()).encode().replace(b'"2026-01-01T00:00:00Z"', b"1e400"),
    "an id twice": render(report()).replace('"id": "x.b"', '"id": "x.a"').encode(),
    "many": json.dumps(
        {**json.loads(render(report())), "capabilities": [{"id": f"c{n}"} for n in range(100_000)]}
    ).encode(),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_bad_host_is_named_and_the_rest_goes_on(kind: str, tmp_path: Path) -> None:
    given = write(tmp_path / "a", a_1=report(), z_1=broken())
    Path(given, "m-1.json").write_bytes(HOSTILE[kind])
    fleet = found(given).fleet
    assert fleet.counts.machines == 2
    assert fleet.unread == 1
    ((name, why),) = fleet.skipped
    assert name.startswith(f"{given}/m-1.json")
    assert why
    from kdiag.fleet.text import render as text

    told = text(fleet, Page(80))
    assert "m-1.json" in told.replace("\n", "")
    assert told.replace("\n", "").isprintable()


def test_of_a_key_that_is_there_twice_the_last_counts_in_every_layout(tmp_path: Path) -> None:
    """As every reader of JSON has it: two programs must not read two verdicts out of one report."""
    bad = json.loads(render(not_ready(report())))["verdict"]
    twice = render(report())[:-3] + ',\n  "verdict": ' + json.dumps(bad) + "\n}\n"
    given = tmp_path / "a"
    given.mkdir()
    Path(given, "own.json").write_text(twice)
    Path(given, "line.json").write_text(twice.replace("\n", " ") + "\n")
    fleet = found(str(given)).fleet
    assert (fleet.counts, fleet.unread) == (Counts(0, 2, 0), 0)


def test_of_two_reports_of_a_machine_the_newer_counts(tmp_path: Path) -> None:
    old, new = report(created="2026-01-01T00:00:00Z"), not_ready(broken())
    new = replace(new, created="2026-02-01T00:00:00Z")
    for order in ([("a", old), ("a", new)], [("a", new), ("a", old)]):
        fleet = found(lines(tmp_path / "x.jsonl", *order)).fleet
        assert (fleet.counts, fleet.repeated) == (Counts(0, 1, 0), 1)
