"""Run cells: several guests at a time, results kept as they come, so that a run can be stopped and go on later."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from .. import assemble, payload, qemu, roots, tools
from ..errors import LabError
from . import inside, judge, store
from .axes import Cell
from .inside import Guest
from .store import Result


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: ``again`` runs cells that have a result, ``predict`` renews predictions only, beside old outcomes.

    ``stale``: run again what other smoke programs made, and predict again what another kdiag predicted. ``until``: by
    ``time.monotonic``, then guests are ended and what is left stays undone.
    """

    cells: Sequence[Cell]
    place: Path
    at_once: int = 0
    again: bool = False
    predict: bool = False
    stale: bool = False
    until: float = float("inf")


@dataclass(slots=True)
class _State:
    plan: Plan
    total: int
    kdiag: str
    qemu: str
    begun: float
    done: int = 0
    broken: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    # kernels, layers and roots are made one at a time, by whoever needs them first
    making: threading.Lock = field(default_factory=threading.Lock)
    saying: threading.Lock = field(default_factory=threading.Lock)

    def over(self) -> bool:
        """Is this run to end now?"""
        return self.stop.is_set() or time.monotonic() > self.plan.until


def run(plan: Plan) -> list[str]:
    """Run what is to be run; returns the complaints about cells without an answer. Results are in ``plan.place``."""
    predicted, proved = store.trees()
    todo, refresh = select(plan, predicted, proved)
    plan.place.mkdir(parents=True, exist_ok=True)
    work = [(guest, True) for guest in inside.guests(todo)] + [
        (guest, False) for guest in inside.guests(refresh)
    ]
    state = _State(plan, len(todo) + len(refresh), _kdiag_version(), _qemu_version(), time.monotonic())
    tools.say(
        f"{len(todo)} cells to run, {len(refresh)} to predict again, in {len(work)} guests; "
        f"{len(plan.cells) - state.total} have a result"
    )
    if not work:
        return []
    with ThreadPoolExecutor(plan.at_once or os.cpu_count() or 1) as pool:
        futures = [pool.submit(_guest, guest, smoke, state) for guest, smoke in work]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            state.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return state.broken


def select(plan: Plan, predicted: str, proved: str) -> tuple[list[Cell], list[Cell]]:
    """Cells to run whole, and cells to predict anew."""
    todo, refresh = [], []
    for cell in plan.cells:
        old = None if plan.again else store.load(plan.place, cell)
        if old is None or not old.whole or (plan.stale and old.versions["proved"] != proved):
            todo.append(cell)
        elif plan.predict or (plan.stale and old.versions["predicted"] != predicted):
            refresh.append(cell)
    return todo, refresh


def _guest(guest: Guest, smoke: bool, state: _State) -> None:
    """Run one guest; what did not get an answer is tried once more, in a new guest."""
    missing = _attempt(guest, smoke, state)
    if missing and not state.over():
        tools.say(f"{missing[0].name}: no answer; once more")
        missing = _attempt(Guest(tuple(missing)), smoke, state)
    if not state.over():
        state.broken += [f"{cell.name}: the guest gave no answer" for cell in missing]


def _attempt(guest: Guest, smoke: bool, state: _State) -> list[Cell]:
    if state.over():
        return []
    with state.making:
        request, job = inside.job(guest, smoke=smoke)
        boot = assemble.boot(request, job)
        predicted, proved = store.trees()  # of the code that is in this guest: somebody may be writing it
        package = roots.get(request.root, boot.kernel.arch).bpftrace
    outcome = qemu.run(boot, limit=job.limit + 30, cancelled=state.over)
    answers = inside.read(outcome.out, guest.cells)
    trouble = qemu.explain(outcome)
    if trouble is not None and not state.over():
        console = state.plan.place / f"{guest.cells[0].file}.console"
        console.write_text(outcome.console)
        tools.say(f"{guest.cells[0].name}: {trouble.message}\nlab: the whole console is in {console}")
    share = max(1, len(answers))
    for cell, answer in answers.items():
        versions = {
            **{"kernel": boot.kernel.release, "bpftrace": package, "qemu": state.qemu, "kdiag": state.kdiag},
            **{"predicted": predicted, "proved": proved},
        }
        new = Result(
            cell,
            time.strftime("%Y-%m-%d", time.gmtime()),
            versions,
            round(outcome.seconds / share, 1),
            round(outcome.cpu_seconds / share, 1),
            answer.check.report if answer.check else None,
            answer.smoke.report if answer.smoke else None,
            answer.problem,
        )
        if not smoke:
            old = store.load(state.plan.place, cell)
            new = store.with_prediction(old, new) if old is not None else new
        _keep(new, state)
    return [cell for cell in guest.cells if cell not in answers]


def _keep(result: Result, state: _State) -> None:
    store.save(state.plan.place, result)
    with state.saying:
        state.done += 1
        if result.problem:
            state.broken.append(f"{result.cell.name}: {result.problem}")
        spent = time.monotonic() - state.begun
        left = spent / state.done * (state.total - state.done)
        what = judge.summary(result) if result.whole else result.problem
        where = f"{state.done}/{state.total}, {left / 60:.0f} min left"
        tools.say(f"[{where}] {result.cell.name}: {what} ({result.seconds:.0f} s)")


def _kdiag_version() -> str:
    return str(payload.read_project()["version"])


def _qemu_version() -> str:
    program = tools.which("qemu-system-x86_64")
    if program is None:
        raise LabError("no qemu-system-x86_64", "apt-get install --no-install-recommends qemu-system-x86")
    text = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    return text.split("version ")[-1].split("\n")[0].split()[0] if "version " in text else "unknown"


def ready(results: Iterable[Result | None]) -> list[Result]:
    """Those that are there and whole."""
    return [result for result in results if result is not None and result.whole]
