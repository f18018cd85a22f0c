"""The verdict over a smoke run: one sentence, and the exit status that `kdiag smoke` ends with."""

from __future__ import annotations

from kdiag.capabilities.definitions import DEFINITIONS
from kdiag.capabilities.verdict import required_ones
from kdiag.console import exits
from kdiag.model import Readiness, Verdict
from kdiag.smoke.model import Outcome, Result, SmokeReport


def proofs(report: SmokeReport, capability: str) -> tuple[Result, ...]:
    """The results that decide on a capability: of the programs that need only it, else of those that stand for it."""
    mine = tuple(one for one in report.programs if one.capability == capability)
    return tuple(one for one in mine if len(one.needs) == 1) or mine


def parts(report: SmokeReport, capability: str) -> tuple[Result, ...]:
    """The results that decide on the parts of a capability: it works as far as one of them does. Mere steps do not."""
    names = {one.id for one in DEFINITIONS if one.part_of == capability and not one.step}
    return tuple(one for one in report.programs if one.capability in names)


def judged(report: SmokeReport, capability: str) -> Readiness:
    """Whether a capability was shown to work; unknown if nothing that ran could show it.

    Where hello fails nothing works, tried or not.
    """
    mine = proofs(report, capability)
    if not mine:
        some = parts(report, capability)
        if any(one.works for one in some):
            return Readiness.READY
        return Readiness.NOT_READY if any(one.outcome is Outcome.FAILS for one in some) else Readiness.UNKNOWN
    hello = [one for one in report.programs if one.id == "hello" and one.tool == mine[0].tool]
    if any(one.outcome is Outcome.FAILS for one in (*mine, *hello)):
        return Readiness.NOT_READY
    return Readiness.READY if any(one.works for one in mine) else Readiness.UNKNOWN


def verdict(report: SmokeReport) -> Verdict:
    """Ready if all required capabilities were shown to work, not ready if one was shown not to."""
    answers = {capability: judged(report, capability) for capability in report.required}
    broken = [capability for capability, answer in answers.items() if answer is Readiness.NOT_READY]
    unsure = [capability for capability, answer in answers.items() if answer is Readiness.UNKNOWN]
    working, tried = sum(one.works for one in report.programs), len(report.programs)
    rest = f"{working} of {tried} programs {'works' if working == 1 else 'work'}"
    many = len(answers)
    if broken:
        number = many - len(broken) - len(unsure)
        verb = "was" if number < 2 else "were"
        what = f"{number or 'none'} of the {many} required capabilities {verb} shown to work"
        return Verdict(Readiness.NOT_READY, f"{what} ({', '.join(broken)} did not); {rest}", "kdiag check")
    if unsure:
        return Verdict(Readiness.UNKNOWN, f"not tried: {', '.join(unsure)}; {rest}", "kdiag smoke --list")
    return Verdict(Readiness.READY, f"{required_ones(many, 'was', 'were')} shown to work; {rest}", "")


def worked(report: SmokeReport) -> int:
    """The exit status: 0 all required capabilities were shown to work, 1 one does not, 3 one could not be tried."""
    return exits.of(verdict(report).status)
