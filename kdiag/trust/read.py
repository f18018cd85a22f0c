"""Reading files that a user named: never more than is asked for, never waiting for a file that has no end.

Only regular files are opened, whatever the name leads to: opening a FIFO waits for a writer, opening a tape rewinds
it, opening a watchdog starts it. A pipe is read where the caller handed it over: `-`, /dev/stdin, `<(command)`.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from typing import BinaryIO

from kdiag.trust.linux import HERE, flags
from kdiag.trust.owner import Untrusted, entry_problem
from kdiag.trust.walk import descriptor, place

#: The kernel's own files can wait without end as well (/proc/kmsg): what is there is read.
_FLAGS = flags("RDONLY", "NONBLOCK", "NOCTTY", "CLOEXEC")
_PIECE = 1 << 20
_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a block device",
}


class NotAFile(OSError):
    """A FIFO, a socket, a device: opening it could hang, or do harm."""


def opened(path: str) -> io.BufferedReader:
    """The file behind a name that the user gave, through whatever links. Raises OSError, with the reason in
    `strerror`, or ValueError for what no path can be.
    """
    if not HERE:
        return open(path, "rb")
    number = descriptor(path)
    if number is not None:
        return os.fdopen(os.dup(number), "rb")
    seen = os.open(path, flags("PATH", "CLOEXEC"))  # opens nothing: no driver is asked
    try:
        return _reopened(seen, path)
    finally:
        os.close(seen)


def user_file(path: str, limit: int) -> bytes:
    """All of a file that the user named. Raises OSError, also for more than `limit` bytes, or ValueError."""
    with opened(path) as file:
        return _bounded(file, limit)


def head(path: str, size: int) -> bytes:
    """The first bytes of a file that the user named. Raises OSError, or ValueError."""
    with opened(path) as file:
        return file.read(size)


def below(base: str, name: str, limit: int) -> bytes:
    """All of a file in a directory that the user named, which may be another user's: links lead to places in it, and
    nowhere else, also if they change meanwhile. Raises OSError, or ValueError.
    """
    top = os.path.realpath(base)
    hops = os.path.relpath(os.path.realpath(os.path.join(top, name)), top).split(os.sep)
    if ".." in hops:
        raise Untrusted("a link leads out of the directory")
    if not HERE:
        return user_file(os.path.join(top, *hops), limit)
    fds = [os.open(top, flags("PATH", "CLOEXEC"))]
    try:
        for hop in hops:
            fds.append(os.open(hop, flags("PATH", "NOFOLLOW", "CLOEXEC"), dir_fd=fds[-1]))
            if stat.S_ISLNK(os.fstat(fds[-1]).st_mode):
                raise Untrusted("it changed while it was opened")
        with _reopened(fds[-1], hops[-1], fds[-2]) as file:
            return _bounded(file, limit)
    finally:
        for fd in fds:
            os.close(fd)


def own_file(path: str, limit: int) -> bytes:
    """All of a file that no user but root and the caller can have put there. Raises Untrusted, or OSError."""
    if not HERE:
        return user_file(path, limit)
    with place(path, strict=True) as found:
        if found.number is not None:
            with opened(path) as file:
                return _bounded(file, limit)
        if found.info is None or found.parent is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        _regular(found.info)
        with _Steady(os.open(found.name or ".", _FLAGS | flags("NOFOLLOW"), dir_fd=found.at), "rb") as raw:
            info = os.fstat(raw.fileno())
            _regular(info)
            if why := entry_problem(info, found.parent, path):
                raise Untrusted(why)
            return _bounded(io.BufferedReader(raw), limit)


def _reopened(seen: int, name: str, at: int | None = None) -> io.BufferedReader:
    """The file for reading that `seen` was opened on only to look. Without /proc it is opened by name: the same one."""
    info = os.fstat(seen)
    _regular(info)
    try:
        fd = os.open(f"/proc/self/fd/{seen}", _FLAGS)
    except FileNotFoundError:
        fd = os.open(name, _FLAGS, dir_fd=at)
    raw = _Steady(fd, "rb")
    there = os.fstat(fd)
    if (there.st_dev, there.st_ino) != (info.st_dev, info.st_ino):
        raw.close()
        raise Untrusted("it changed while it was opened")
    return io.BufferedReader(raw)


def _bounded(file: io.BufferedReader, limit: int) -> bytes:
    data = at_most(file, limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit} bytes")
    return data


def at_most(file: BinaryIO, limit: int) -> bytes:
    """The first bytes of a file, in pieces: `read(limit)` takes memory for all of the limit before it reads."""
    pieces: list[bytes] = []
    while limit > 0 and (piece := file.read(min(limit, _PIECE))):
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)


def _regular(info: os.stat_result) -> None:
    if stat.S_ISDIR(info.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(info.st_mode):
        kind = _KINDS.get(stat.S_IFMT(info.st_mode), "not a file")
        pipe = ": give what it holds by `-` or `<(command)`" if stat.S_ISFIFO(info.st_mode) else ""
        raise NotAFile(errno.EINVAL, f"it is {kind}, not a file{pipe}")


class _Steady(io.FileIO):
    """A file of which a read that would wait is an error."""

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        size = super().readinto(buffer)
        if size is None:
            raise BlockingIOError(errno.EAGAIN, "it has no end: reading it would wait")
        return size

    def readall(self) -> bytes:
        raise io.UnsupportedOperation("bounded reading only")
