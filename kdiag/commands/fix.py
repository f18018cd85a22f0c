"""`kdiag fix`: the plan, the question, the changes, the proof; and the way back. Prints only through its
console.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING

from kdiag import exits
from kdiag.fix.errors import FixError
from kdiag.fix.options import Options
from kdiag.fix.places import Places
from kdiag.fix.places import places as places_of

if TYPE_CHECKING:
    from kdiag.fix.apply import Watch
    from kdiag.fix.ready import Ready
    from kdiag.fix.values import Plan
    from kdiag.fix.verify import Fresh, Smoke
    from kdiag.fix.world import World
    from kdiag.machine import Machine
    from kdiag.model import Report


@dataclass(frozen=True, slots=True)
class Request:
    """What was typed."""

    options: Options = field(default_factory=Options)
    yes: bool = False
    dry_run: bool = False
    undo: bool = False
    prune: bool = False


@dataclass(frozen=True, slots=True)
class Console:
    """Where it is said. ask: puts a yes-or-no question, None without a terminal; watch: a progress bar for a
    while, None where lines have to do.
    """

    write: Callable[[str], None]
    warn: Callable[[str], None]
    ask: Callable[[str], bool] | None = None
    watch: Callable[[], contextlib.AbstractContextManager[Watch]] | None = None
    width: int = 80
    unicode: bool = False

    def say(self, text: str) -> None:
        """A paragraph."""
        from kdiag.report.wrap import clean, wrap

        self.write("".join(f"{line}\n" for line in wrap(clean(text, unicode=self.unicode), self.width)))

    def items(self, texts: Iterable[str]) -> None:
        """A list."""
        from kdiag.report.wrap import clean

        self.write("".join(f"  - {clean(text, unicode=self.unicode)}\n" for text in texts))

    def complain(self, message: str, hint: str = "") -> None:
        """Something went wrong."""
        from kdiag.report.wrap import clean

        self.warn(clean(f"{message} ({hint})" if hint else message, unicode=self.unicode))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the command works on, so that it can be tried elsewhere: None is this machine."""

    look: Fresh | None = None
    places: Places | None = None
    examine: Callable[[Machine], Report] | None = None
    smoke: Smoke | None = None
    path: str | None = None
    limit: float = 60.0
    long_limit: float = 1800.0
    patience: float = 900.0


def fix(request: Request, console: Console, surroundings: Surroundings | None = None) -> int:
    """Run the command; its exit status (`kdiag.exits`). An interrupt takes back what was begun and passes on."""
    from kdiag.system import Unavailable

    around = surroundings or Surroundings()
    try:
        places = around.places or places_of(os.geteuid(), os.environ)
        if request.undo:
            return _undo(request, console, around, places)
        if request.prune:
            return _prune(request, console, around, places)
        return _fix(request, console, around, places)
    except FixError as error:
        console.complain(error.message, error.hint)
        return exits.FAILED
    except Unavailable as gap:
        console.complain(f"no plan can be made: {gap.reason}")
        return exits.CANNOT_TELL


# -- fixing ------------------------------------------------------------------------------------------------------


def _fix(request: Request, console: Console, around: Surroundings, places: Places) -> int:
    if around.look is None:
        from kdiag.fix.ready import ready

        found = ready(places, request.options)
        if found is not None:
            console.say(
                f"Nothing to do: headers for {found.release} are in {found.tree}, and all else that an earlier run "
                "could repair is in order."
            )
            _print_usage(found, console)
            return exits.READY
    from kdiag.fix.show import render_plan

    plan, before = _plan(request, around, places)
    console.write(render_plan(plan, console.width, unicode=console.unicode))
    cut_short = _cut_short(places)
    if cut_short:
        console.say(f"An earlier run was cut short. It is completed or taken back first: {cut_short}.")
    if request.dry_run:
        return exits.READY
    if not plan.changes_something and not cut_short:
        _print_usage(plan, console)
        return _readiness(before) if plan.unmet else exits.READY
    if not _confirmed(request, console):
        return exits.FAILED
    return _carry_out(plan, before, console, around, places)


def _plan(request: Request, around: Surroundings, places: Places) -> tuple[Plan, Report]:
    from kdiag.fix.plan import make_plan

    machine, report = _look(around, {})
    return make_plan(machine, report, places, request.options), report


def _look(around: Surroundings, values: dict[str, str]) -> tuple[Machine, Report]:
    """The machine as a tool with these variables sees it, and the report on it."""
    from kdiag.fix.verify import LiveWith
    from kdiag.machine import Machine

    machine = Machine((around.look or LiveWith)(values))
    return machine, (around.examine or _examine)(machine)


def _examine(machine: Machine) -> Report:
    """The built-in checks: a plan is made from nothing else."""
    from kdiag.analysis import analyse
    from kdiag.registry import discover

    registry = discover(plugins=False)
    return analyse(machine, registry, registry.checks)


def _cut_short(places: Places) -> str:
    from kdiag.fix.journal import Journal
    from kdiag.fix.steps import describe

    return ", ".join(describe(e.effect) for e in Journal(places.journal).entries() if not e.finished)


def _confirmed(request: Request, console: Console) -> bool:
    """Whether the user wants it; says so if not."""
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


