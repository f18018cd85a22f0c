"""What commands that change the machine talk to and work on: the request, the surroundings."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from kdiag.fix.options import Options
from kdiag.fix.store.places import Places
from kdiag.machine import Machine

if TYPE_CHECKING:
    from kdiag.console.progress import Console
    from kdiag.fix.apply import Watch
    from kdiag.fix.context import Context
    from kdiag.fix.verify import Fresh, Smoke
    from kdiag.machine import Machine
    from kdiag.model import Report
    from kdiag.system import System


class Request(NamedTuple):
    """What was typed."""

    options: Options = Options()
    yes: bool = False
    dry_run: bool = False
    undo: bool = False
    prune: bool = False


class Surroundings(NamedTuple):
    """What the command works on, so that it can be tried elsewhere: None is this machine.

    host: where the files of this machine's host are, if that was said. They are read, and never changed.
    """

    look: Fresh | None = None
    places: Places | None = None
    examine: Callable[[Machine], Report] | None = None
    smoke: Smoke | None = None
    path: str | None = None
    limit: float = 60.0
    long_limit: float = 1800.0
    patience: float = 900.0
    host: str = ""

    def fresh(self, values: Mapping[str, str]) -> System:
        """The machine as a tool with these variables sees it, with nothing known yet."""
        from kdiag.fix.verify import LiveWith

        return LiveWith(values, self.host) if self.look is None else self.look(values)


def confirmed(request: Request, console: Console) -> bool:
    """Whether the user agrees; says so if not."""
    if request.yes:
        return True
    if console.ask is None:
        console.complain(
            "nothing was changed: there is no terminal to ask on", "--yes does it without asking"
        )
        return False
    if console.ask("Do this?"):
        return True
    console.complain("nothing was changed")
    return False


@contextlib.contextmanager
def holding(around: Surroundings, places: Places, console: Console) -> Iterator[Context]:
    """The lock, and the context to work on while it is held; nothing of the two is left where no journal is."""
    from kdiag.fix.store.lock import discard, locked

    with locked(places.state, patience=around.patience, waiting=console.say) as fd:
        try:
            yield context_of(around, places, fd)
        finally:
            discard(places.state)


def context_of(around: Surroundings, places: Places, fd: int | None) -> Context:
    """The machine as it is now, and what is needed to change it. fd: the lock, for children to keep."""
    from kdiag.fix.context import TRUSTED_PATH, Context, boot_id

    system = around.fresh({})
    kernel = Machine(system).kernel
    return Context(
        system=system,
        places=places,
        release=kernel.release,
        srcarch=kernel.source_arch,
        boot=boot_id(system),
        path=around.path or TRUSTED_PATH,
        limit=around.limit,
        long_limit=around.long_limit,
        inherit=fd,
    )


@contextlib.contextmanager
def watching(console: Console) -> Iterator[Watch]:
    """What shows the progress: a bar on a terminal, else a line for each step."""
    if console.watch is not None:
        with console.watch() as watch:
            yield watch
        return
    yield lambda step, _done, total: None if total else console.say(f"{step.title} ...")
