"""Handles the process that causes the events (`kdiag.smoke.events`): starts it, gives it orders, hears its answers."""

from __future__ import annotations

import contextlib
import os
import pkgutil
import re
import secrets
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from kdiag.smoke.model import SmokeError
from kdiag.trust.program import start as start_program

_PLAIN = re.compile(r"/[\w./+@~-]+")
_READY_LIMIT = 60.0  # a Python starts in 0.02 s, under software emulation in one or two


class Uncaused(Exception):
    """The causing process could not do what it was asked for."""


@dataclass(slots=True)
class Cause:
    """A running process with a name and a file of its own.

    comm: its name in the kernel, unique on this machine; name: the file name that only it opens;
    label: the name of the file that it opens, as a dentry has it; port: of its listening socket, 0 without loopback.
    """

    process: subprocess.Popen[bytes]
    orders: IO[bytes]
    says: IO[bytes]
    comm: str
    name: str
    pid: int = 0
    port: int = 0
    label: str = ""
    answers: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    asked: int = 0
    _rest: bytes = b""

    @property
    def alive(self) -> bool:
        """Whether it can still be asked for anything."""
        return self.process.poll() is None

    @property
    def idle(self) -> bool:
        """Whether everything that it was asked for is done."""
        return len(self.answers) + len(self.problems) >= self.asked

    def forget(self) -> None:
        """Start counting anew, for the next program."""
        self.asked -= len(self.answers) + len(self.problems)
        self.answers.clear()
        self.problems.clear()

    def ask(self, action: str) -> None:
        """Have an event caused; does not wait."""
        self.asked += 1
        with contextlib.suppress(BrokenPipeError):
            self.orders.write(f"{action}\n".encode())
            self.orders.flush()

    def do(self, action: str) -> None:
        """Have something done and wait for it. Raises Uncaused."""
        self.forget()
        self.ask(action)
        deadline = time.monotonic() + _READY_LIMIT
        with selectors.DefaultSelector() as selector:
            selector.register(self.says, selectors.EVENT_READ)
            while not self.idle:
                if not selector.select(max(0.0, deadline - time.monotonic())) or not self.hear():
                    raise Uncaused("the process that was to cause it does not answer")
        if self.problems:
            raise Uncaused(self.problems[-1])

    def hear(self) -> bool:
        """Take what it has said; to be called when its output is readable. False at its end."""
        data = os.read(self.says.fileno(), 65536)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            kind, _, text = line.decode("utf-8", "replace").partition(" ")
            if kind == "ready":
                pid, port, self.label = text.split(" ", 2)
                self.pid, self.port = int(pid), int(port)
            else:
                (self.answers if kind == "ok" else self.problems).append(text)
        return bool(data)

    def objects(self) -> tuple[str, ...]:
        """The files whose code it has mapped: its program and libraries. Empty where /proc does not say.

        Only paths that a bpftrace script can name without quotes, of files that are still there.
        """
        try:
            lines = Path(f"/proc/{self.process.pid}/maps").read_text(errors="surrogateescape").splitlines()
        except OSError:
            return ()
        parts = (line.split(maxsplit=5) for line in lines)
        paths = (p[5] for p in parts if len(p) == 6 and "x" in p[1] and _PLAIN.fullmatch(p[5]))
        return tuple(dict.fromkeys(paths))

    def end(self) -> None:
        """Let it end: its input is closed; if that is not enough it is killed."""
        with contextlib.suppress(BrokenPipeError):
            self.orders.close()
        try:
            self.process.wait(2.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(2.0)
        self.says.close()


def start(interpreter: str = sys.executable) -> Cause:
    """Start one. Raises SmokeError where it does not get ready."""
    comm = f"kdiag-{secrets.token_hex(4)}"
    name = f"{comm}-file"
    source = (pkgutil.get_data(__package__, "events.py") or b"").decode()
    try:
        # Ours runs kdiag already, even if another user could change it.
        process = start_program(
            (interpreter, "-I", "-S", "-B", "-c", source, comm, name),
            judge=False if interpreter == sys.executable else None,
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, ValueError) as error:
        raise SmokeError(f"the process that causes events does not start ({interpreter}): {error}") from None
    cause = Cause(process, cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout), comm, name)
    try:
        _await_ready(cause)
    except BaseException:
        cause.end()
        raise
    return cause


def _await_ready(cause: Cause) -> None:
    deadline = time.monotonic() + _READY_LIMIT
    with selectors.DefaultSelector() as selector:
        selector.register(cause.says, selectors.EVENT_READ)
        while not cause.pid:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise SmokeError(f"the process that causes events was not ready within {_READY_LIMIT:g} s")
            if not cause.hear():
                raise SmokeError(
                    f"the process that causes events ended at once, with status {cause.process.wait()}"
                )
