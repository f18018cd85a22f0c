"""The process of a command beside which kdiag stays: what it is given, how it is started, the signals that come
meanwhile.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import termios
import tty
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from fcntl import ioctl
from types import FrameType
from typing import NamedTuple, NoReturn

STDOUT, STDERR = 1, 2
_PR_SET_PDEATHSIG = 1
#: struct signalfd_siginfo: ssi_signo, ssi_errno, ssi_code; its size.
_SIGINFO, _SIZE = struct.Struct("Iii"), 128
#: sizeof(sigset_t) of glibc and musl.
_SIGSET = 128
#: What is not passed on: what suspends a whole group, what tells of this process itself, what cannot be caught.
_OURS = frozenset(
    {
        *(signal.SIGKILL, signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCONT),
        *(signal.SIGPIPE, signal.SIGXFSZ, signal.SIGXCPU, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS),
        *(signal.SIGILL, signal.SIGFPE, signal.SIGTRAP, signal.SIGSYS, signal.SIGURG),
    }
)


class NotPossible(Exception):
    """This system has no pseudo-terminal, or no signalfd: the command can only be run without kdiag beside it."""


def end_by(number: int) -> None:
    """End as the command ended, so that the caller sees the same; without a core file of kdiag's own."""
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with suppress(OSError, ValueError):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os.kill(os.getpid(), number)


def stream() -> tuple[int, int, bool]:
    """The end that is read, the end that becomes the command's standard error, and whether it is its output as well."""
    if not os.isatty(STDERR):
        return (*os.pipe(), _same(STDOUT, STDERR))
    try:
        ours, theirs = os.openpty()
    except OSError as error:
        raise NotPossible(os.strerror(error.errno or 0)) from error
    with suppress(termios.error):
        tty.setraw(theirs)  # the real terminal does what there is to do: every byte passes as it is
    resize(ours)
    return ours, theirs, False


def _same(one: int, other: int) -> bool:
    try:
        return os.path.samestat(os.fstat(one), os.fstat(other))
    except OSError:
        return False


def resize(terminal: int) -> None:
    with suppress(OSError):
        ioctl(terminal, termios.TIOCSWINSZ, ioctl(STDERR, termios.TIOCGWINSZ, b"\0" * 8))


_Action = Callable[[int, FrameType | None], object] | int | signal.Handlers | None


class Signals:
    """All signals that can be passed on, and of children, held back and read from a descriptor. before: what was held
    back before; children: what SIGCHLD did (one who ignores it is told of no child).
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._held = {*signal.valid_signals()} - _OURS
        self.descriptor = -1
        self.before: set[int] = set()
        self.children: _Action = signal.SIG_DFL

    def __enter__(self) -> Signals:
        self.before = {*signal.pthread_sigmask(signal.SIG_BLOCK, self._held)}
        self.children = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        mask = ctypes.create_string_buffer(_SIGSET)
        self._libc.sigemptyset(mask)
        for number in self._held:
            self._libc.sigaddset(mask, int(number))
        try:
            self.descriptor = self._libc.signalfd(-1, mask, os.O_NONBLOCK | os.O_CLOEXEC)
        except AttributeError:  # a C library without it
            self.descriptor = -1
        if self.descriptor < 0:
            self.__exit__()
            raise NotPossible(os.strerror(ctypes.get_errno()))
        return self

    def __exit__(self, *_: object) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
        signal.signal(signal.SIGCHLD, self.children)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.before)

    def read(self) -> list[tuple[int, bool]]:
        """What came: the number, and whether the kernel sent it (a terminal's keys reach the whole group)."""
        try:
            data = os.read(self.descriptor, 16 * _SIZE)
        except BlockingIOError:
            return []
        found = (_SIGINFO.unpack_from(data, at) for at in range(0, len(data), _SIZE))
        return [(number, code > 0) for number, _, code in found]


class Given(NamedTuple):
    """What a command gets: its standard error, whether that is its output as well, the signals that are held back, and
    what SIGCHLD does.
    """

    stderr: int
    joined: bool
    held: set[int]
    children: _Action


def start(program: str, argv: Sequence[str], environment: Mapping[str, str], given: Given) -> int:
    """The process of the command. Raises OSError, ValueError."""
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()
    result, failure = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() == parent:
                _become(program, argv, environment, given)
        except OSError as error:
            os.write(failure, b"%d " % (error.errno or 0))
        except BaseException as error:  # nothing may go on as a second kdiag
            os.write(failure, b"0 " + str(error).encode("utf-8", "replace"))
        os._exit(127)
    os.close(failure)
    with open(result, "rb") as pipe:
        said = pipe.read()
    if not said:
        return child
    os.waitpid(child, 0)
    number, _, words = said.partition(b" ")
    if number == b"0":
        raise ValueError(words.decode("utf-8", "replace"))
    raise OSError(int(number), os.strerror(int(number)))


def _become(program: str, argv: Sequence[str], environment: Mapping[str, str], given: Given) -> NoReturn:
    """In the child. Raises OSError, ValueError."""
    os.dup2(given.stderr, STDERR)
    if given.joined:
        os.dup2(given.stderr, STDOUT)
    _forget_handlers()
    signal.signal(signal.SIGCHLD, given.children)
    # Python ignores these two, and what is ignored stays so across exec: `kdiag run -- yes | head` would not end.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, given.held)
    os.execve(program, list(argv), dict(environment))  # noqa: S606  no shell is the point


def _forget_handlers() -> None:
    """What is held back for the child must find no handler of ours in the moment before it is another program."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)


def apart(action: Callable[[], None], held: set[int]) -> None:
    """Do it in a process of its own, which keeps neither standard input nor output open. held: as in `Given`."""
    if os.fork() != 0:
        return
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, STDOUT):
            os.dup2(nothing, descriptor)
        _forget_handlers()
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        action()
    finally:
        os._exit(0)
