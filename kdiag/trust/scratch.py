"""Temporary files, below a directory in which no other user can put anything in their place.

$TMPDIR counts only if it is such a directory: under `sudo -E` it may be another user's.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from kdiag.trust import write
from kdiag.trust.walk import directory


@contextlib.contextmanager
def filled(files: Mapping[str, bytes]) -> Iterator[Path]:
    """A private directory with these files, for a library that works on names; gone in the end. Raises OSError."""
    with _open_place() as (place, at):
        name = write.fresh_name()
        with write.private(at, name) as fd:
            for leaf, data in files.items():
                write.new(fd, leaf, data, 0o600)
            yield place / name


def kept(prefix: str, suffix: str, data: bytes) -> Path:
    """Write a new file that stays, for the caller alone, under a name that cannot be guessed. Raises OSError."""
    with _open_place() as (place, at):
        name = f"{prefix}{os.urandom(8).hex()}{suffix}"
        write.new(at, name, data, 0o600)
        return place / name


@contextlib.contextmanager
def _open_place() -> Iterator[tuple[Path, int]]:
    with contextlib.ExitStack() as stack:
        for name in (os.environ.get("TMPDIR", ""), "/tmp", "/var/tmp"):  # noqa: S108  judged, and new names only
            place = Path(name)
            if place.is_absolute():
                with contextlib.suppress(OSError):
                    at = stack.enter_context(directory(place))
                    if os.access(".", os.W_OK | os.X_OK, dir_fd=at):
                        break
        else:
            text = "no directory for temporary files that other users cannot change: set TMPDIR"
            raise OSError(errno.ENOENT, text)
        yield place, at
