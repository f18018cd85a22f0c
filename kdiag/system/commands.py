"""Running other programs: argument lists only, bounded in time and output, never a shell."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import stat
import subprocess
import time
from collections.abc import Mapping
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
    """Why root should not run the program at `path`, or None: others could have changed it.

    In a user namespace that does not map the owner of the system (`unshare --map-root-user`), real root's files
    seem to belong to the overflow id: they are as good there as `/` itself, whose owner nobody inside can be.
    """
    real = os.path.realpath(path)
    owners = {0, os.geteuid(), *_unmapped_owner()}
    for place in (real, os.path.dirname(real)):
        info = os.stat(place)
        if info.st_uid not in owners:
            return f"{place} belongs to uid {info.st_uid}"
        if stat.S_ISREG(info.st_mode) and info.st_mode & 0o020 and info.st_gid != 0:
            return f"{place} is writable by group {info.st_gid}"
        if info.st_mode & 0o002 and not (stat.S_ISDIR(info.st_mode) and info.st_mode & stat.S_ISVTX):
            return f"{place} is writable by everybody"
    return None


def _unmapped_owner() -> tuple[int, ...]:
    """The id that the owner of `/` has, where our user namespace maps nobody to it (user_namespaces(7))."""
    owner = os.stat("/").st_uid
    if owner == 0:
        return ()
    try:
        with open("/proc/self/uid_map") as file:
            ranges = [tuple(map(int, line.split())) for line in file]
    except (OSError, ValueError):
        return ()
    return () if any(first <= owner < first + count for first, _, count in ranges) else (owner,)


@dataclass(slots=True)
class Running:
    """A command on its way; `result` waits for it."""

    argv: tuple[str, ...]
    timeout: float
    process: subprocess.Popen[bytes] | None = None
    failure: Unavailable | None = None
    started: float = field(default_factory=time.monotonic)

    def result(self) -> CommandResult:
        """The outcome. On time-out, and at more output than any answer has, its whole process group is killed."""
        if self.process is None:
            raise self.failure or Unavailable(f"{self.argv[0]} was not started")
        try:
            out, err = self._collect(self.process)
            status = self.process.wait(max(0.05, self._left()))
        except (TimeoutError, subprocess.TimeoutExpired):
            kill(self.process)
            raise Unavailable(f"{self.argv[0]} gave no answer within {self.timeout:g} s") from None
        return CommandResult(
            self.argv,
            status,
            out.decode("utf-8", "replace"),
            err.decode("utf-8", "replace"),
            time.monotonic() - self.started,
        )

    def _left(self) -> float:
        return self.timeout - (time.monotonic() - self.started)

    def _collect(self, process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
        """Both outputs, read as they come so that neither pipe fills up and neither takes the memory."""
        streams = {s: bytearray() for s in (process.stdout, process.stderr) if s is not None}
        with selectors.DefaultSelector() as waiting:
            for stream in streams:
                waiting.register(stream, selectors.EVENT_READ)
            while waiting.get_map():
                left = self._left()
                ready = waiting.select(max(0.0, left))
                if not ready and left <= 0:
                    raise TimeoutError
                for key, _ in ready:
                    chunk = os.read(key.fd, 65536)
                    stream = next(s for s in streams if s.fileno() == key.fd)
                    streams[stream] += chunk
                    if not chunk:
                        waiting.unregister(stream)
                    elif len(streams[stream]) > OUTPUT_LIMIT:
                        kill(process)
                        raise Unavailable(f"{self.argv[0]} printed more than {OUTPUT_LIMIT} bytes")
        for stream in streams:
            stream.close()
        out, err = streams.values()
        return bytes(out), bytes(err)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a command that we started and everything it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1.0)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def launch(argv: tuple[str, ...], timeout: float, env: Mapping[str, str] | None = None) -> Running:
    """Start a command in a session of its own, with no input, in the C locale. env: None for ours."""
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
            env={**(os.environ if env is None else env), "LC_ALL": "C"},
        )
    except OSError as error:
        return Running(argv, timeout, failure=Unavailable.from_os_error(argv[0], error))
    return Running(argv, timeout, process)