def _carry_out(plan: Plan, before: Report, console: Console, around: Surroundings, places: Places) -> int:
    from kdiag.fix.apply import apply
    from kdiag.fix.journal import Journal
    from kdiag.fix.verify import repaired, still_broken

    smoke_before = around.smoke({}) if around.smoke is not None else None
    with _holding(around, places, console) as world, _watching(console) as watch, _terminable():
        done = apply(plan, world, Journal(places.journal), watch=watch)
    for one in done:
        if one.step.effect is not None:
            console.say(f"{'was done already' if one.already else 'done'}: {one.step.title}")
    _, after = _look(around, dict(plan.variables))
    better, broken = repaired(before, after), still_broken(plan, before, after)
    if better:
        console.say(f"Better than before: {', '.join(better)}.")
    for text in broken:
        console.complain(f"still so: {text}", "kdiag fix --undo takes everything back")
    worse = False
    if around.smoke is not None and smoke_before is not None:
        smoke_after = around.smoke(dict(plan.variables))
        worse = smoke_after.works < smoke_before.works
        console.say(
            f"{smoke_before.total - smoke_before.works} of {smoke_before.total} smoke programs did not work, "
            f"now {smoke_after.works} of {smoke_after.total} do."
        )
    _print_usage(plan, console)
    return exits.FAILED if broken or worse else exits.READY


def _print_usage(result: Plan | Ready, console: Console) -> None:
    from kdiag.fix.usage import render_usage

    text = render_usage(result, console.width, unicode=console.unicode)
    if text:
        console.write("\n" + text)


def _readiness(report: Report) -> int:
    """Whether what a first session needs works, as root, whoever asks."""
    from kdiag.fix.verify import best
    from kdiag.model import Works

    found = [best(c) for c in report.capabilities if c.id in report.required]
    if Works.FAILS in found:
        return exits.NOT_READY
    return exits.CANNOT_TELL if Works.UNKNOWN in found else exits.READY


# -- taking back -------------------------------------------------------------------------------------------------


def _undo(request: Request, console: Console, around: Surroundings, places: Places) -> int:
    from kdiag.fix.journal import Journal
    from kdiag.fix.steps import describe
    from kdiag.fix.undo import undo

    journal = Journal(places.journal)
    entries = journal.entries()
    if not entries:
        if places.state.is_dir() and not request.dry_run:
            # What a crash at the very end left.
            with _holding(around, places, console):
                journal.tidy()
        console.say("Nothing to undo: the journal is empty.")
        return exits.READY
    console.say("To be undone:")
    console.items(f"{describe(e.effect)} ({e.step}, {e.at})" for e in reversed(entries))
    if request.dry_run:
        return exits.READY
    if not _confirmed(request, console):
        return exits.FAILED
    with _holding(around, places, console) as world, _terminable():
        result = undo(world, journal)
    for text in result.said:
        console.say(text)
    for message, hint in result.problems:
        console.complain(message, hint)
    return exits.FAILED if result.problems else exits.READY


def _prune(request: Request, console: Console, around: Surroundings, places: Places) -> int:
    from kdiag.fix.journal import Journal
    from kdiag.fix.undo import prune, unneeded

    world = _world(around, places, None)
    paths = unneeded(world, _releases(places))
    if not paths:
        console.say("Nothing to prune: all that is kept is for kernels that are installed or running.")
        return exits.READY
    console.say("Of kernels that are gone:")
    console.items(map(str, paths))
    if request.dry_run:
        return exits.READY
    if not _confirmed(request, console):
        return exits.FAILED
    with _holding(around, places, console) as world, _terminable():
        # Others may have been at work since.
        said = prune(unneeded(world, _releases(places)), world, Journal(places.journal))
    for text in said:
        console.say(text)
    return exits.READY


def _releases(places: Places) -> frozenset[str]:
    """The installed kernels."""
    from kdiag.machine.kernel import MODULE_DIRS

    found: set[str] = set()
    for directory in (str(places.modules), *MODULE_DIRS):
        with contextlib.suppress(OSError):
            found.update(os.listdir(directory))
    return frozenset(found)


# -- the surroundings --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _holding(around: Surroundings, places: Places, console: Console) -> Iterator[World]:
    """The lock, and the world to work on while it is held; nothing of the two is left where no journal is."""
    from kdiag.fix.lock import discard, locked

    with locked(places.state, patience=around.patience, waiting=console.say) as fd:
        try:
            yield _world(around, places, fd)
        finally:
            discard(places.state)


def _world(around: Surroundings, places: Places, fd: int | None) -> World:
    from kdiag.fix.verify import LiveWith
    from kdiag.fix.world import TRUSTED_PATH, World, boot_id
    from kdiag.machine import Machine

    system = (around.look or LiveWith)({})
    kernel = Machine(system).kernel
    return World(
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
def _watching(console: Console) -> Iterator[Watch]:
    """What shows the progress: a bar on a terminal, else a line for each step."""
    if console.watch is not None:
        with console.watch() as watch:
            yield watch
        return
    yield lambda step, _done, total: None if total else console.say(f"{step.title} ...")


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM and SIGHUP are answered as an interrupt from the keyboard is: what was begun is taken back."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    except ValueError:
        # Not the main thread: signals are somebody else's.
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
