"""Workflow commands in the log of a GitHub Actions job: annotations for what fails it, evidence in groups.

After actions/runner: ActionCommand.cs says how commands are found and escaped, ExecutionContext.cs that ten
annotations of a kind are kept per step and 4096 characters of each. So the gravest come first, and symptoms stand
with their causes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kdiag.config.waivers import InForce
from kdiag.console.printable import inert
from kdiag.model import Finding, Readiness, Report, Status, Works
from kdiag.report.faces.plain import line, pieces
from kdiag.report.story.grade import Grade, Grades, grades
from kdiag.report.story.next_step import label
from kdiag.report.story.order import in_the_way, nearest_causes, own_remedies, urgent

_KEPT = 10
_MESSAGE = 3_500
_VERDICT = {
    Readiness.READY: ("notice", "READY"),
    Readiness.NOT_READY: ("error", "NOT READY"),
    Readiness.UNKNOWN: ("error", "CANNOT TELL"),
}
_COMMANDS = {Grade.ERROR: "error", Grade.WARNING: "warning"}
_MARKS = {Status.OK: "ok", Status.WARN: "warn", Status.FAIL: "FAIL", Status.UNKNOWN: "?", Status.SKIP: "skip"}
_WORKS = {Works.WORKS: "works", Works.CAVEAT: "caveat", Works.FAILS: "FAILS", Works.UNKNOWN: "unknown"}


def render(report: Report) -> str:
    """The log, ending in a newline. Every line that is no command of ours cannot be taken for one."""
    graded = grades(report)
    lines = [
        *_verdict(report),
        *_annotations(report, graded),
        *_group("What can be traced here", _table(report, graded.waived)),
        *_group("Waived", _waived(graded.waived)),
    ]
    every = in_the_way(report)
    grave = () if report.verdict.status is Readiness.READY else urgent(report, every)
    for finding in grave:
        lines += _group(_headline(finding), _story(finding, report))
    rest = [finding for finding in every if finding not in grave]
    lines += _group("Also limited here" if grave else "Limited here", _in_brief(rest, report))
    return "\n".join(lines) + "\n"


def _verdict(report: Report) -> Iterator[str]:
    command, word = _VERDICT[report.verdict.status]
    parts = [report.verdict.summary]
    if report.verdict.next:
        parts.append(f"{label(report.verdict)}: {report.verdict.next}")
    yield _command(command, f"kdiag: {word}", parts)


def _annotations(report: Report, graded: Grades) -> Iterator[str]:
    """One for each finding that fails a required capability and is not explained by another one here."""
    shown = {f.id: f for f in in_the_way(report)}
    grave = [f for f in shown.values() if graded.findings[f.id] >= Grade.WARNING]
    roots = [f for f in grave if not any(c in {g.id for g in grave} for c in nearest_causes(f, shown))]
    roots = roots or grave  # circles
    for grade, command in _COMMANDS.items():
        chosen = [f for f in roots if graded.findings[f.id] is grade]
        # The verdict is one of the errors.
        for finding in chosen[: _KEPT - 1]:
            yield _command(command, f"kdiag: {finding.summary}", _told(finding, report, shown))


def _told(finding: Finding, report: Report, shown: dict[str, Finding]) -> Iterator[str]:
    yield f"{finding.id}: {finding.reason or finding.summary}"
    blocked = report.blocks.get(finding.id, ())
    if blocked:
        yield f"affects: {', '.join(blocked)}"
    for remedy in own_remedies(finding, shown):
        yield f"fix: {remedy.title}"
        yield from (f"$ {command}" for command in remedy.commands)


def _command(name: str, title: str, lines: Iterable[str]) -> str:
    message = "\n".join(line(text) for text in lines)
    if len(message) > _MESSAGE:
        message = message[:_MESSAGE] + " …"
    return f"::{name} title={_property(line(title, 200))}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _group(title: str, lines: Iterable[str]) -> list[str]:
    body = [_harmless(text) for text in lines]
    return [f"::group::{_data(line(title, 200))}", *body, "::endgroup::"] if body else []


def _harmless(text: str) -> str:
    """A line of the log, and no command: neither at its start nor, as the elder ones, anywhere in it."""
    return f"| {inert(text)}"


def _table(report: Report, waived: InForce) -> Iterator[str]:
    for capability in report.capabilities:
        star = "*" if capability.id in report.required else " "
        mark = "waived" if capability.id in waived.capabilities else _WORKS[capability.status]
        because = f"  {line(capability.because)}" if capability.because else ""
        yield f"{mark:8}{star} {line(capability.title)}{because}"
    if report.capabilities:
        yield "* required"


def _waived(waived: InForce) -> Iterator[str]:
    every = {w.id: w for w in (*waived.findings.values(), *waived.capabilities.values())}
    for waiver in every.values():
        yield f"{line(waiver.id)} until {waiver.until.isoformat()}: {line(waiver.reason)}"
    for waiver in waived.idle:
        yield f"{line(waiver.id)}: not needed any more, the waiver can go"


def _headline(finding: Finding) -> str:
    return f"{_MARKS[finding.status]} {finding.id}: {finding.summary}"


def _in_brief(findings: Iterable[Finding], report: Report) -> Iterator[str]:
    """What no required capability waits for, one after the other."""
    for finding in findings:
        yield line(_headline(finding))
        yield from (f"    {text}" for text in _story(finding, report))


def _story(finding: Finding, report: Report) -> Iterator[str]:
    if finding.reason:
        yield line(finding.reason)
    if finding.causes:
        yield f"because of: {', '.join(map(line, finding.causes))}"
    blocked = report.blocks.get(finding.id, ())
    if blocked:
        yield f"affects: {', '.join(map(line, blocked))}"
    for source, observed in pieces(finding.evidence):
        first, *rest = observed.split("\n")
        yield f"seen: {source}: {first}"
        yield from (f"      {text}" for text in rest)
    for remedy in finding.remedies:
        yield f"fix: {line(remedy.title)}"
        yield from (f"$ {line(command)}" for command in remedy.commands)
