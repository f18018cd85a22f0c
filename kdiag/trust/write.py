"""Writing where a user said: a file or a directory appears whole or not at all, in the directory that the path names.

`sudo kdiag check -o report.json` in one's own checkout is usual, so the directory may be another user's, or a group's,
or /tmp. What can its owner do? The path is walked to an open directory (`walk.place`), through no link that another
user could have put there. In it, by its descriptor, a file is made under a name that is new (O_EXCL), filled and given
its mode by its own descriptor, and renamed within that directory. A user who may change names there can put anything in
the place of any of these names at any moment: what renameat(2) and unlinkat(2) then act on is a name of that
directory, which they could have changed themselves. No file elsewhere is opened, made, renamed, or given a mode.

A device or a FIFO has to be written in place. Opening one can do harm or hang, so its whole path has to be root's and
the caller's, and it is opened without waiting. /dev/stdout and /dev/fd/N are descriptors that the caller handed over.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from kdiag.trust.linux import HERE, flags
from kdiag.trust.owner import Untrusted, entry_problem
from kdiag.trust.walk import Place, place

_NEW = flags("WRONLY", "CREAT", "EXCL", "NOFOLLOW", "CLOEXEC")
_DIRECTORY = flags("RDONLY", "DIRECTORY", "NOFOLLOW", "CLOEXEC")
#: For a reader of a FIFO that was started at the same moment.
_PATIENCE, _STEP = 2.0, 0.02


def file(path: str, data: bytes) -> None:
    """Write a file whole or not at all. Raises Untrusted, or OSError.

    Its mode stays, and its owner where it is ours to give away; a new one gets the mode that the umask leaves. A link
    stays and its target is written. What is no file (/dev/null, a FIFO) is written in place.
    """
    if not HERE:
        Path(path).write_bytes(data)
        return
    with place(path) as found:
        if found.number is not None:
            pour(found.number, data)
        elif found.info is None or stat.S_ISREG(found.info.st_mode):
            _replace(found, data)
        else:
            _in_place(found, data)


def tree(path: str, files: Mapping[str, bytes]) -> None:
    """Write a directory: files by names such as `root/etc/os-release`. Raises Untrusted, or OSError.

    A new one appears whole or not at all. An empty one stays what it is and gets the entries, in the order of `files`.
    """
    if not HERE:
        for name, data in files.items():
            Path(path, name).parent.mkdir(parents=True, exist_ok=True)
            Path(path, name).write_bytes(data)
        return
    with place(path) as found:
        if found.number is not None or (found.info is not None and not stat.S_ISDIR(found.info.st_mode)):
            raise _error(errno.ENOTDIR)
        if found.info is None:
            with private(found.at) as work:
                with _made(work, "tree", 0o777) as inner:
                    _fill(inner, files)
                _publish("tree", work, found.name, found.at)
            sync(found.at)
            return
        target = os.open(found.name or ".", _DIRECTORY, dir_fd=found.at)
    try:
        if os.listdir(target):
            raise _error(errno.ENOTEMPTY)
        with private(target) as work:
            _fill(work, files)
            for name in dict.fromkeys(name.partition("/")[0] for name in files):
                _publish(name, work, name, target)
        sync(target)
    finally:
        os.close(target)


@contextlib.contextmanager
def private(at: int, name: str = "") -> Iterator[int]:
    """A descriptor of a new directory of our own in the directory `at`. In the end it is gone, with all that is in it:
    what bears its name by then may be another one.
    """
    name = name or fresh_name()
    with _made(at, name, 0o700) as fd:
        try:
            yield fd
        finally:
            _empty(fd)
            with contextlib.suppress(OSError):
                os.rmdir(name, dir_fd=at)


def fresh_name() -> str:
    """A hidden name that nothing has yet."""
    return f".kdiag-{os.urandom(8).hex()}"


def erase(at: int, name: str) -> None:
    """Remove a directory, and all that is in it, in a directory `at` that only root and the caller can change."""
    fd = os.open(name, _DIRECTORY, dir_fd=at)
    try:
        _empty(fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=at)


def _empty(fd: int) -> None:
    with os.scandir(fd) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in found:
        if is_directory:
            erase(fd, name)
        else:
            os.unlink(name, dir_fd=fd)


def new(at: int, name: str, data: bytes, mode: int = 0o666) -> None:
    """Write a file that is not there yet in the directory `at`, to the disk. Raises OSError."""
    fd = os.open(name, _NEW, mode, dir_fd=at)
    try:
        pour(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)


def replace(at: int, name: str, data: bytes, mode: int, *, by: str = "") -> None:
    """Write a file whole or not at all in the directory `at`, to the disk, with this very mode. Raises OSError."""
    temporary = by or fresh_name()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=at)
    fd = os.open(temporary, _NEW, 0o600, dir_fd=at)
    try:
        try:
            pour(fd, data)
            os.fchmod(fd, mode)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, name, src_dir_fd=at, dst_dir_fd=at)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=at)
        raise
    sync(at)


def pour(fd: int, data: bytes) -> None:
    """Write all of it, also to a pipe that another program made non-blocking. Raises OSError."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(fd, left) :]
        except BlockingIOError:
            select.select([], [fd], [])


