"""What `kdiag fix` does where an earlier run has not done it: looks, plans, asks, and has it carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.commands.repair.foresight import foreseen, look, outlook, readiness
from kdiag.commands.repair.surroundings import Request, Surroundings, confirmed
from kdiag.commands.repair.usage import hand_over
from kdiag.console import exits
from kdiag.fix.effects import describe
from kdiag.fix.journal import Journal

if TYPE_CHECKING:
    from kdiag.console.progress import Console
    from kdiag.fix.store.places import Places


def work(request: Request, console: Console, around: Surroundings, places: Places) -> int:
    """The plan, the question, the changes, the proof; the exit status. Raises FixError and Unavailable."""
    tools = request.options.tools
    machine, before = look(around, {}, tools)
    seen = foreseen(machine, before, places, request.options)
    plan = seen.plan
    console.write(outlook(seen, console.width, unicode=console.unicode, host=around.host))
    cut_short = _cut_short(places)
    if cut_short:
        console.say(f"An earlier run was cut short. It is completed or taken back first: {cut_short}.")
    if not plan.changes_something and not cut_short:
        if not request.dry_run:
            hand_over(plan, console)
        return readiness(seen.after)
    if request.dry_run:
        return exits.READY
    if not confirmed(request, console):
        return exits.FAILED
    # What proves it knows the messages of all tools, which is much to import for a plan that is only shown.
    from kdiag.commands.repair.carrying_out import carry_out

    return carry_out(plan, before, console, around, places)


def _cut_short(places: Places) -> str:
    return ", ".join(describe(e.effect) for e in Journal(places.journal).entries() if not e.finished)
