"""`kdiag check --label`: into the report, and from there to `--group-by`, whatever the value is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdiag.compare.reading.summary import Reader
from kdiag.report.document import load
from kdiag.report.faces.json import render
from tests.support.fleets import found
from tests.support.typed import in_process

FIXTURE = str(Path(__file__).parents[2] / "fixtures" / "kind-node")
LABELS = {"host": "web-17", "site": 'f{r}a "x" \\ }, {', "rack": "\u00e9\u202e"}


def test_labels_go_into_the_report_and_machines_are_grouped_by_them(tmp_path: Path) -> None:
    given = [part for key, value in LABELS.items() for part in ("--label", f"{key}={value}")]
    done = in_process(["check", "--from", FIXTURE, "--config", "", *given, "--format", "json"])
    text = done.stdout
    assert json.loads(text)["labels"] == LABELS
    report = load(text)
    assert report.labels == LABELS
    assert render(report) == text
    for layout in (text, json.dumps(json.loads(text)), json.dumps(json.loads(text), separators=(",", ":"))):
        assert dict(Reader().read(layout.encode()).labels) == LABELS
    Path(tmp_path, "x.json").write_text(text, encoding="utf-8")
    fleet = found(str(tmp_path), keys=("site",)).fleet
    assert [group.values for group in fleet.groups] == [(LABELS["site"],)]


def test_of_labels_that_another_program_wrote_the_strings_are_read() -> None:
    done = in_process(["check", "--from", FIXTURE, "--config", "", "--format", "json"])
    value = {**json.loads(done.stdout), "labels": {"site": "fra", "rack": 7, "deep": {"a": ["}"]}}}
    for layout in (json.dumps(value, indent=2), json.dumps(value)):
        assert Reader().read(layout.encode()).labels == (("site", "fra"),)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("site", "--label site: expected KEY=VALUE"),
        ("site=", "expected KEY=VALUE"),
        ("a,b=1", "expected KEY=VALUE"),
        ("kernel=6.1", "a report says kernel of its machine; use another name"),
        ("site=" + "x" * 1001, "the value has 1001 characters, at most 1000 are taken"),
    ],
)
def test_a_label_that_cannot_be_grouped_by_is_a_usage_error(label: str, message: str) -> None:
    done = in_process(["check", "--from", FIXTURE, "--label", label])
    assert done.exit_code == 2
    assert message in done.stderr
