"""Files written whole or not at all: a temporary file beside the target, synced, then renamed over it."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from contextlib import suppress

from kdiag.console import output

_LINKS = 40


class WriteError(Exception):
    """A file that could not be written; the message names it and says why."""

    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(f"cannot write {path}: {error.strerror or error}")
        self.path = path


def write_atomically(path: str, text: str) -> None:
    """Write the text as UTF-8; `-` is standard output. Raises WriteError.

    Whoever reads the file sees the old or the new one. Its mode stays (and its owner, where we may give files
    away); a new file gets the mode that the umask leaves. A symbolic link stays and its target is written. What
    is no regular file (/dev/null, a pipe) is written in place: renaming over it would replace it.
    """
    data = text.encode("utf-8", "backslashreplace")
    if path == "-":
        output.document(data)
        return
    try:
        _write(path, data)
    except OSError as error:
        raise WriteError(path, error) from error


def _write(path: str, data: bytes) -> None:
    try:
        before: os.stat_result | None = os.stat(path)
    except FileNotFoundError:
        before = None
    if before is not None and not stat.S_ISREG(before.st_mode):
        with open(path, "wb") as file:
            file.write(data)
        return
    directory, name = os.path.split(os.path.abspath(_followed(path)))
    handle, temporary = tempfile.mkstemp(prefix=f".{name[:50]}.", dir=directory)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            _dress(file.fileno(), before)
            os.fsync(file.fileno())
        os.replace(temporary, os.path.join(directory, name))
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_directory(directory)


def _followed(path: str) -> str:
    """Where a path leads through symbolic links that root or we made. Somebody else's link is refused: in a
    directory that all may write to, it could lead root's report over any file.
    """
    for _ in range(_LINKS):
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return path
        if not stat.S_ISLNK(status.st_mode):
            return path
        if status.st_uid not in (0, os.geteuid()):
            raise OSError(errno.EPERM, f"it is a symbolic link of another user (uid {status.st_uid})")
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _dress(handle: int, before: os.stat_result | None) -> None:
    """Owner and mode as they were; mkstemp makes files that only their owner reads."""
    if before is None:
        umask = os.umask(0o022)
        os.umask(umask)
        os.fchmod(handle, 0o666 & ~umask)
        return
    if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(OSError):  # not ours to give away: the mode still stays
            os.fchown(handle, before.st_uid, before.st_gid)
    os.fchmod(handle, stat.S_IMODE(before.st_mode))


def _sync_directory(directory: str) -> None:
    """Make the rename itself last; some file systems cannot sync directories, and need not."""
    with suppress(OSError):
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
