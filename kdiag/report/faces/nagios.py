"""The line of a monitoring plug-in, for Nagios, Icinga, Naemon, Checkmk and others that take its form.

After the Monitoring Plugins' development guidelines (monitoring-plugins.org/doc/guidelines.html): one line on standard
output, `NAME STATE - text | performance data`; 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, the last one for wrong options,
too. Kdiag's own exit statuses mean other things, so a command with this format ends with these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import IntEnum

from kdiag.console.printable import inert
from kdiag.model import Readiness, Report, Works
from kdiag.report.faces.plain import line
from kdiag.report.story.grade import Grade, grades
from kdiag.report.story.next_step import label


class State(IntEnum):
    """The state of a service, by the exit status that says so."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


_STATES = {Readiness.NOT_READY: State.CRITICAL, Readiness.UNKNOWN: State.UNKNOWN}


def state(report: Report) -> State:
    """WARNING is for what is required and works with a caveat; what is waived does not count."""
    if report.verdict.status is not Readiness.READY:
        return _STATES[report.verdict.status]
    return State.WARNING if _caveats(report) else State.OK


def render(report: Report) -> str:
    """The line, ending in a newline."""
    found, verdict = state(report), report.verdict
    text = line(verdict.summary, 300)
    if found is State.WARNING:
        text += f"; with a caveat: {line('; '.join(_caveats(report)), 400)}"
    elif found is not State.OK and verdict.next:
        text += f". {label(verdict)}: {line(verdict.next, 300)}"
    return said(found, text, " ".join(_performance(report)))


def said(found: State, text: str, data: str = "") -> str:
    """A line in that form. The first bar begins the performance data, so there is none in the text."""
    words = inert(line(f"KDIAG {found.name} - {text}")).replace("|", "\\x7c")
    return f"{words} | {data}\n" if data else f"{words}\n"


def _caveats(report: Report) -> list[str]:
    graded = grades(report).capabilities
    warned = [c for c in report.capabilities if graded[c.id] is Grade.WARNING]
    return [f"{c.id} ({c.because})" if c.because else c.id for c in warned]


def _performance(report: Report) -> Iterator[str]:
    """How many capabilities work, of how many: 'label'=value;warn;crit;min;max."""
    required = [c for c in report.capabilities if c.id in report.required]
    works = sum(c.status in (Works.WORKS, Works.CAVEAT) for c in required)
    yield f"required={works};;;0;{len(required)}"
    counts = Counter(c.status for c in report.capabilities)
    for status in Works:
        yield f"{status.value}={counts[status]};;;0;{len(report.capabilities)}"
