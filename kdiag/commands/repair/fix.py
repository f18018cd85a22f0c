"""`kdiag fix`: the short way where an earlier run has done all there is, else the whole of it; undo and prune."""

from __future__ import annotations

import os

from kdiag.commands.repair.surroundings import Request, Surroundings
from kdiag.commands.repair.usage import hand_over
from kdiag.console import exits
from kdiag.console.progress import Console, console
from kdiag.fix.earlier import earlier_fix
from kdiag.fix.errors import FixError
from kdiag.fix.options import Options
from kdiag.fix.store.places import Places
from kdiag.fix.store.places import places as places_of
from kdiag.system import Unavailable

__all__ = ["Console", "Options", "Request", "Surroundings", "console", "fix"]


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
            hand_over(found, console)
            return exits.READY
    # The checks, the plan and what carries it out are imported where they are needed: the short way has to be short.
    from kdiag.commands.repair.work import work

    return work(request, console, around, places)
