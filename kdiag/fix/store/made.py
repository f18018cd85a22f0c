"""Directories that are made on the way to something: noted, and taken away again if they are the very same and empty.

Before one is made there is only its path (`/var/cache/kdiag`); afterwards it is noted with its device and inode
(`64769:1310731 /var/cache/kdiag`), by which it is told from another that came to the same place.
"""

from __future__ import annotations

import calendar
import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from kdiag import trust
from kdiag.fix.effects import without_identity
from kdiag.fix.store.places import Places

#: The kernel's clock for files lags behind the one of time(2) by a tick; a journal's time is cut to seconds.
_TICK = 2.0


def missing(directory: Path) -> tuple[str, ...]:
    """The directories that have to be made so that this one is there, outermost first."""
    return tuple(str(place) for place in reversed((directory, *directory.parents)) if not place.is_dir())


def identified(made: Iterable[str]) -> tuple[str, ...]:
    """The directories that are there, with what distinguishes them from others."""
    return tuple(map(_identified, made))


def _identified(noted: str) -> str:
    path = without_identity(noted)
    try:
        info = os.lstat(path)
    except OSError:
        return path
    return f"{info.st_dev}:{info.st_ino} {path}" if stat.S_ISDIR(info.st_mode) else path


def take_away(made: Iterable[str], *, since: str = "", same_boot: bool = False) -> None:
    """Remove those that are ours, empty, and the very ones that were made; the others stay.

    since: when they were announced (`2026-01-31T12:00:00Z`): of a change that was cut short only the paths are known,
    and what has not changed since then was there before. same_boot: whether device numbers are still the same.
    """
    for noted in reversed([*made]):
        path = without_identity(noted)
        identity = noted[: -len(path)].rstrip()

        def ours(info: os.stat_result, identity: str = identity) -> bool:
            if not identity:
                return bool(since) and info.st_ctime >= _seconds(since) - _TICK
            device, _, inode = identity.partition(":")
            return info.st_ino == int(inode) and (not same_boot or info.st_dev == int(device))

        _remove(Path(path), ours)


def sweep(places: Places) -> None:
    """Remove the store's own directories if they are empty: kdiag's by their place, whichever run made them."""
    for place in (places.headers, places.btf, places.headers.parent):
        _remove(place, lambda _info: True)


def _remove(place: Path, ours: Callable[[os.stat_result], bool]) -> None:
    with contextlib.suppress(OSError, trust.Untrusted), trust.directory(place.parent) as parent:
        info = os.stat(place.name, dir_fd=parent, follow_symlinks=False)
        if stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid() and ours(info):
            os.rmdir(place.name, dir_fd=parent)


def _seconds(text: str) -> float:
    """The time of a journal as seconds; one that cannot be read is in the future, so that nothing is removed by it."""
    try:
        return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return float("inf")
