"""Running other programs: argument lists only, bounded in time and output; `trust.program` starts them, no shell."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping

from kdiag.system.base import CommandResult, Unavailable
from kdiag.trust.owner import Untrusted
from kdiag.trust.program import start

#: No answer that kdiag asks for is longer.
OUTPUT_LIMIT = 1024 * 1024
#: Seconds between two looks at whether a silent command has ended.
_GLANCE = 0.1


class Running:
    """A command on its way; `result` waits for it."""

    def __init__(
        self,
        argv: tuple[str, ...],
        timeout: float,
        process: subprocess.Popen[bytes] | None = None,
        failure: Unavailable | None = None,
    ) -> None:
        self.argv = argv
        self.timeout = timeout
        self.process = process
        self.failure = failure
        self.started = time.monotonic()

    def result(self) -> CommandResult:
        """The outcome. On time-out, and at more output than any answer has, its whole process group is killed."""
        if self.process is None:
            raise self.failure or Unavailable(f"{self.argv[0]} was not started")
        try:
            out, err = self._collect(self.process)
            status = self.process.wait(max(0.05, self._left()))
        except (TimeoutError, subprocess.TimeoutExpired):
            kill(self.process)
            raise Unavailable(
                f"{self.argv[0]} gave no answer within {self.timeout:g} s", errno.ETIMEDOUT
            ) from None
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
        """Both outputs, read as they come so that neither pipe fills up and neither takes the memory.

        What a command leaves running may hold the pipes open for as long as it likes: once the command itself has
        ended, what is in them by then is its answer.
        """
        streams = {s: bytearray() for s in (process.stdout, process.stderr) if s is not None}
        with selectors.DefaultSelector() as waiting:
            for stream in streams:
                waiting.register(stream, selectors.EVENT_READ)
            while waiting.get_map():
                left, ended = self._left(), process.poll() is not None
                ready = waiting.select(0 if ended else max(0.0, min(left, _GLANCE)))
                if not ready and ended:
                    break
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


def launch(
    argv: tuple[str, ...], timeout: float, env: Mapping[str, str] | None = None, *, judge: bool | None = None
) -> Running:
    """Start a command in a session of its own, with no input, in the C locale. env: None for ours."""
    try:
        process = start(argv, judge=judge, env={**(os.environ if env is None else env), "LC_ALL": "C"})
    except Untrusted as error:
        return Running(argv, timeout, failure=Unavailable(f"{argv[0]} was not run as root: {error}"))
    except OSError as error:
        return Running(argv, timeout, failure=Unavailable.from_os_error(argv[0], error))
    return Running(argv, timeout, process)
