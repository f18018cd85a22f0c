"""Running other programs: argument lists only, bounded in time and output, never a shell."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import time
from dataclasses import dataclass, field

from kdiag.system.base import CommandResult, Unavailable

#: No answer that kdiag asks for is longer.
OUTPUT_LIMIT = 1024 * 1024


def find(name: str, path: str | None) -> str | None:
    """The first executable called `name` along `path`, the value of PATH; empty parts do not mean `.` here."""
    if "/" in name:
        return name if os.access(name, os.X_OK) else None
    for directory in (path if path is not None else os.defpath).split(os.pathsep):
        candidate = os.path.join(directory, name)
        if directory.startswith("/") and os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    return None


def distrusted(path: str) -> str | None:
    """Why root should not run the program at `path`, or None: others could have changed it."""
    real = os.path.realpath(path)
    for place in (real, os.path.dirname(real)):
        info = os.stat(place)
        if info.st_uid not in (0, os.geteuid()):
            return f"{place} belongs to uid {info.st_uid}"
        if info.st_mode & 0o002 and not (stat.S_ISDIR(info.st_mode) and info.st_mode & stat.S_ISVTX):
            return f"{place} is writable by everybody"
    return None


@dataclass(slots=True)
class Running:
    """A command on its way; `result` waits for it."""

    argv: tuple[str, ...]
    timeout: float
    process: subprocess.Popen[bytes] | None = None
    failure: Unavailable | None = None
    started: float = field(default_factory=time.monotonic)

    def result(self) -> CommandResult:
        """The outcome; on time-out the command's whole process group is killed."""
        if self.process is None:
            raise self.failure or Unavailable(f"{self.argv[0]} was not started")
        left = max(0.05, self.timeout - (time.monotonic() - self.started))
        try:
            out, err = self.process.communicate(timeout=left)
        except subprocess.TimeoutExpired:
            kill(self.process)
            self.failure = Unavailable(f"{self.argv[0]} gave no answer within {self.timeout:g} s")
            raise self.failure from None
        return CommandResult(
            self.argv,
            self.process.returncode,
            out[:OUTPUT_LIMIT].decode("utf-8", "replace"),
            err[:OUTPUT_LIMIT].decode("utf-8", "replace"),
            time.monotonic() - self.started,
        )


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a command that we started and everything it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=1.0)


def launch(argv: tuple[str, ...], timeout: float) -> Running:
    """Start a command in a session of its own, with no input, in the C locale."""
    if os.geteuid() == 0 and os.path.isabs(argv[0]) and os.path.exists(argv[0]):
        why = distrusted(argv[0])
        if why:
            return Running(argv, timeout, failure=Unavailable(f"{argv[0]} was not run as root: {why}"))
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "LC_ALL": "C"},
        )
    except OSError as error:
        return Running(argv, timeout, failure=Unavailable.from_os_error(argv[0], error))
    return Running(argv, timeout, process)
