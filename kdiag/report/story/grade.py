"""How grave a thing is for CI: one rule for annotations, SARIF levels, JUnit and TAP results.

An error is what fails the job: a required capability that fails or cannot be told, and the findings it waits for.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from kdiag.config.waivers import InForce, Waiver, in_force
from kdiag.model import Capability, Finding, Report, Status, Works
from kdiag.report.story.order import in_the_way, selection

_BROKEN = (Works.FAILS, Works.UNKNOWN)


class Grade(IntEnum):
    """`FINE`: nothing to tell. `NOTE`: limited, but not required here, or waived. `WARNING`: required and works
    with a caveat. `ERROR`: required and does not work, or cannot be told.
    """

    FINE = 0
    NOTE = 1
    WARNING = 2
    ERROR = 3


class Grades(NamedTuple):
    """The grades of one report's capabilities and findings, by id, and what is waived in it."""

    capabilities: dict[str, Grade]
    findings: dict[str, Grade]
    waived: InForce

    def capability_waiver(self, capability: Capability) -> Waiver | None:
        """Why this capability does not count, if it does not."""
        return self.waived.capabilities.get(capability.id)

    def finding_waiver(self, finding: Finding) -> Waiver | None:
        """Why this finding does not count, if it does not."""
        return self.waived.findings.get(finding.id)


def grades(report: Report) -> Grades:
    """Grade everything in the report."""
    waived = in_force(report)
    capabilities = {c.id: _capability(c, report, waived) for c in report.capabilities}
    shown = {f.id for f in in_the_way(report)}
    findings = {f.id: _finding(f, report, capabilities, shown, waived) for f in report.findings}
    return Grades(capabilities, findings, waived)


def _capability(capability: Capability, report: Report, waived: InForce) -> Grade:
    if capability.status is Works.WORKS:
        return Grade.FINE
    if capability.id not in report.required or capability.id in waived.capabilities:
        return Grade.NOTE
    return Grade.ERROR if capability.status in _BROKEN else Grade.WARNING


def _finding(
    finding: Finding, report: Report, capabilities: dict[str, Grade], shown: set[str], waived: InForce
) -> Grade:
    """As grave as the gravest of what waits for it; a warning is never more than that."""
    if finding.status in (Status.OK, Status.SKIP) or finding.id not in shown:
        return Grade.FINE
    if finding.id in waived.findings:
        return Grade.NOTE
    if selection(report):
        return Grade.WARNING if finding.status is Status.WARN else Grade.ERROR
    worst = max(
        (capabilities.get(i, Grade.NOTE) for i in report.blocks.get(finding.id, ())), default=Grade.NOTE
    )
    worst = max(worst, Grade.NOTE)
    return min(worst, Grade.WARNING) if finding.status is Status.WARN else worst
