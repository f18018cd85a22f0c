"""The kernel's BTF, read by a second process while this one still imports and asks other things.

Reading 120,000 types takes Python some 70 ms, a third of a whole check; on a second core it costs no time at all.
The child only reads, answers through a pipe, and its answer is believed only if it is whole. What it found is kept
for the next run by `kdiag.checking.remembered`, which needs no child.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, NoReturn

from kdiag.checking import remembered
from kdiag.console import ending
from kdiag.machine.btf import Survey, survey
from kdiag.parse.errors import ParseError
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.system import System

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

#: Far more than reading takes on the slowest machine; after that this process reads itself.
_PATIENCE = 20.0


class Ahead:
    """A survey that may be on its way: call it for the answer. Without a child it surveys itself."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._child: tuple[int, int] | None = None
        self._key: str | None = None
        self._known: Survey | None = None

    def begin(self) -> None:
        """Recall the survey, or begin to read. Once begun it is on its way."""
        if self._key is not None:
            return
        self._key = remembered.key()
        self._known = remembered.recall(self._key) if self._key else None
        if self._key and self._known is None and (os.cpu_count() or 1) > 1:
            self._start()

    def __call__(self) -> Survey:
        """The survey of the kernel's BTF. Raises what `kdiag.machine.btf.survey` raises."""
        if self._known is None:
            self._known = self._answer() or survey(self._system)
            if self._key:
                remembered.keep(self._key, self._known)
        return self._known

    def stop(self) -> None:
        """End the child, if there is one: what is not waited for any more does not outlive this process."""
        if self._child is None:
            return
        (pid, reader), self._child = self._child, None
        with contextlib.suppress(OSError):
            os.close(reader)
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _start(self) -> None:
        ending.at_end(self.stop)
        reader, writer = os.pipe()
        # A signal between the fork and the child's first line would be answered twice.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        try:
            pid = os.fork()
            if pid == 0:
                for number in _STOPPING:
                    signal.signal(number, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
                os.close(reader)
                _survey_into(writer, self._system)
            os.close(writer)
            self._child = pid, reader
        except OSError:
            os.close(reader)
            os.close(writer)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _answer(self) -> Survey | None:
        """The child's answer, None if it gave none. Raises what its survey raised."""
        if self._child is None:
            return None
        import pickle
        import select

        answer: object = None
        with (
            contextlib.suppress(OSError, EOFError, pickle.UnpicklingError),
            open(self._child[1], "rb", closefd=False) as pipe,
        ):
            if select.select([pipe], [], [], _PATIENCE)[0]:
                answer = pickle.load(pipe)  # noqa: S301  written by our own child
        self.stop()
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Survey) else None


def _survey_into(writer: int, system: System) -> NoReturn:
    """The child: survey, write, end without running anything of the parent's."""
    try:
        import pickle

        try:
            answer: object = survey(system)
        except (Unavailable, ParseError) as error:
            answer = error
        with os.fdopen(writer, "wb") as out:
            pickle.dump(answer, out)
    except BaseException:  # noqa: S110  the parent reads itself if there is no answer
        pass
    finally:
        os._exit(0)
