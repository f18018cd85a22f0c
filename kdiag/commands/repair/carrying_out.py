"""A plan carried out, and proved: by the checks once more, and by the smoke programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.commands.messages import changes
from kdiag.commands.repair.foresight import look
from kdiag.commands.repair.surroundings import Surroundings, holding, watching
from kdiag.commands.repair.usage import hand_over
from kdiag.console import exits
from kdiag.fix.apply import apply
from kdiag.fix.journal import Journal
from kdiag.fix.verify import repaired, still_broken

if TYPE_CHECKING:
    from kdiag.console.progress import Console
    from kdiag.fix.plan.values import Plan
    from kdiag.fix.store.places import Places
    from kdiag.model import Report


def carry_out(plan: Plan, before: Report, console: Console, around: Surroundings, places: Places) -> int:
    """Change it, and say what became of it; the exit status. Raises FixError and Unavailable."""
    smoke_before = around.smoke({}) if around.smoke is not None else None
    with holding(around, places, console) as context, watching(console) as watch:
        done = apply(plan, context, Journal(places.journal), watch=watch)
    for one in done:
        if one.step.effect is not None:
            console.say(f"{'was done already' if one.already else 'done'}: {one.step.title}")
    _, after = look(around, dict(plan.variables), plan.tools)
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
    hand_over(plan, console)
    return exits.FAILED if broken or worse else exits.READY
