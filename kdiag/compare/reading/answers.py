"""What a comparison needs of a report."""

from __future__ import annotations

from typing import NamedTuple

from kdiag.model import Capability, Finding, MachineInfo, Readiness, Status


class Fact(NamedTuple):
    """A finding. next: the first command that would repair it."""

    id: str
    title: str
    status: Status
    summary: str
    causes: tuple[str, ...]
    next: str


class MachineSummary(NamedTuple):
    """What is compared of a report. answers: what makes two machines the same, as a digest: the status of every
    capability and every finding, and the causes; one reader gives the same for the same. created: when the report was
    made. labels: what who collected it wrote into it, such as the name of the host.
    """

    machine: MachineInfo
    required: tuple[str, ...]
    capabilities: tuple[Capability, ...]
    facts: tuple[Fact, ...]
    answers: bytes
    verdict: Readiness = Readiness.UNKNOWN
    created: str = ""
    labels: tuple[tuple[str, str], ...] = ()

    def fact(self, fact_id: str) -> Fact | None:
        """The finding of this id, or None."""
        return next((fact for fact in self.facts if fact.id == fact_id), None)


def fact_of(finding: Finding) -> Fact:
    """A finding without what is not compared."""
    command = next((c for remedy in finding.remedies for c in remedy.commands), "")
    return Fact(finding.id, finding.title, finding.status, finding.summary, finding.causes, command)
