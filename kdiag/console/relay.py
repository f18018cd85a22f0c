"""A command between the caller and kdiag: its standard error is copied as it comes, and what it began and ended with is
kept.

What the caller meets is the command: its standard input and output are its own, it stays in kdiag's process group (a
terminal's Ctrl-C and Ctrl-Z, and a pipeline's other members, are as without kdiag), it dies with kdiag, and every other
signal that kdiag gets goes to it. Where standard error is a terminal it gets one too (a pseudo-terminal that changes no
byte, of the same size). Where standard output and error are one pipe or file, they are one pipe here, so that their
order stays.

One loop without threads: signals are read from a descriptor (signalfd(2)), with the sender's kind beside the number.
"""

from __future__ import annotations

import os
import select
import signal
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from kdiag.console.child import STDERR, Given, Signals, apart, resize, start, stream
from kdiag.console.kept import Kept

#: Bytes of one write: a pipe or terminal that says it takes some takes so many without blocking (PIPE_BUF).
_ONCE = 4096
_READ = 1 << 16
#: Bytes that are still read when the command has ended, while others that it started go on writing.
_LEFT = 1 << 20

#: What asks a command to stop: how it ends then says nothing about the machine.
_ASKING = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP})
#: With these it suspends itself, and its job. (One that SIGSTOP stops is continued alone.)
_SUSPENDING = frozenset({signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})


class Ended(NamedTuple):
    """How a command ended. status: its exit status; signal: that ended it, 0 for none; asked: the caller, or the
    terminal, asked it to stop; said: its standard error, as far as it was kept.
    """

    status: int
    signal: int
    asked: bool
    said: Kept


def relayed(program: str, argv: Sequence[str], environment: Mapping[str, str]) -> Ended:
    """Run the program to its end. Raises NotPossible; OSError or ValueError where it cannot be started."""
    with Signals() as signals:
        ours, theirs, joined = stream()
        try:
            child = start(program, argv, environment, Given(theirs, joined, signals.before, signals.children))
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        return _Relay(child, ours, signals).run()


def is_unseen() -> bool:
    """Whether standard error leads nowhere, so that nothing needs to be copied."""
    with suppress(OSError):
        there = os.fstat(STDERR)
        return stat.S_ISCHR(there.st_mode) and there.st_rdev == os.stat(os.devnull).st_rdev
    return True


class _Relay:
    """The loop, until the command has ended and what it wrote is copied."""

    def __init__(self, child: int, source: int, signals: Signals) -> None:
        self._child, self._source, self._signals = child, source, signals
        self._kept = Kept()
        self._waiting = b""  # read, and not yet written
        self._open = self._writes = True
        self._asked = self._suspends = False
        self._left = _LEFT
        self._status: int | None = None
        regular = stat.S_ISREG(os.fstat(STDERR).st_mode)
        self._once = _READ if regular else _ONCE

    def run(self) -> Ended:
        # A command that made itself the terminal's foreground would stop us with each line that we copy.
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        try:
            while self._status is None or self._has_more():
                if self._suspends and not self._has_more():
                    self._suspend()
                self._turn()
        finally:
            signal.signal(signal.SIGTTOU, before or signal.SIG_DFL)
        self._leave()
        status = self._status or 0
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        code = 128 + number if number else os.WEXITSTATUS(status)
        return Ended(code, number, self._asked, self._kept)

    def _has_more(self) -> bool:
        """Whether there is more to copy now; of what others go on to write when the command is gone, not for ever."""
        return bool(self._waiting) or (self._open and self._left > 0 and self._has(select.POLLIN))

    def _has(self, what: int) -> bool:
        poll = select.poll()
        poll.register(self._source, what)
        return any(events & what for _, events in poll.poll(0))

    def _turn(self) -> None:
        """Wait for a signal, for words, or for room to write them: whatever comes first."""
        poll = select.poll()
        poll.register(self._signals.descriptor, select.POLLIN)
        if self._waiting:
            poll.register(STDERR, select.POLLOUT)
        elif self._open:
            poll.register(self._source, select.POLLIN)
        for descriptor, _ in poll.poll():
            if descriptor == self._signals.descriptor:
                for number, by_kernel in self._signals.read():
                    self._answer(number, by_kernel)
            elif descriptor == STDERR and self._waiting:
                self._write()
            else:
                self._read()

    def _answer(self, number: int, by_kernel: bool) -> None:
        if number == signal.SIGCHLD:
            self._look()
            return
        if number == signal.SIGWINCH:
            resize(self._source)
        if number in _ASKING:
            self._asked = True
            if self._status is not None:  # all that is left is that our own reader takes nothing
                self._waiting = b""
                self._close()
        if not by_kernel and self._status is None:
            with suppress(OSError):
                os.kill(self._child, number)

    def _look(self) -> None:
        """Whether the command ended, or suspends itself."""
        pid, status = os.waitpid(self._child, os.WNOHANG | os.WUNTRACED)
        if pid and os.WIFSTOPPED(status):
            self._suspends = os.WSTOPSIG(status) in _SUSPENDING
        elif pid:
            self._status = status

    def _suspend(self) -> None:
        """Stop as well, so that the shell sees it; and go on together."""
        self._suspends = False
        os.kill(os.getpid(), signal.SIGSTOP)
        with suppress(OSError):
            os.kill(self._child, signal.SIGCONT)

    def _read(self) -> None:
        try:
            data = os.read(self._source, _READ)
        except OSError:  # a pseudo-terminal whose other side is closed
            data = b""
        if not data:
            self._close()
            return
        if self._status is not None:
            self._left -= len(data)
        self._kept.add(data)
        if self._writes:
            self._waiting = data

    def _write(self) -> None:
        try:
            self._waiting = self._waiting[os.write(STDERR, self._waiting[: self._once]) :]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            # The reader went away: so it has for the command, which learns it in its own way.
            self._waiting = b""
            self._close()
        except OSError:
            self._waiting, self._writes = b"", False  # a full disk

    def _close(self) -> None:
        if self._open:
            self._open = False
            os.close(self._source)

    def _leave(self) -> None:
        """What the command left running keeps a standard error: a process of its own goes on copying."""
        if self._open and not self._has(select.POLLHUP):
            apart(self._go_on, self._signals.before)
        self._close()

    def _go_on(self) -> None:
        while data := os.read(self._source, _READ):
            while data:
                data = data[os.write(STDERR, data) :]
