"""The one exception of the rooms that change something, and the system's errors in its words."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from kdiag.trust.owner import Untrusted


class FixError(Exception):
    """A repair that could not be made. `message` says what happened, `hint` what a person can do ("" if nothing)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


_RETRY = "nothing was changed; run it again afterwards"


def from_os_error(error: OSError, place: Path) -> FixError:
    """The system's error while something was made in the directory `place`. Call it before anything is cleaned up:
    a full file system and a full inode table are told apart by what statvfs(2) says now.
    """
    number = error.errno or 0
    if isinstance(error, Untrusted):
        return FixError(f"{place} is not written to: {error}", "make it a directory of yours alone")
    if number == errno.ENOSPC:
        return _full(place)
    if number == errno.EDQUOT:
        return FixError(f"the disk quota is used up in {place}", f"free some space there; {_RETRY}")
    if number == errno.EROFS:
        return FixError(f"{place} is on a read-only file system", f"make it writable; {_RETRY}")
    if number in (errno.EACCES, errno.EPERM):
        return FixError(f"no permission to write to {place}: {os.strerror(number)}", "nothing was changed")
    if number in (errno.EMFILE, errno.ENFILE):
        return FixError(f"too many open files while writing to {place}", f"raise `ulimit -n`; {_RETRY}")
    what = f" ({error.filename})" if error.filename else ""
    return FixError(f"cannot write to {place}: {error.strerror or error}{what}", "nothing was changed")


def _full(place: Path) -> FixError:
    try:
        info = os.statvfs(place)
    except OSError:
        return FixError(f"no space left in {place}", f"free some space there; {_RETRY}")
    if info.f_files and not info.f_favail:
        return FixError(
            f"no inodes left on the file system of {place}",
            f"remove files that are not needed there; {_RETRY}",
        )
    free = info.f_bavail * info.f_frsize // 1_000_000
    return FixError(
        f"no space left in {place} ({free} MB free)", f"about 50 MB are needed: free some; {_RETRY}"
    )
