"""What any examined machine answers to: the questions, and the three kinds of answers.

A thing is there (a value), is not there (None), or could not be looked at (`Unavailable`, with the reason).
Merging the last two is how other tools come to report falsehoods.
"""

from __future__ import annotations

from typing import BinaryIO, NamedTuple, Protocol

from kdiag import errnos

#: The most that `read` takes in unless the caller knows better.
READ_LIMIT = 64 * 1024 * 1024


class Unavailable(Exception):
    """The question could not be answered; `reason` is for people, `errno` the system's number where there
    is one.
    """

    def __init__(self, reason: str, errno: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.errno = errno

    @classmethod
    def from_os_error(cls, path: str, error: OSError) -> Unavailable:
        """The answer for a failed system call on `path`."""
        number = error.errno or 0
        return cls(f"{path}: {errnos.name(number)}: {errnos.words(number)}", error.errno)


class Stat(NamedTuple):
    """What kdiag uses of stat(2). kind: file, dir, link, fifo, socket, char, block."""

    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    target: str | None = None


class Uname(NamedTuple):
    """uname(2), without the node name."""

    sysname: str
    release: str
    version: str
    machine: str


class Identity(NamedTuple):
    """Who examines the machine. memlock: RLIMIT_MEMLOCK soft and hard in bytes, -1 for unlimited."""

    uid: int
    euid: int
    groups: tuple[int, ...]
    memlock: tuple[int, int]
    interpreter: str


class CommandResult(NamedTuple):
    """What a command said. seconds: wall time, 0.0 in a recording."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    seconds: float = 0.0


class ProbeResult(NamedTuple):
    """The outcome of a harmless system call: errno 0 means that it succeeded. seconds: wall time."""

    errno: int
    detail: str = ""

    @property
    def ok(self) -> bool:
        """The call succeeded."""
        return self.errno == 0

    @property
    def name(self) -> str:
        """The errno's name, `ok` for none."""
        # 524 is the kernel's internal ENOTSUPP (include/linux/errno.h), which leaks to user space from bpf(2).
        return "ok" if self.errno == 0 else errnos.name(self.errno)

    @property
    def refused(self) -> bool:
        """The kernel, a filter or a security module did not let the caller: EPERM or EACCES."""
        return self.name in ("EPERM", "EACCES")

    def describe(self) -> str:
        """`EPERM (Operation not permitted)`, or `ok`."""
        if self.errno == 0:
            return "ok"
        return f"{self.name} ({errnos.words(self.errno)})"


class System(Protocol):
    """The examined machine. Every method raises `Unavailable` where the question could not be answered."""

    @property
    def root(self) -> str:
        """The directory that is `/` of the examined system."""

    @property
    def live(self) -> bool:
        """Whether the answers come from the running kernel of this machine, now."""

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes | None:
        """The whole regular file, None if absent. Larger than `limit` bytes, or not a file: Unavailable.

        /dev/kmsg is the kernel's log of this boot, read without waiting (`kdiag.system.kernel_log`).
        """

    def head(self, path: str, size: int) -> bytes | None:
        """The first `size` bytes of a file that may be large, None if absent."""

    def open(self, path: str) -> BinaryIO | None:
        """A seekable file for readers of a few pieces of something large, None if absent. The caller closes
        it.
        """

    def stat(self, path: str) -> Stat | None:
        """stat(2), following links, None if absent."""

    def lstat(self, path: str) -> Stat | None:
        """lstat(2), with the target of a link, None if absent."""

    def listdir(self, path: str) -> tuple[str, ...] | None:
        """The sorted names in a directory, None if absent."""

    def filesystem(self, path: str) -> int | None:
        """The superblock magic that statfs(2) gives for `path`, None if absent."""

    def which(self, name: str) -> str | None:
        """Where the caller's PATH finds a command, None if nowhere."""

    def start(self, argv: tuple[str, ...], timeout: float = 10.0) -> None:
        """Announce a command that will be asked for, so that it can run meanwhile."""

    def run(self, argv: tuple[str, ...], timeout: float = 10.0) -> CommandResult:
        """Run a command; a time-out and a command that cannot be started are Unavailable."""

    def probe(self, name: str) -> ProbeResult:
        """Make one of the harmless system calls of `kdiag.system.probes`."""

    def env(self, name: str) -> str | None:
        """An environment variable of the caller, None if unset."""

    def distribution(self) -> tuple[str, str, str] | None:
        """(id, version, name) of a system without os-release, by its distribution's own release files, None
        if none.
        """

    def uname(self) -> Uname:
        """uname(2)."""

    def identity(self) -> Identity:
        """Who asks."""
