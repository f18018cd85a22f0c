"""Waiting in tests: the only module here that looks at a clock.

No test measures seconds: a busy machine, an emulated one or a debugger makes any limit wrong. What must happen is
waited for, however long it takes; `HANG` only turns "never" into a failure. What a time limit would guard, the growth
of the work, is counted (`tests.support.steps`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

#: Seconds after which a program or a test that waits has hung; hundreds of times what the slowest needs.
HANG = 1200


@contextlib.contextmanager
def ends() -> Iterator[None]:
    """For what would block for ever if it went wrong (a FIFO that is opened, a child that is waited for)."""

    def hung(_signal: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"does not end: blocked for {HANG} s")

    before = signal.signal(signal.SIGALRM, hung)
    signal.alarm(HANG)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def wait_until(happened: Callable[[], object], what: str = "") -> None:
    """Wait for what another process does."""
    limit = time.monotonic() + HANG
    while not happened():
        assert time.monotonic() < limit, f"never happened: {what or happened}"
        time.sleep(0.02)


def pause(seconds: float) -> None:
    """Let other processes get on; nothing may depend on how far they come."""
    time.sleep(seconds)


def gone(pid: int) -> bool:
    """Whether a process has ended, waited for by its parent or not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"


def age(path: Path, seconds: float) -> None:
    """Make a file or a directory look as if it was changed so long ago."""
    then = time.time() - seconds
    os.utime(path, (then, then))


def utc(seconds: float, form: str) -> str:
    """The date and time so many seconds from now, for what is written in a log."""
    return time.strftime(form, time.gmtime(time.time() + seconds))
