"""One line: the verdict and the next step, for a message of the day, a status bar, a fleet's log (`--quiet`)."""

from __future__ import annotations

from kdiag.console.printable import inert
from kdiag.model import Readiness, Report
from kdiag.report.faces.plain import line
from kdiag.report.story.next_step import label

_VERDICT = {
    Readiness.READY: "READY for eBPF tracing",
    Readiness.NOT_READY: "NOT READY for eBPF tracing",
    Readiness.UNKNOWN: "CANNOT TELL whether eBPF tracing works",
}


def render(report: Report, name: str = "") -> str:
    """The line, ending in a newline. Where all that is required works, there is no next step."""
    verdict = report.verdict
    text = f"{name}: " if name else ""
    text += f"{_VERDICT[verdict.status]}: {line(verdict.summary, 300)}"
    if verdict.next and verdict.status is not Readiness.READY:
        text += f". {label(verdict)}: {line(verdict.next, 300)}"
    return f"{inert(line(text))}\n"
