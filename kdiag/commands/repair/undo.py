"""`kdiag fix --undo` takes back what the journal lists; `kdiag fix --prune` removes what is unused from the store."""

from __future__ import annotations

import contextlib
import os

from kdiag.commands.repair.surroundings import (
    Request,
    Surroundings,
    confirmed,
    context_of,
    holding,
)
from kdiag.console import exits
from kdiag.console.progress import Console
from kdiag.fix.effects import describe
from kdiag.fix.journal import Journal
from kdiag.fix.store.places import Places
from kdiag.fix.undo import prune, undo, unneeded
from kdiag.machine.kernel import MODULE_DIRS


def take_back(request: Request, console: Console, around: Surroundings, places: Places) -> int:
    """Undo everything; the exit status. Raises FixError."""
    journal = Journal(places.journal)
    entries = journal.entries()
    if not entries:
        if places.state.is_dir() and not request.dry_run:
            # What a crash at the very end left.
            with holding(around, places, console):
                journal.tidy()
        console.say("Nothing to undo: the journal is empty.")
        return exits.READY
    console.say("To be undone:")
    console.items(f"{describe(e.effect)} ({e.step}, {e.at})" for e in reversed(entries))
    if request.dry_run:
        return exits.READY
    if not confirmed(request, console):
        return exits.FAILED
    with holding(around, places, console) as context:
        result = undo(context, journal)
    for text in result.said:
        console.say(text)
    for message, hint in result.problems:
        console.complain(message, hint)
    return exits.FAILED if result.problems else exits.READY


def prune_store(request: Request, console: Console, around: Surroundings, places: Places) -> int:
    """Remove what is kept for kernels that are gone; the exit status. Raises FixError."""
    context = context_of(around, places, None)
    paths = unneeded(context, _releases(places))
    if not paths:
        console.say("Nothing to prune: all that is kept is for kernels that are installed or running.")
        return exits.READY
    console.say("Of kernels that are gone:")
    console.items(map(str, paths))
    if request.dry_run:
        return exits.READY
    if not confirmed(request, console):
        return exits.FAILED
    with holding(around, places, console) as context:
        # Others may have been at work since.
        said = prune(unneeded(context, _releases(places)), context, Journal(places.journal))
    for text in said:
        console.say(text)
    return exits.READY


def _releases(places: Places) -> frozenset[str]:
    """The installed kernels."""
    found: set[str] = set()
    for directory in (str(places.modules), *MODULE_DIRS):
        with contextlib.suppress(OSError):
            found.update(os.listdir(directory))
    return frozenset(found)
