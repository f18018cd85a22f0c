"""`kdiag fix`: the plan, the question, the changes, the proof. Prints only through its console."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kdiag.commands.repair.surroundings import (
    Request,
    Surroundings,
    confirmed,
    holding,
    watching,
)
from kdiag.console import exits
from kdiag.console.progress import Console
from kdiag.fix.earlier import earlier_fix
from kdiag.fix.effects import describe
from kdiag.fix.errors import FixError
from kdiag.fix.store.places import Places
from kdiag.fix.store.places import places as places_of
from kdiag.fix.store.trees import UNSETTLED
from kdiag.fix.usage import render_usage
from kdiag.machine import Machine
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.fix.earlier import EarlierFix
    from kdiag.fix.plan.values import Plan
    from kdiag.model import Report

__all__ = ["Console", "Request", "Surroundings", "fix"]


def fix(request: Request, console: Console, surroundings: Surroundings | None = None) -> int:
    """Run the command; its exit status (`console.exits`). An interrupt takes back what was begun and passes on."""
    around = surroundings or Surroundings()
    try:
        places = around.places or places_of(os.geteuid(), os.environ)
        if request.undo or request.prune:
            from kdiag.commands.repair.undo import prune_store, take_back

            return (take_back if request.undo else prune_store)(request, console, around, places)
        return _fix(request, console, around, places)
    except FixError as error:
        console.complain(error.message, error.hint)
        return exits.FAILED
    except Unavailable as gap:
        console.complain(f"no plan can be made: {gap.reason}")
        return exits.CANNOT_TELL


def _fix(request: Request, console: Console, around: Surroundings, places: Places) -> int:
    if around.look is None:
        found = earlier_fix(places, request.options)
        if found is not None:
            console.say(
                f"Nothing to do: headers for {found.release} are in {found.tree}, and all else that an earlier run "
                "could repair is in order."
            )
            _hand_over(found, console)
            return exits.READY
    from kdiag.commands.repair.foresight import foreseen, outlook, readiness

    tools = request.options.tools
    machine, before = _look(around, {}, tools)
    seen = foreseen(machine, before, places, request.options)
    plan = seen.plan
    console.write(outlook(seen, console.width, unicode=console.unicode, host=around.host))
    cut_short = _cut_short(places)
    if cut_short:
        console.say(f"An earlier run was cut short. It is completed or taken back first: {cut_short}.")
    if not plan.changes_something and not cut_short:
        if not request.dry_run:
            _hand_over(plan, console)
        return readiness(seen.after)
    if request.dry_run:
        return exits.READY
    if not confirmed(request, console):
        return exits.FAILED
    return _carry_out(plan, before, console, around, places)


def _look(around: Surroundings, values: dict[str, str], tools: tuple[str, ...]) -> tuple[Machine, Report]:
    """The machine as a tool with these variables sees it, and the report on it, about these tools."""
    machine = Machine(around.fresh(values))
    return machine, around.examine(machine) if around.examine is not None else _examine(machine, tools)


def _examine(machine: Machine, tools: tuple[str, ...]) -> Report:
    """The built-in checks: a plan is made from nothing else."""
    from kdiag.checking.analysis import analyse
    from kdiag.checking.registry import discover

    registry = discover(plugins=False)
    return analyse(machine, registry, registry.checks, tools=tools)


def _cut_short(places: Places) -> str:
    from kdiag.fix.journal import Journal

    return ", ".join(describe(e.effect) for e in Journal(places.journal).entries() if not e.finished)


def _carry_out(plan: Plan, before: Report, console: Console, around: Surroundings, places: Places) -> int:
    from kdiag.commands.messages import changes
    from kdiag.fix.apply import apply
    from kdiag.fix.journal import Journal
    from kdiag.fix.verify import repaired, still_broken

    smoke_before = around.smoke({}) if around.smoke is not None else None
    with holding(around, places, console) as context, watching(console) as watch:
        done = apply(plan, context, Journal(places.journal), watch=watch)
    for one in done:
        if one.step.effect is not None:
            console.say(f"{'was done already' if one.already else 'done'}: {one.step.title}")
    _, after = _look(around, dict(plan.variables), plan.tools)
    better, broken = repaired(before, after, plan.tools), still_broken(plan, before, after)
    if better:
        console.say(f"Fixed: {', '.join(better)}.")
    for text in broken:
        console.complain(f"Not fixed: {text}", "kdiag fix --undo takes everything back")
    worse = False
    if around.smoke is not None and smoke_before is not None:
        smoke_after = around.smoke(dict(plan.variables))
        worse = smoke_after.works < smoke_before.works
        console.say(
            f"Now works: {smoke_after.works} of {smoke_after.total} smoke programs "
            f"(before: {smoke_before.works})."
        )
        for words in changes(smoke_before.said, smoke_after.said, after):
            console.say(words)
    _hand_over(plan, console)
    return exits.FAILED if broken or worse else exits.READY


def _hand_over(result: Plan | EarlierFix, console: Console) -> None:
    """Say how to use what is there. A tree whose maker was killed before it was on the disk is brought there now."""
    if result.tree is not None and os.path.lexists(result.tree / UNSETTLED):
        from kdiag.fix.store.extract import settle

        settle(result.tree)

    text = render_usage(
        result, console.width, unicode=console.unicode, asked_by=os.environ.get("SUDO_USER", "")
    )
    if text:
        console.write("\n" + text)
