"""`kdiag.fleet/1` fits its schema with every part that it can have, and the schema refuses what is no such document."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from kdiag.commands.compare import Reading
from kdiag.fleet import limits
from kdiag.fleet.json import render, schema_text
from kdiag.fleet.run import Asked, fleet
from kdiag.model import Readiness, Verdict
from tests.support.comparison_samples import broken, report
from tests.support.fleets import lines

SCHEMA = json.loads(schema_text())


def written(given: str, above: str = "", history: str = "", keys: tuple[str, ...] = ()) -> dict[str, Any]:
    with fleet(Asked([given], "", history, keys), Reading()) as one:
        judged = limits.judge(limits.parse([above]), one.fleet) if above else ()
        return dict(json.loads(render(one.fleet, one.asking, judged)))


def test_a_document_with_every_part_fits_the_schema(tmp_path: Path) -> None:
    bad = replace(broken(), verdict=Verdict(Readiness.NOT_READY, "one does not work"))
    old = lines(tmp_path / "old.jsonl", ("a", report()), ("gone", report()), site="fra")
    new = lines(tmp_path / "new.jsonl", ("a", bad), ("b", report()), ("b", report()), site="fra")
    history = str(tmp_path / "fleet.db")
    written(old, history=history)
    with Path(new).open("a", encoding="utf-8") as more:
        more.write("Connection closed\n")
    text = written(new, "not-ready=50%,unread=0", history=history, keys=("site", "kernel"))
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(text)
    empty = [name for name, value in text.items() if value in ([], {}, None, "")]
    assert empty == [], "a part that is empty is not tried"
    assert text["groups"][0]["values"] == {"site": "fra", "kernel": "6.12.1"}
    assert [m["name"] for m in text["machines"]] == ["a", "b"]
    assert text["machines"][0]["labels"] == {"site": "fra"}
    assert text["machines"][0]["causes"] == ["x.c"]
    assert [limit["over"] for limit in text["limits"]] == [False, True]
    assert list(text) == SCHEMA["required"]


def test_a_document_with_nothing_besides_machines_fits_it_and_another_document_does_not(
    tmp_path: Path,
) -> None:
    text = written(lines(tmp_path / "x.jsonl", ("a", report())))
    Draft202012Validator(SCHEMA).validate(text)
    for wrong in ({"schema": "kdiag.report/1"}, {"taken": 1}, {"machines": [{"name": "a"}]}):
        with pytest.raises(ValidationError):
            Draft202012Validator(SCHEMA).validate({**text, **wrong})
