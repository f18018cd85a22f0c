"""Waivers change the verdict, never what was found, and are always told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from kdiag.config.waivers import Waiver, apply, in_force, waivers_of
from kdiag.model import Capability, Readiness, Report, Status, Works
from kdiag.report.story.grade import Grade, grades
from tests.support.report_samples import everything, finding, live, waived

DAY = date(2030, 6, 30)


def waiver(name: str) -> Waiver:
    return Waiver(name, f"reason for {name}", DAY)


def test_without_waivers_it_is_the_same_report() -> None:
    report = everything()
    assert apply(report, ()) is report and waivers_of(report) == ()


def test_a_waived_capability_does_not_count() -> None:
    report = waived("broken")
    assert report.verdict.status is Readiness.UNKNOWN, "`unsure` is left"
    assert report.verdict.summary.endswith("; waived: broken until 2030-06-30 (reason for broken)")
    both = waived("broken", "unsure")
    assert both.verdict.status is Readiness.READY
    assert both.verdict.summary.startswith("all 2 required capabilities work")
    assert both.verdict.summary.endswith(
        "; waived: broken until 2030-06-30 (reason for broken), unsure until 2030-06-30 (reason for unsure)"
    )


def test_what_was_found_stays() -> None:
    assert _facts(waived("broken", "unsure", "a.root")) == _facts(everything())


def test_a_waived_cause_waives_what_it_explains() -> None:
    report = waived("a.root")
    assert set(in_force(report).capabilities) == {"broken"}
    assert in_force(report).capabilities["broken"].id == "a.root"
    assert report.verdict.summary.endswith(
        "; waived: broken through a.root until 2030-06-30 (reason for a.root)"
    )
    assert report.verdict.status is Readiness.UNKNOWN
    assert waived("a.root", "c.unknown").verdict.status is Readiness.READY


def test_a_waived_symptom_does_not_waive_another_reason() -> None:
    report = waived("a.symptom")
    assert "broken" not in in_force(report).capabilities, "a.root decides as well"
    assert report.verdict == everything().verdict


def test_a_second_reason_keeps_a_capability_from_being_waived() -> None:
    base = everything()
    both = Capability("broken", "Broken", "bpftrace", Works.FAILS, "two reasons", ("a.root", "d.other"))
    report = replace(base, capabilities=(base.capabilities[0], both), required=("works", "broken"))
    assert apply(report, (waiver("a.root"),)).verdict == report.verdict
    assert apply(report, (waiver("a.root"), waiver("d.other"))).verdict.status is Readiness.READY


def test_all_causes_must_be_waived() -> None:
    base = everything()
    findings = (
        finding("x", Status.FAIL, "y", "z"),
        finding("y", Status.FAIL),
        finding("z", Status.FAIL),
    )
    wanted = Capability("c", "C", "bpftrace", Works.FAILS, "", ("x",))
    report = replace(base, findings=findings, capabilities=(wanted,), required=("c",), blocks={})
    assert not in_force(apply(report, (waiver("y"),))).capabilities
    assert in_force(apply(report, (waiver("y"), waiver("z")))).capabilities["c"].id in ("y", "z")


def test_findings_that_explain_each_other_excuse_nothing() -> None:
    base = everything()
    findings = (finding("x", Status.FAIL, "y"), finding("y", Status.FAIL, "x"), finding("z", Status.FAIL))
    wanted = Capability("c", "C", "bpftrace", Works.FAILS, "", ("x",))
    report = replace(base, findings=findings, capabilities=(wanted,), required=("c",), blocks={})
    assert not in_force(apply(report, (waiver("z"),))).capabilities
    assert in_force(apply(report, (waiver("y"),))).capabilities["c"].id == "y"


def test_all_that_is_required_may_be_waived() -> None:
    report = replace(everything(), required=("broken",))
    verdict = apply(report, (waiver("broken"),)).verdict
    assert (verdict.status, verdict.summary) == (
        Readiness.READY,
        "all that is required is waived: broken until 2030-06-30 (reason for broken)",
    )


def test_what_works_needs_no_waiver() -> None:
    report = waived("works", "f.fine", "g.skip", "gone")
    force = in_force(report)
    assert [w.id for w in force.idle] == ["works", "f.fine", "g.skip", "gone"]
    assert report.verdict == everything().verdict and waivers_of(report) != ()


def test_waived_things_are_notes() -> None:
    graded = grades(waived("broken", "c.unknown"))
    assert graded.capabilities == {
        "works": Grade.FINE,
        "caveat": Grade.WARNING,
        "broken": Grade.NOTE,
        "unsure": Grade.NOTE,
        "bcc-other": Grade.NOTE,
        "maybe": Grade.NOTE,
    }
    assert {graded.findings[i] for i in ("a.root", "a.symptom", "c.unknown", "d.other")} == {Grade.NOTE}
    assert graded.findings["b.note"] is Grade.WARNING
    assert {graded.findings[i] for i in ("e.idle", "f.fine", "g.skip")} == {Grade.FINE}


def test_without_waivers_the_job_fails_for_what_is_required() -> None:
    graded = grades(everything())
    assert [i for i, g in graded.capabilities.items() if g is Grade.ERROR] == ["broken", "unsure"]
    assert [i for i, g in graded.findings.items() if g is Grade.ERROR] == ["a.root", "a.symptom", "c.unknown"]


@pytest.mark.live
def test_this_machine_is_ready_once_all_its_limits_are_waived() -> None:
    report = live()
    limits = tuple(waiver(c.id) for c in report.capabilities if c.status is not Works.WORKS)
    after = apply(report, limits)
    assert after.verdict.status is Readiness.READY
    assert _facts(after) == _facts(report)


def _facts(report: Report) -> tuple[object, ...]:
    return report.findings, report.capabilities, report.required, report.blocks, report.machine
