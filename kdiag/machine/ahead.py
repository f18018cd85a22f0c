"""Work begun before it is asked for: the kernel's BTF is read by a second process while this one still imports.

Reading 120,000 types takes Python some 50 ms, a third of a whole check; on a second core it costs no time at all.
The child only reads, answers through a pipe, and its answer is believed only if it is whole.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdiag.machine.btf import Survey
    from kdiag.system import System

#: Where the answer comes from, if a child was started: (its pid, the pipe).
_child: tuple[int, int] | None = None

#: Options with which the kernel's BTF is perhaps not asked for.
_NOT_FOR = ("--root", "--from", "--only", "--skip", "--help", "-h")

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

#: Far more than reading takes on the slowest machine; after that this process reads itself.
_PATIENCE = 20.0


def begin(arguments: list[str]) -> None:
    """Start reading if these arguments will want it: a plain `check` of the running machine."""
    global _child  # noqa: PLW0603  one process, one child
    if arguments[:1] != ["check"] or any(
        a.startswith(("--root", "--only", "--skip", "--help", "-h", "--from")) for a in arguments
    ):
        return
    if (os.cpu_count() or 1) < 2 or _child is not None:
        return
    # What both processes need is imported before they part. Neither lives long enough for the collector to be worth it.
    gc.disable()
    import kdiag.machine.btf
    import kdiag.system.live  # noqa: F401

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
            _answer(writer)
        os.close(writer)
        _child = pid, reader
    except OSError:
        os.close(reader)
        os.close(writer)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def stop() -> None:
    """End the child, if there is one: what nobody asked for, or waits for any more, does not outlive this process."""
    global _child
    if _child is None:
        return
    (pid, reader), _child = _child, None
    with contextlib.suppress(OSError):
        os.close(reader)
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _answer(writer: int) -> None:
    """The child: survey, write, end without running anything of the parent's."""
    try:
        import pickle

        from kdiag.machine.btf import survey
        from kdiag.parse.errors import ParseError
        from kdiag.system import Unavailable
        from kdiag.system.live import Live

        try:
            answer: object = survey(Live())
        except (Unavailable, ParseError) as error:
            answer = error
        with os.fdopen(writer, "wb") as out:
            pickle.dump(answer, out)
    except BaseException:  # noqa: S110  the parent reads itself if there is no answer
        pass
    finally:
        os._exit(0)


def surveyed(system: System) -> Survey | None:
    """The child's answer about this live machine, None if there is none. Raises what the survey raised."""
    if _child is None or not system.live:
        return None
    import pickle
    import select

    from kdiag.machine.btf import Survey
    from kdiag.system.live import Live

    if type(system) is not Live:
        return None
    answer: object = None
    with (
        contextlib.suppress(OSError, EOFError, pickle.UnpicklingError),
        open(_child[1], "rb", closefd=False) as pipe,
    ):
        if select.select([pipe], [], [], _PATIENCE)[0]:
            answer = pickle.load(pipe)  # noqa: S301  written by our own child
    stop()
    if isinstance(answer, Exception):
        raise answer
    return answer if isinstance(answer, Survey) else None
