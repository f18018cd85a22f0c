"""The machine before a repair, and what a plan of repairs comes to: whether all that is required works with it, and
what is left to do by the same chooser as the next step of `kdiag check`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from kdiag.checking.analysis import analyse, forecast
from kdiag.checking.registry import discover
from kdiag.console import exits
from kdiag.console.command_line import for_this_user
from kdiag.fix.plan.compose import make_plan
from kdiag.fix.plan.show import render_plan
from kdiag.fix.usage import Page
from kdiag.fix.verify import best
from kdiag.machine import Machine
from kdiag.model import Readiness, Works
from kdiag.report.story.next_step import in_words, label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kdiag.commands.repair.surroundings import Surroundings
    from kdiag.fix.options import Options
    from kdiag.fix.plan.values import Plan, Step
    from kdiag.fix.store.places import Places
    from kdiag.model import Report, Verdict

_FIX = re.compile(r"\bkdiag fix\b")


class Foreseen(NamedTuple):
    """A plan, the report that it was made from, and the report to expect once the plan is carried out."""

    plan: Plan
    before: Report
    after: Report


def look(around: Surroundings, values: dict[str, str], tools: tuple[str, ...]) -> tuple[Machine, Report]:
    """The machine as a tool with these variables sees it, and the report on it, about these tools."""
    machine = Machine(around.fresh(values))
    return machine, around.examine(machine) if around.examine is not None else _examine(machine, tools)


def _examine(machine: Machine, tools: tuple[str, ...]) -> Report:
    """The built-in checks: a plan is made from nothing else."""
    registry = discover(plugins=False)
    return analyse(machine, registry, registry.checks, tools=tools)


def foreseen(machine: Machine, before: Report, places: Places, options: Options) -> Foreseen:
    """The plan for a machine, and what it comes to. Changes nothing."""
    plan = make_plan(machine, before, places, options)
    repaired = plan.repairs if plan.changes_something else ()
    if not repaired:
        return Foreseen(plan, before, before)
    after = forecast(machine, before, repaired)
    return Foreseen(plan._replace(steps=tuple(_of_use(plan, before, after))), before, after)


def _of_use(plan: Plan, before: Report, after: Report) -> Iterator[Step]:
    """The steps, each for what the plan makes better: mounting tracefs brings no kprobes to a kernel without them.
    Where more is lacking than a plan can bring, a step is for all that it is a part of.
    """
    was = {(c.id, c.status, c.because) for c in before.capabilities}
    failing = {c.id for c in before.capabilities if c.status is Works.FAILS}
    better = {
        c.title
        for c in after.capabilities
        if (c.id, c.status, c.because) not in was and not (c.id in failing and c.status is Works.FAILS)
    }
    for step in plan.steps:
        yield step._replace(helps=tuple(title for title in step.helps if title in better) or step.helps)


def readiness(report: Report) -> int:
    """The exit status that says whether all that is required works for root: a repair is of the machine, not of the
    caller.
    """
    found = [best(c) for c in report.capabilities if c.id in report.required]
    if Works.FAILS in found:
        return exits.NOT_READY
    return exits.CANNOT_TELL if Works.UNKNOWN in found else exits.READY


def outlook(seen: Foreseen, width: int, *, unicode: bool = True, host: str = "") -> str:
    """The plan in words, and where it is not enough, the next step: without a step of the plan that is the one of
    `kdiag check`. host: where the host's files are, if that was said.
    """
    before, after = for_this_user(seen.before, host), for_this_user(seen.after, host)
    plan = render_plan(seen.plan, width, nothing=_nothing(seen, before.verdict), unicode=unicode)
    left, word = after.verdict, "Then"
    if left == before.verdict:
        word = "Next"
    elif left.status is Readiness.READY and not _does(seen.plan, before):
        # The plan comes to the same in another way.
        left, word = before.verdict, "Or"
    if left.status is Readiness.READY or not left.next:
        return plan
    return f"{plan}\n{next_lines(left, width, word=word, unicode=unicode)}"


def _does(plan: Plan, before: Report) -> bool:
    """Whether the plan does what the next step of a check is."""
    step = before.verdict.next
    steps = {s.id for s in plan.steps}
    remedies = (r for f in before.findings for r in f.remedies)
    return _FIX.search(step) is not None or any(
        r.id in steps for r in remedies if " && ".join(r.commands) == step
    )


def _nothing(seen: Foreseen, verdict: Verdict) -> str:
    """What is said where the plan has no step."""
    release = seen.plan.release
    if readiness(seen.before) == exits.READY:
        return f"Nothing to do for {release}."
    if readiness(seen.before) == exits.CANNOT_TELL:
        return f"Cannot tell what there is to repair for {release}: {verdict.summary}."
    able = "do without root" if seen.plan.for_root else "repair"
    return f"Nothing that kdiag fix can {able} for {release}: {verdict.summary}."


def next_lines(verdict: Verdict, width: int, *, word: str = "Next", unicode: bool = True) -> str:
    """The next step as `kdiag check` shows it: a command stays on one line, to be copied."""
    page = Page(width, unicode)
    head = f"{label(verdict, word)}: "
    if in_words(verdict):
        page.text(head + verdict.next, "")
    else:
        page.line(head + verdict.next)
    return str(page)
