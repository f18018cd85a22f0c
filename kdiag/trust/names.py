"""One change of one name, in a directory that only root and the caller can change: what `kdiag fix` does by name.

Each function walks to the directory anew (`walk.directory`), which raises Untrusted where another user has a hand in
the way, and acts in it by its descriptor. All raise OSError.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from kdiag.trust import write
from kdiag.trust.linux import flags
from kdiag.trust.walk import directory

_ALWAYS = flags("NOFOLLOW", "NONBLOCK", "CLOEXEC")


def opened(path: Path, how: int, mode: int = 0o600) -> int:
    """A descriptor of a file, as open(2) gives it with the flags `how`; never through a link, never waiting."""
    with directory(path.parent) as at:
        return os.open(path.name, how | _ALWAYS, mode, dir_fd=at)


def replace(path: Path, data: bytes, mode: int, *, by: str) -> None:
    """Write a file whole or not at all, to the disk, with this very mode. by: the name it has until it is full, by
    which what an interrupted run left is known and replaced.
    """
    with directory(path.parent) as at:
        write.replace(at, path.name, data, mode, by=by)


def mkdir(path: Path, mode: int) -> None:
    """Make a directory; one that is there is fine."""
    with directory(path.parent) as at, contextlib.suppress(FileExistsError):
        os.mkdir(path.name, mode, dir_fd=at)


def rmdir(path: Path) -> None:
    """Remove an empty directory."""
    with directory(path.parent) as at:
        os.rmdir(path.name, dir_fd=at)


def unlink(path: Path) -> None:
    """Remove a file, or a link."""
    with directory(path.parent) as at:
        os.unlink(path.name, dir_fd=at)


def symlink(target: str, path: Path) -> None:
    """Make a link."""
    with directory(path.parent) as at:
        os.symlink(target, path.name, dir_fd=at)


def sync(place: Path) -> None:
    """Make what was done to the names in a directory last."""
    with directory(place) as at:
        os.fsync(at)
