"""Metrics for node_exporter's textfile collector: what works, one-hot, and counts; no evidence in labels.

A state is a series per possible state, 1 for the one it is in and 0 for the others (as OpenMetrics' StateSet): each
series lives on when the state changes, so `kdiag_capability_status{status="works"} == 0` is an alert that works.
The series of one machine: 4 states x capabilities, and some thirty more. The collector takes no timestamps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timezone

from kdiag.config.waivers import in_force, waivers_of
from kdiag.console.printable import inert
from kdiag.model import Readiness, Report, Status, Works
from kdiag.report.faces.plain import line

Sample = tuple[Mapping[str, str], float]


def render(report: Report) -> str:
    """The exposition format, version 0.0.4, ending in a newline."""
    machine, force = report.machine, in_force(report)
    tools = {c.id: {"capability": c.id, "tool": c.tool} for c in report.capabilities}
    metrics: list[str] = []

    def add(name: str, text: str, samples: Iterable[Sample]) -> None:
        metrics.extend(_metric(name, text, samples))

    add(
        "kdiag_info",
        "The version of kdiag and the machine it looked at; always 1.",
        [
            (
                {
                    "version": report.kdiag,
                    "release": machine.release,
                    "arch": machine.arch,
                    "distribution": machine.distribution,
                    "bpftrace": machine.bpftrace,
                },
                1,
            )
        ],
    )
    add(
        "kdiag_verdict",
        "Whether all that is required can be traced here: 1 for the verdict, 0 for the others.",
        [({"status": s.value}, float(s is report.verdict.status)) for s in Readiness],
    )
    add(
        "kdiag_capability_status",
        "What can be traced here: 1 for the status that the capability has, 0 for the others.",
        [
            ({**tools[c.id], "status": status.value}, float(status is c.status))
            for c in report.capabilities
            for status in Works
        ],
    )
    add(
        "kdiag_capability_required",
        "Whether the verdict is about this capability (1) or not (0).",
        [(tools[c.id], float(c.id in report.required)) for c in report.capabilities],
    )
    add(
        "kdiag_capability_waived",
        "Whether this capability does not work and is waived (1) or not (0).",
        [(tools[c.id], float(c.id in force.capabilities)) for c in report.capabilities],
    )
    add(
        "kdiag_waiver_end_timestamp_seconds",
        "When the last day of a waiver ends, in seconds since 1970.",
        [({"waived": w.id}, _end(w.until)) for w in waivers_of(report)],
    )
    add(
        "kdiag_findings",
        "Number of findings with this status.",
        [({"status": s.value}, sum(f.status is s for f in report.findings)) for s in Status],
    )
    created = _seconds(report.created)
    if created is not None:
        add(
            "kdiag_last_run_timestamp_seconds",
            "When kdiag looked at the machine, in seconds since 1970.",
            [({}, created)],
        )
    return "\n".join(metrics) + "\n"


def _metric(name: str, text: str, samples: Iterable[Sample]) -> list[str]:
    lines = [f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples]
    return [f"# HELP {name} {text}", f"# TYPE {name} gauge", *lines] if lines else []


def _labels(labels: Mapping[str, str]) -> str:
    return (
        "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items()) + "}" if labels else ""
    )


def _escaped(value: str) -> str:
    shown = inert(f'"{line(value, 200)}')[1:]  # a value never begins a line
    return shown.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _seconds(created: str) -> float | None:
    """Seconds since 1970 of an RFC 3339 time; None for what is none: reports from files may hold anything."""
    try:
        moment = datetime.fromisoformat(created.replace("Z", "+00:00"))
        return moment.timestamp() if moment.tzinfo else moment.replace(tzinfo=timezone.utc).timestamp()
    except (ValueError, OverflowError):
        return None


def _end(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=timezone.utc).timestamp() + 86_400
