"""Problems that people reported in public: does `kdiag check` find the cause, and offer what helps and nothing else?

Each file of `tests/cases` is a machine described by the facts of one report, and what must be found on it. Key phrases
are asserted, not sentences. What `kdiag check` cannot see is there with the reason; the number of both is printed at
the end of the run.
"""

from __future__ import annotations

import re

import pytest

from kdiag.model import Finding, Report, Status
from tests.support.cases import cases, files
from tests.support.reports import Examine


def _own_words(finding: Finding) -> str:
    seen = [f"{e.source}: {e.observed}" for e in finding.evidence]
    return "\n".join([finding.summary, finding.reason, *seen, *finding.causes])


def _offers(report: Report) -> list[str]:
    return [
        " ".join([remedy.title, *remedy.commands, remedy.run_on])
        for finding in report.findings
        for remedy in finding.remedies
    ]


def _commands(report: Report) -> list[tuple[str, str]]:
    return [(f.id, command) for f in report.findings for remedy in f.remedies for command in remedy.commands]


@pytest.mark.parametrize("name", cases())
def test_reported_problem(name: str, examine: Examine) -> None:
    case = cases()[name]
    report = examine(case.build())
    finding = report.finding(case.finding)
    assert finding is not None, f"no finding {case.finding}"
    words = _own_words(finding)
    assert finding.status is Status(case.status), words
    for pattern in case.says:
        assert re.search(pattern, words, re.IGNORECASE), f"{case.finding} does not say {pattern!r}:\n{words}"
    for pattern in case.silent_on:
        assert not re.search(pattern, words, re.IGNORECASE), f"{case.finding} says {pattern!r}:\n{words}"
    offers = _offers(report)
    for pattern in case.offers:
        assert any(re.search(pattern, text, re.IGNORECASE) for text in offers), (
            f"nothing offers {pattern!r}: {offers}"
        )
    for pattern in case.withholds:
        bad = [
            (where, command)
            for where, command in _commands(report)
            if re.search(pattern, command, re.IGNORECASE)
        ]
        assert not bad, f"{pattern!r} must not be offered: {bad}"
    wrong = [f"{w.advice} {w.why}" for f in report.findings for w in f.wrong_remedies]
    for pattern in case.warns_against:
        assert any(re.search(pattern, text, re.IGNORECASE) for text in wrong), (
            f"no word against {pattern!r}: {wrong}"
        )
    works = {capability.id: capability for capability in report.capabilities}
    for capability, wanted in case.outcomes().items():
        assert works[capability].status in wanted, works[capability]
    for other, statuses in case.others().items():
        there = report.finding(other)
        assert there is not None, f"no finding {other}"
        assert there.status in statuses, there


@pytest.mark.parametrize("name", cases())
def test_the_verdict_follows_the_cause(name: str, examine: Examine) -> None:
    """Causes are findings of the same report that are not fine, and none goes round in a circle."""
    report = examine(cases()[name].build())
    by_id = {finding.id: finding for finding in report.findings}
    for finding in report.findings:
        assert finding.summary.strip()
        for cause in finding.causes:
            assert by_id[cause].status not in (Status.OK, Status.SKIP), (
                f"{finding.id} because of {cause}, which is {by_id[cause].status.value}"
            )
        seen, pending = set[str](), [*finding.causes]
        while pending:
            cause = pending.pop()
            assert cause != finding.id, f"{finding.id} causes itself"
            if cause not in seen:
                seen.add(cause)
                pending += by_id[cause].causes


@pytest.mark.parametrize("name", files())
def test_every_case_has_its_address(name: str) -> None:
    data = files()[name]
    assert ("reported" in data) != ("built" in data), "either of a report or built"
    assert "reported" not in data or re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", data["reported"])
    assert data.get("built", "after x").startswith("after ")
    assert data.keys() == {"reported", "unseen"} or name in cases()
