"""How kdiag begins and ends: done, interrupted, without a reader, without room or memory, or broken; each in its way.

All that kdiag does happens inside `guarded`, imports too: whatever comes at whatever moment ends in one clear line.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, NoReturn

from kdiag.console import exits, output
from kdiag.console.trouble import interrupt, missing, shortage
from kdiag.trust import here

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

#: Signals that ask a program to stop; one that the caller ignores (nohup) stays ignored.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_NO_MEMORY = b"kdiag: there is too little memory for this command\n"

#: Called at the end: a child that was started ahead is not left behind.
_at_end: list[Callable[[], None]] = []


class Stopped(KeyboardInterrupt):
    """A signal that asks to stop: what an interrupt from the keyboard undoes, it undoes as well."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def at_end(action: Callable[[], None]) -> None:
    """Do this before the process ends, however it ends."""
    _at_end.append(action)


def guarded(run: Callable[[], int]) -> NoReturn:
    """Run it and end with its exit status."""
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    try:
        _standard_streams()
        _listen()
        _leave(status(run))
    except KeyboardInterrupt as stop:
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)
        _leave(_stopped(stop))
    except MemoryError:
        # Not even the message could be made.
        _without_memory()


def _without_memory() -> NoReturn:
    try:
        os.write(2, _NO_MEMORY)
    finally:
        os._exit(exits.FAILED)


def _listen() -> None:
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    raise Stopped(number)


def _standard_streams() -> None:
    """Streams that the caller closed (`<&-`, `>&-`) become /dev/null: a file opened later must not take their place."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest one that is free: this one

    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def status(run: Callable[[], int]) -> int:
    """Run it; its exit status, or that of what went wrong, which is told."""
    try:
        return run()
    except BrokenPipeError:
        # The reader (head, less) went away: nothing reads a message.
        output.drop()
        return exits.INTERRUPTED
    except output.CannotWrite as error:
        return _full(str(error))
    except Exception as error:
        failed = output.problem()
        if failed is not None:
            return _full(os.strerror(failed.errno or 0))
        stop = interrupt(error)
        if stop is not None:
            raise stop from None
        lacking = shortage(error)
        if lacking:
            output.error(lacking)
            return exits.FAILED
        package = missing(error)
        if package:
            output.error(package)
            return exits.CANNOT_TELL
        if isinstance(error, FileNotFoundError) and not here.real():
            output.error(
                "the current directory was deleted: change to another one, or name files from the root"
            )
            return exits.USAGE
        from kdiag.console.crash import write_report

        output.note(write_report(error))
        return exits.BROKEN


def _full(why: str) -> int:
    output.drop()
    output.error(f"standard output: {why}")
    return exits.FAILED


def _stopped(stop: KeyboardInterrupt) -> int:
    number = stop.number if isinstance(stop, Stopped) else signal.SIGINT
    output.drop()
    output.error("interrupted" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}")
    return 128 + number


def _leave(code: int) -> NoReturn:
    """End at once: taking the interpreter apart costs 10 ms, and nothing here waits for it (files are closed, threads
    joined and children waited for by those who made them). Under a test runner or a tracer it ends as usual.
    """
    for action in _at_end:
        action()
    failed = output.problem()
    if failed is not None:
        output.drop()
        gone = isinstance(failed, BrokenPipeError)
        code = exits.INTERRUPTED if gone else _full(os.strerror(failed.errno or 0))
    threading = sys.modules.get("threading")
    alone = threading is None or threading.active_count() == 1
    if not alone or sys.gettrace() is not None or "pytest" in sys.modules:
        sys.exit(code)
    os._exit(code)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A second interrupt while the first one ends the process."""
    if issubclass(kind, KeyboardInterrupt):
        output.error("interrupted")
    else:
        sys.__excepthook__(kind, error, trace)


def _unraisable(args: UnraisableHookArgs) -> None:
    """An interrupt that came where Python drops exceptions (`__del__`, a callback of the importer) comes again; that
    there is too little memory is told once, by the command.
    """
    if isinstance(args.exc_value, KeyboardInterrupt):
        os.kill(os.getpid(), args.exc_value.number if isinstance(args.exc_value, Stopped) else signal.SIGINT)
    elif not issubclass(args.exc_type, MemoryError):
        sys.__unraisablehook__(args)
