"""One tool under observation: started, watched until the event is seen or a limit passes, ended in any case.

One loop without threads reads the tool and the process that causes the events; nothing in it can block, and what
it prints is kept within bounds.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, NamedTuple, cast

from kdiag.smoke.cause import Cause
from kdiag.smoke.programs.program import ATTACHING
from kdiag.trust.program import start

_KEEP_OUT = 256 * 1024
_KEEP_ERR = 64 * 1024
_PAUSE = 0.15
_TURN = 0.05
_AGAIN = 0.2
_KILLED_LIMIT = 5.0
_DRAIN_LIMIT = 1.0
_PR_SET_PDEATHSIG = 1


class Limits(NamedTuple):
    """Seconds: until the tool says that it traces, from then until the event is seen, until it ends when asked."""

    start: float = 60.0
    event: float = 30.0
    end: float = 15.0


class Plan(NamedTuple):
    """What to run and what to look for.

    env: None for the environment as it is. action: of the causing process, empty for none. proof: the pattern by
    the tool's pid; asked anew each time, because it may depend on the causing process's answers. ready: the pattern of
    what it says when it traces, in either stream.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] | None
    limits: Limits
    cause: Cause
    action: str
    proof: Callable[[int], str]
    ready: bytes = ATTACHING

    def proves(self, pid: int, output: bytearray) -> bool:
        """Whether the event is in there."""
        return bool(re.search(self.proof(pid), output.decode("utf-8", "replace"), re.MULTILINE))


class Observation(NamedTuple):
    """What one run of a tool came to.

    seen: the proof was found; started: it said that it traces; timed_out: a limit passed. status: as
    subprocess has it, None if it never ended or never started (problem says why). asked: it was still running and
    was told to end; killed: that did not help. uncaused: why the event could not be caused, if it never was. lacked:
    what the machine was short of when a limit passed.
    """

    seen: bool = False
    started: bool = False
    timed_out: bool = False
    status: int | None = None
    asked: bool = False
    killed: bool = False
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.0
    problem: str = ""
    uncaused: str = ""
    lacked: str = ""


@dataclass(slots=True)
class _Watch:
    """The state of the loop."""

    process: subprocess.Popen[bytes]
    pipes: tuple[IO[bytes], IO[bytes]]
    cause: Cause
    selector: selectors.DefaultSelector
    ready: re.Pattern[bytes]
    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)
    open_pipes: int = 2
    started: bool = False

    def turn(self) -> bool:
        """Read what is there, waiting a moment for it; whether something new came from the tool or the cause."""
        news = False
        for key, _ in self.selector.select(_TURN):
            news = True
            if key.fileobj is self.cause.says:
                if not self.cause.hear():
                    self.selector.unregister(key.fileobj)
                continue
            data = os.read(key.fd, 65536)
            if not data:
                self.selector.unregister(key.fileobj)
                self.open_pipes -= 1
            elif key.fileobj is self.pipes[0]:
                # The newest counts: the event's line comes when it comes.
                self.out = (self.out + data)[-_KEEP_OUT:]
            else:
                # The oldest counts: the first complaint causes the next.
                self.err = (self.err + data)[:_KEEP_ERR]
        self.started = self.started or bool(self.ready.search(self.out) or self.ready.search(self.err))
        return news

    @property
    def ended(self) -> bool:
        """Whether the tool has ended; it is left unreaped, so that its process group keeps its number."""
        if self.process.returncode is not None:
            return True
        try:
            return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # we inherited SIGCHLD ignored: the kernel reaps
            return True


def watch(plan: Plan, tick: Callable[[], None]) -> Observation:
    """Run the tool and look for the event. tick: called about every 0.05 s."""
    began = time.monotonic()
    try:
        # Our own interpreter runs kdiag already, even if another user could change it.
        judge = False if plan.argv[0] == sys.executable else None
        process = start(plan.argv, judge=judge, env=plan.env, before=die_with_parent())
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        problem = f"{plan.argv[0]} cannot be started: {error}"
        return Observation(problem=problem, seconds=time.monotonic() - began)
    plan.cause.forget()
    with selectors.DefaultSelector() as selector:
        pipes = (cast("IO[bytes]", process.stdout), cast("IO[bytes]", process.stderr))
        state = _Watch(process, pipes, plan.cause, selector, re.compile(plan.ready, re.MULTILINE))
        for pipe in (*pipes, plan.cause.says):
            selector.register(pipe, selectors.EVENT_READ)
        seen = timed_out = asked = killed = False
        try:
            seen, timed_out = _until_seen(state, plan, tick, began)
        finally:
            asked, killed = _end(state, plan.limits.end)
    return Observation(
        seen=seen,
        started=state.started,
        timed_out=timed_out,
        status=process.returncode,
        asked=asked,
        killed=killed,
        stdout=state.out.decode("utf-8", "replace"),
        stderr=state.err.decode("utf-8", "replace"),
        seconds=time.monotonic() - began,
        uncaused=_uncaused(plan.cause),
    )


def _uncaused(cause: Cause) -> str:
    """Why the event never happened, although it was asked for; empty if it did happen, or never was."""
    if cause.answers or not cause.asked:
        return ""
    return cause.problems[-1] if cause.problems else "the process that was to cause it does not answer"


def _until_seen(state: _Watch, plan: Plan, tick: Callable[[], None], began: float) -> tuple[bool, bool]:
    """Seen, timed out; neither if the tool ended before that."""
    limits = plan.limits
    deadline, next_time, started = began + limits.start, began + limits.start / 2, False
    while True:
        gone = state.ended
        news = state.turn()
        now = time.monotonic()
        if news and plan.proves(state.process.pid, state.out):
            return True, False
        if gone and (not news or not state.open_pipes):
            return False, False
        if state.started and not started:
            started, next_time, deadline = True, now, now + limits.event
        if now >= deadline:
            return False, True
        # Events are also caused, late, for a release that does not say when it attaches.
        if plan.action and not gone and now >= next_time and plan.cause.idle and plan.cause.alive:
            plan.cause.ask(plan.action)
            next_time = now + _PAUSE
        tick()


def _end(state: _Watch, limit: float) -> tuple[bool, bool]:
    """End the tool's process group, politely first, and reap it. Whether it was asked to, whether it was killed."""
    asked = not state.ended
    deadline = time.monotonic() + limit
    while not state.ended and time.monotonic() < deadline:
        # Again and again: bpftrace (seen: 0.17) misses one that comes between two waits for events.
        _signal(state.process, signal.SIGINT)
        _until_ended(state, min(_AGAIN, deadline - time.monotonic()))
    killed = not state.ended
    # Also what it started and left behind, a modprobe or a tar.
    _signal(state.process, signal.SIGKILL)
    if killed:
        _until_ended(state, _KILLED_LIMIT)
    deadline = time.monotonic() + _DRAIN_LIMIT
    while state.open_pipes and state.turn() and time.monotonic() < deadline:
        pass
    state.process.poll()
    for pipe in state.pipes:
        pipe.close()
    return asked, killed


def _until_ended(state: _Watch, limit: float) -> None:
    deadline = time.monotonic() + limit
    while not state.ended and time.monotonic() < deadline:
        if not state.turn() and not state.open_pipes:
            time.sleep(_TURN)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def die_with_parent() -> Callable[[], None]:
    """For the child before exec: the kernel kills it when we are gone, however that happens."""
    prctl = ctypes.CDLL(None).prctl

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    return prepare