def sync(at: int) -> None:
    """Make renames in the directory last; some file systems cannot sync directories, and need not."""
    with contextlib.suppress(OSError):
        fd = os.open(".", _DIRECTORY, dir_fd=at)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _replace(found: Place, data: bytes) -> None:
    """A new file beside the name, then the name for it."""
    temporary = f".{found.name[:50]}.{os.urandom(8).hex()}"
    # The kernel knows the umask; a mode that is to stay is set when the file is full.
    fd = os.open(temporary, _NEW, 0o666 if found.info is None else 0o600, dir_fd=found.at)
    try:
        try:
            pour(fd, data)
            if found.info is not None:
                _dress(fd, found)
            os.fsync(fd)
            ours = os.fstat(fd)
        finally:
            os.close(fd)
        os.rename(temporary, found.name, src_dir_fd=found.at, dst_dir_fd=found.at)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=found.at)
        raise
    there = os.stat(found.name, dir_fd=found.at, follow_symlinks=False)
    if (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
        raise Untrusted(f"another user changed {found.name} while it was written")
    sync(found.at)


def _dress(fd: int, found: Place) -> None:
    """Owner and mode as they were. A file that was put by another user into a directory of ours (or into /tmp, before
    we came) is not given to them.
    """
    before, parent = found.info, found.parent
    if before is None or parent is None:
        return
    if parent.st_mode & 0o022 and before.st_uid not in (os.geteuid(), 0, parent.st_uid):
        umask = os.umask(0o022)
        os.umask(umask)
        os.fchmod(fd, 0o666 & ~umask)
        return
    if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
        with contextlib.suppress(OSError):  # not ours to give away: the mode still stays
            os.fchown(fd, before.st_uid, before.st_gid)
    os.fchmod(fd, before.st_mode & 0o777)


def _in_place(found: Place, data: bytes) -> None:
    """Into a character device or a FIFO, if no other user could have put it there."""
    info, parent = found.info, found.parent
    assert info is not None and parent is not None  # noqa: S101
    kinds = {stat.S_IFDIR: "a directory", stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a block device"}
    if (kind := kinds.get(stat.S_IFMT(info.st_mode))) is not None:
        raise OSError(errno.EISDIR if kind == "a directory" else errno.EINVAL, f"it is {kind}")
    kind = "FIFO" if stat.S_ISFIFO(info.st_mode) else "device"
    if why := found.shared or entry_problem(info, parent, found.name):
        raise Untrusted(f"it is a {kind} that another user could have put there: {why}")
    fd = _opened(found, time.monotonic() + _PATIENCE)
    try:
        there = os.fstat(fd)
        if (there.st_dev, there.st_ino) != (info.st_dev, info.st_ino):
            raise Untrusted(f"{found.name} changed while it was opened")
        os.set_blocking(fd, True)
        pour(fd, data)
    finally:
        os.close(fd)


def _opened(found: Place, deadline: float) -> int:
    """A FIFO opens for writing when it has a reader (fifo(7)): one that comes soon is waited for."""
    while True:
        try:
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
            return os.open(found.name, flags, dir_fd=found.at)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > deadline:
                raise OSError(errno.ENXIO, "no program reads from it") from None
        time.sleep(_STEP)


def _fill(at: int, files: Mapping[str, bytes]) -> None:
    """Make all files below a directory that only we know."""
    for name, data in files.items():
        *above, leaf = parts = [part for part in name.split("/") if part]
        if {".", ".."} & {*parts}:
            raise OSError(errno.EINVAL, f"{name} is no name of a file below it")
        with contextlib.ExitStack() as stack:
            place_of = at
            for part in above:
                place_of = stack.enter_context(_made(place_of, part, 0o777))
            new(place_of, leaf, data)


@contextlib.contextmanager
def _made(at: int, name: str, mode: int) -> Iterator[int]:
    """A descriptor of a directory, made if it is not there."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, mode, dir_fd=at)
    fd = os.open(name, _DIRECTORY, dir_fd=at)
    try:
        yield fd
    finally:
        os.close(fd)


def _publish(name: str, work: int, target: str, at: int) -> None:
    """Give something finished its name, where nothing was a moment ago."""
    try:
        os.rename(name, target, src_dir_fd=work, dst_dir_fd=at)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR):
            raise
        raise Untrusted(f"something else was put at {target} meanwhile") from None


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
