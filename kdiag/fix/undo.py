"""Undoing what the journal lists, the newest first: only what kdiag did and what is still there. And
pruning the store.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

from kdiag.fix.changes import kinds as steps
from kdiag.fix.context import Context
from kdiag.fix.effects import Linked, Unpacked, describe
from kdiag.fix.entries import Entry
from kdiag.fix.errors import FixError, from_os_error
from kdiag.fix.journal import Journal
from kdiag.fix.store import made
from kdiag.fix.store.trees import remove, stale
from kdiag.trust import names


class Undone(NamedTuple):
    """What an undo came to. said: in words, in the order it was done; problems: (what, hint) of all that is
    still there.
    """

    said: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]


def undo(context: Context, journal: Journal, *, after: Callable[[str], None] | None = None) -> Undone:
    """Take back every change of the journal. Only for the holder of the lock. Raises FixError for a journal
    not to be trusted.

    One that cannot be taken back stays in the journal, and so does what it needs; the rest goes on.
    """
    tell = after or (lambda _point: None)
    said: list[str] = []
    problems: list[tuple[str, str]] = []
    kept: list[Entry] = []
    for entry in reversed(journal.entries()):
        needed = _needed_by(entry, kept)
        try:
            if needed is not None:
                raise FixError(f"{describe(entry.effect)} stays: {describe(needed.effect)} needs it")
            text = steps.unmake(entry, context)
        except FixError as error:
            kept.append(entry)
            problems.append((error.message, error.hint))
            continue
        tell(f"{entry.step} unmade")
        journal.undone(entry)
        tell(f"{entry.step} undone")
        said.append(text)
    journal.tidy()
    return Undone(tuple(said), tuple(problems))


def _needed_by(entry: Entry, kept: list[Entry]) -> Entry | None:
    """What could not be undone and lives by this."""
    if not isinstance(entry.effect, Unpacked):
        return None
    target = entry.effect.target
    return next((o for o in kept if isinstance(o.effect, Linked) and o.effect.target == target), None)


def unneeded(context: Context, alive: Collection[str]) -> tuple[Path, ...]:
    """Trees and BTF of kernels that are gone, and what interrupted runs left. alive: releases that have a
    module directory.
    """
    living = {*alive, context.release}
    found = stale(context.places.headers, living)
    try:
        names = sorted(path.name for path in context.places.btf.iterdir())
    except OSError:
        names = []
    found += [context.places.btf / n for n in names if n.endswith(".btf") and n[:-17] not in living]
    return tuple(found)


def prune(paths: Collection[Path], context: Context, journal: Journal) -> tuple[str, ...]:
    """Remove these of `unneeded`, and forget them in the journal. Only for the holder of the lock. Raises
    FixError.
    """
    entries = journal.entries()
    for path in paths:
        if path.parent == context.places.btf:
            try:
                with contextlib.suppress(FileNotFoundError):
                    names.unlink(path)
            except OSError as error:
                raise from_os_error(error, path.parent) from None
        else:
            remove(path)
    made.sweep(context.places)
    gone = {str(path) for path in paths}
    for entry in entries:
        if getattr(entry.effect, "target", None) in gone and not isinstance(entry.effect, Linked):
            journal.undone(entry)
    journal.tidy()
    return tuple(f"removed {path}" for path in paths)
