"""Carrying out a plan: each change announced in the journal, made, and noted as done; all of them taken back
if one fails.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from kdiag.fix.changes import kinds as steps
from kdiag.fix.changes import mount
from kdiag.fix.context import Context
from kdiag.fix.effects import UNTIL_REBOOT, Mounted
from kdiag.fix.entries import Entry
from kdiag.fix.errors import FixError
from kdiag.fix.journal import Journal
from kdiag.fix.plan.values import Plan, Step

#: Called with a step and the parts of it that are done: (step, done, total).
Watch = Callable[[Step, int, int], None]
After = Callable[[str], None]


class Done(NamedTuple):
    """A step that is done. already: it was, before we came to it."""

    step: Step
    already: bool


def apply(
    plan: Plan,
    context: Context,
    journal: Journal,
    *,
    watch: Watch | None = None,
    after: After | None = None,
) -> tuple[Done, ...]:
    """Do all the steps. Only for the holder of the lock.

    Raises FixError if one fails; then those of this run are taken back, and the message says if that failed
    too. after: called at every point at which a crash would differ from one a moment earlier, with a name for
    it.
    """
    tell = after or (lambda _point: None)
    settle(context, journal)
    mine: list[Entry] = []
    done: list[Done] = []
    try:
        for step in plan.steps:
            if watch is not None:
                watch(step, 0, 0)
            already = step.effect is not None and steps.there(step.effect, context)
            if step.effect is not None and not already:
                _one(step, _watched(context, step, watch), journal, mine, tell)
            done.append(Done(step, already))
    except OSError as error:
        raise _failed(
            f"{error.filename or 'the system'}: {os.strerror(error.errno or 0)}", "", mine, context, journal
        ) from None
    except FixError as error:
        raise _failed(error.message, error.hint, mine, context, journal) from None
    except BaseException:
        roll_back(mine, context, journal)
        raise
    journal.tidy()
    return tuple(done)


def _one(step: Step, context: Context, journal: Journal, mine: list[Entry], tell: After) -> None:
    assert step.effect is not None  # noqa: S101
    effect = steps.prepare(step.effect, context)
    entry = journal.begin(step.id, effect, context.boot)
    mine.append(entry)
    tell(f"{step.id} begun")
    made = steps.make(effect, context, step.content)
    tell(f"{step.id} made")
    mine[-1] = journal.done(entry, made)
    tell(f"{step.id} done")


def _watched(context: Context, step: Step, watch: Watch | None) -> Context:
    if watch is None:
        return context
    seen = watch  # for the type checker: not None in the function below

    def progress(done: int, total: int) -> None:
        seen(step, done, total)

    return context._replace(progress=progress)


def _failed(message: str, hint: str, mine: list[Entry], context: Context, journal: Journal) -> FixError:
    problems = roll_back(mine, context, journal)
    if problems:
        return FixError(
            f"{message}; and not all could be taken back: {'; '.join(problems)}", "kdiag fix --undo"
        )
    said = "everything is as before"
    return FixError(
        message, f"{hint}; {said}" if hint and "nothing was changed" not in hint else hint or said
    )


def roll_back(entries: Iterable[Entry], context: Context, journal: Journal) -> list[str]:
    """Take back the newest first; the problems. A journal that cannot be written is one of them only if
    changes are left.
    """
    problems: list[str] = []
    with _undisturbed():
        for entry in reversed([*entries]):
            try:
                steps.unmake(entry, context)
            except (FixError, OSError) as error:
                problems.append(str(error))
                continue
            # What is not noted as undone here is looked at by the next fix or undo, and found to be gone.
            with contextlib.suppress(FixError, OSError):
                journal.undone(entry)
        with contextlib.suppress(FixError, OSError):
            journal.tidy()
    return problems


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """A second interrupt waits until everything is taken back."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def settle(context: Context, journal: Journal) -> tuple[str, ...]:
    """Bring the journal up to what a crash left: a change that is there in full counts as made, half of one
    is taken back.

    Says in words what was taken back. Raises FixError if that is not possible.
    """
    said: list[str] = []
    for entry in journal.entries():
        if isinstance(entry.effect, UNTIL_REBOOT) and entry.boot != context.boot:
            journal.undone(entry)
        elif entry.finished:
            continue
        elif is_ours(entry, context):
            journal.done(entry, steps.noted(entry.effect))
        else:
            said.append(steps.unmake(entry, context))
            journal.undone(entry)
    return tuple(said)


def is_ours(entry: Entry, context: Context) -> bool:
    """Whether the change is there in full and no other process can have made it since it was
    announced, where that can be judged.

    A module that was announced and is loaded counts as ours: nothing shows which process loaded it.
    """
    if isinstance(entry.effect, Mounted):
        return mount.ours(entry.effect, context)
    return steps.there(entry.effect, context)
