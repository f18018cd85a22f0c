"""One fix at a time: a lock (flock) on a file beside the journal, and the directory that both live in."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from kdiag import trust
from kdiag.fix.effects import without_identity
from kdiag.fix.errors import FixError
from kdiag.fix.store.made import identified, take_away
from kdiag.trust import names

#: Unpacking takes seconds, installing packages minutes.
PATIENCE = 900.0
_STEP = 0.02


@contextlib.contextmanager
def locked(
    directory: Path, *, patience: float = PATIENCE, waiting: Callable[[str], None] | None = None
) -> Iterator[int]:
    """Hold the lock of `directory`, which is made if need be (mode 0700). Yields the lock's file descriptor.

    A child that inherits the descriptor keeps the lock for as long as it runs: if we are killed while a
    modprobe is on its way, the next fix waits for its end. waiting: called once with a text, if another process
    holds the lock.
    """
    fd = _acquire(directory, time.monotonic() + patience, waiting)
    try:
        yield fd
    finally:
        os.close(fd)


def discard(directory: Path) -> None:
    """Remove the lock and the directory if nothing else is in it, and what was made for it. Only for the holder
    of the lock. Others who wait for the removed file notice, and start anew.
    """
    lock = directory / "lock"
    if not any(name != lock.name for name in _names(directory)):
        with contextlib.suppress(OSError):
            made = [os.fsdecode(name) for name in _signed(lock)]
            names.unlink(lock)
            names.rmdir(directory)
            take_away(name for name in made if str(directory).startswith(f"{without_identity(name)}/"))


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return ["unknown"]


def _acquire(directory: Path, deadline: float, waiting: Callable[[str], None] | None) -> int:
    told = False
    while True:
        fd, made = _open(directory)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_current(fd, directory / "lock"):
                with contextlib.suppress(OSError):  # a full disk: others will not know who we are
                    _sign(fd, made)
                return fd
            # Its last holder removed it before we got it.
            os.close(fd)
        except BlockingIOError:
            holder = os.pread(fd, 20, 0).partition(b"\0")[0].decode("ascii", "replace") or "unknown"
            os.close(fd)
            if time.monotonic() > deadline:
                raise FixError(
                    f"another kdiag (pid {holder}), or a program it started, holds {directory / 'lock'}",
                    "wait for its end, or end it",
                ) from None
            if waiting is not None and not told:
                told = True
                waiting(f"waiting for another kdiag (pid {holder})")
            time.sleep(_STEP)
        except OSError as error:
            os.close(fd)
            raise _refused(directory / "lock", error) from None


def _sign(fd: int, made: tuple[str, ...]) -> None:
    """Write who holds the lock, and which directories were made for it: by us, or by an earlier holder."""
    before = _noted(fd)
    paths = before or [os.fsencode(name) for name in made]
    os.ftruncate(fd, 0)
    os.pwrite(fd, b"\0".join((str(os.getpid()).encode(), *paths)), 0)


def _noted(fd: int) -> list[bytes]:
    return os.pread(fd, 1 << 16, 0).split(b"\0")[1:]


def _signed(lock: Path) -> list[bytes]:
    fd = names.opened(lock, os.O_RDONLY)
    try:
        return _noted(fd)
    finally:
        os.close(fd)


def _open(directory: Path) -> tuple[int, tuple[str, ...]]:
    """The lock's file, and the directories above its own that had to be made."""
    for _ in range(100):
        parents = reversed(directory.parents)
        made = tuple(str(place) for place in parents if not place.is_dir())
        _prepare(directory)
        made = identified(made)
        path = directory / "lock"
        try:
            fd = names.opened(path, os.O_RDWR | os.O_CREAT)
        except FileNotFoundError:
            # An undo removed the directory between our two steps.
            continue
        except OSError as error:
            with contextlib.suppress(OSError):
                names.rmdir(directory)  # made for nothing, if it is empty
            raise _refused(path, error) from None
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid():
            os.close(fd)
            raise FixError(f"{path} is not a lock of ours (uid {info.st_uid})", "look at it and remove it")
        return fd, made
    raise FixError(f"{directory} comes and goes", "try again")


def _prepare(directory: Path) -> None:
    """Make the directory for us alone, or check that no other user could change it."""
    try:
        with trust.directory(directory, make=0o700):
            pass
    except trust.Untrusted as error:
        raise FixError(
            f"the journal's directory is not used: {error}",
            "an undo does what the journal says: it has to be in a directory that only you can write to",
        ) from None
    except FileNotFoundError:
        return  # an undo is removing it
    except NotADirectoryError:
        raise FixError(f"{directory} is not a directory", "move it away") from None
    except OSError as error:
        raise _refused(directory, error) from None


def _is_current(fd: int, path: Path) -> bool:
    try:
        there = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    mine = os.fstat(fd)
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)


def _refused(path: Path, error: OSError) -> FixError:
    hint = "nothing is changed without a journal, so that everything can be undone"
    if error.errno in (errno.EACCES, errno.EPERM):
        hint += "; is this your own directory?"
    if error.errno == errno.ELOOP:
        hint = "it is a symbolic link: remove it"
    return FixError(f"{path}: {error.strerror}", hint)
