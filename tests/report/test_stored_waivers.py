"""A report that was kept says in every format what it said when it was made: with what its waivers do not count."""

from __future__ import annotations

import json
from datetime import date
from xml.etree.ElementTree import fromstring

import pytest

from kdiag.config.waivers import Waiver, apply, waivers_of
from kdiag.model import Readiness, Report
from kdiag.report.document import BadReport, load
from kdiag.report.faces import github, junit, tap
from kdiag.report.faces import json as document
from tests.support import machines
from tests.support.reports import report_on

FAR = date(2199, 12, 31)


def broken() -> Report:
    """Not ready: no tracefs."""
    return report_on(machines.unmounted(machines.bpftrace(machines.linux(), "0.23.2")).recording())


def waived(report: Report) -> Report:
    return apply(report, (Waiver("tracing.tracefs", "the next image has it", FAR),), "kdiag.toml")


def failures(report: Report) -> str:
    return fromstring(junit.render(report)).attrib["failures"]


@pytest.mark.parametrize("render", [junit.render, github.render, tap.render])
def test_the_stored_report_is_the_report(render: object) -> None:
    report = waived(broken())
    kept = load(document.render(report))
    assert callable(render)
    assert render(kept) == render(report)


def test_no_failure_where_the_status_is_ready() -> None:
    report = waived(broken())
    assert report.verdict.status is Readiness.READY and failures(broken()) != "0"
    kept = load(document.render(report))
    assert kept.verdict == report.verdict
    assert failures(kept) == "0"
    assert waivers_of(kept) == waivers_of(report)


def test_kept_twice_is_the_same() -> None:
    text = document.render(waived(broken()))
    assert document.render(load(text)) == text


def test_a_report_without_waivers_and_one_of_before_them() -> None:
    text = document.render(broken())
    data = json.loads(text)
    assert data.pop("waivers") == []
    assert load(json.dumps(data)) == load(text)


@pytest.mark.parametrize("until", ["soon", "2027-13-01", ""])
def test_a_day_that_is_none(until: str) -> None:
    data = json.loads(document.render(waived(broken())))
    data["waivers"][0]["until"] = until
    with pytest.raises(BadReport, match=r"waivers\[0\]\.until: expected a day"):
        load(json.dumps(data))
