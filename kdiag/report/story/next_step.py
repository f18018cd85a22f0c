"""The next step in words: what to do, and where if not here. A command stays as it is typed."""

from __future__ import annotations

from dataclasses import replace

from kdiag.model import Finding, Report, Verdict

#: Where the commands of a report on a recording are to be run.
RECORDED = "the recorded machine"

#: By how a place begins, the word before it; "on" is that of machines.
_PREPOSITIONS = (
    ("outside ", ""),
    ("as ", ""),
    ("the shell", "in"),
    ("the parent", "in"),
    ("what starts", "in"),
    ("the service", "in"),
    ("the VM's settings", "in"),
    ("the boot loader", "in"),
    ("the node's", "in"),
    ("the cluster's client", "with"),
)


def label(verdict: Verdict, word: str = "Next") -> str:
    """`Next`, and where: `Next, on the host`."""
    return word if verdict.run_on in ("", "here") else f"{word}, {_placed(verdict.run_on)}"


def in_words(verdict: Verdict) -> bool:
    """Whether the step is told in words; else it is a command. Titles of remedies begin with a capital letter."""
    first = verdict.next.partition(" ")[0]
    return not verdict.run_on or first.istitle()


def _placed(place: str) -> str:
    """A place with its preposition."""
    word = next((word for start, word in _PREPOSITIONS if place.startswith(start)), "on")
    return f"{word} {place}".strip()


def elsewhere(report: Report, place: str) -> Report:
    """The report on a machine that is not this one, with its commands for there saying so."""

    def finding(one: Finding) -> Finding:
        if not one.remedies:
            return one
        there = (r._replace(run_on=place) if r.run_on == "here" else r for r in one.remedies)
        return replace(one, remedies=tuple(there))

    verdict = report.verdict
    if verdict.run_on == "here":
        verdict = verdict._replace(run_on=place)
    return replace(report, findings=tuple(map(finding, report.findings)), verdict=verdict)
