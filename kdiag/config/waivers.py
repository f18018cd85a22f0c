"""Waivers: things that are known not to work and, until a day, do not count. They stay in sight, with their reason.

A waiver names a finding or a capability. A required capability counts as waived if it is named itself, or if all
that keeps it from working is waived findings and what those cause. What is found stays as found: only the verdict
changes, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, NamedTuple

from kdiag.capabilities.verdict import judge
from kdiag.model import Capability, Finding, Readiness, Report, Status, Verdict, Works

if TYPE_CHECKING:
    from datetime import date

_FINE = (Status.OK, Status.SKIP)


class Waiver(NamedTuple):
    """A declaration that `id` (of a finding or a capability) does not count, up to and with the day `until`."""

    id: str
    reason: str
    until: date


@dataclass(frozen=True, slots=True)
class Waived(Report):
    """A report to which waivers were applied."""

    waivers: tuple[Waiver, ...] = ()
    waived_by: str = ""


class InForce(NamedTuple):
    """What is waived in a report, by id, and the waivers that it does not need (any more)."""

    findings: Mapping[str, Waiver]
    capabilities: Mapping[str, Waiver]
    idle: tuple[Waiver, ...]


def apply(report: Report, waivers: tuple[Waiver, ...], file: str = "") -> Report:
    """The report with its verdict as it is without what is waived; the same report if there are no waivers. file: where
    they are written, for the verdict to name.
    """
    if not waivers:
        return report
    waived = applied(report, waivers, file)
    return replace(waived, verdict=_verdict(waived, in_force(waived)))


def applied(report: Report, waivers: tuple[Waiver, ...], file: str = "") -> Waived:
    """The report as one to which these waivers were applied: its verdict is already the one without what they name."""
    values = {field.name: getattr(report, field.name) for field in fields(Report)}
    return Waived(**values, waivers=waivers, waived_by=file)


def told(report: Report, keys: Sequence[str], file: str) -> Report:
    """The report with a verdict that names the file in which these options are written."""
    if not keys:
        return report
    verb = "is" if len(keys) == 1 else "are"
    summary = f"{report.verdict.summary}; {' and '.join(keys)} {verb} from {file}"
    return replace(report, verdict=report.verdict._replace(summary=summary))


def waivers_of(report: Report) -> tuple[Waiver, ...]:
    """The waivers that were applied to a report."""
    return report.waivers if isinstance(report, Waived) else ()


def in_force(report: Report) -> InForce:
    """Which findings and capabilities are waived, each with the waiver that does it. Of the capabilities that are
    not required, only those that are named: the others do not count anyway.
    """
    by_id = {waiver.id: waiver for waiver in waivers_of(report)}
    if not by_id:
        return InForce({}, {}, ())
    findings = {f.id: by_id[f.id] for f in report.findings if f.id in by_id and f.status not in _FINE}
    open_findings = {f.id: f for f in report.findings if f.status not in _FINE}
    capabilities: dict[str, Waiver] = {}
    for capability in report.capabilities:
        if capability.status is not Works.WORKS:
            waiver = by_id.get(capability.id)
            if waiver is None and capability.id in report.required:
                waiver = _through_findings(capability, open_findings, findings)
            if waiver is not None:
                capabilities[capability.id] = waiver
    used = {waiver.id for waiver in (*findings.values(), *capabilities.values())}
    return InForce(findings, capabilities, tuple(w for w in by_id.values() if w.id not in used))


def _through_findings(
    capability: Capability, open_findings: Mapping[str, Finding], waived: Mapping[str, Waiver]
) -> Waiver | None:
    """The first waiver that covers a deciding finding, if every one of those is covered."""
    covers = [_cover(id_, open_findings, waived) for id_ in capability.findings if id_ in open_findings]
    return covers[0] if covers and all(covers) else None


def _cover(
    finding_id: str, open_findings: Mapping[str, Finding], waived: Mapping[str, Waiver]
) -> Waiver | None:
    """The waiver of the finding, or of the causes that explain it, if all of those are covered.

    A cause that explains itself over others (reports from files may hold circles) covers nothing.
    """
    found: Waiver | None = None
    waiting, seen = [finding_id], set[str]()
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        if current in waived:
            found = found or waived[current]
            continue
        causes = [cause for cause in open_findings[current].causes if cause in open_findings]
        if not causes:
            return None
        waiting.extend(causes)
    return found


def _told(id_: str, waiver: Waiver) -> str:
    """With the reason: formats that have no other place for it show at least the verdict."""
    through = "" if waiver.id == id_ else f" through {waiver.id}"
    return f"{id_}{through} until {waiver.until.isoformat()} ({waiver.reason})"


def _verdict(report: Waived, force: InForce) -> Verdict:
    """The verdict over the required capabilities that are not waived; it names those that are."""
    waived = [id_ for id_ in report.required if id_ in force.capabilities]
    if not waived:
        return report.verdict
    left = tuple(id_ for id_ in report.required if id_ not in force.capabilities)
    by = f" by {report.waived_by}" if report.waived_by else ""
    names = ", ".join(_told(id_, force.capabilities[id_]) for id_ in waived)
    if not any(c.id in left for c in report.capabilities):
        return report.verdict._replace(
            status=Readiness.READY, summary=f"all that is required is waived{by}: {names}"
        )
    verdict = judge(report.capabilities, report.findings, left, report.repairs)
    return verdict._replace(summary=f"{verdict.summary}; waived{by}: {names}")
