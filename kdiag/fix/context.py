"""What the steps work on and with: the machine as it is now, the directories, and what limits a step's time."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kdiag.fix.store.places import Places
from kdiag.system import System, Unavailable

#: Where programs that change the machine are looked for: never along the caller's PATH. The last one is NixOS's.
TRUSTED_PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin"

Progress = Callable[[int, int], None]


def _silent(_done: int, _total: int) -> None:
    """Watch nothing."""


class Context(NamedTuple):
    """What a step is given.

    srcarch: the kernel's name of the architecture (`x86`). boot: the running boot's id. path: directories
    with modprobe and package managers. limit, long_limit: seconds for a modprobe, for a package manager.
    inherit: the lock's descriptor, for children to keep.
    """

    system: System
    places: Places
    release: str
    srcarch: str
    boot: str
    path: str = TRUSTED_PATH
    limit: float = 60.0
    long_limit: float = 1800.0
    inherit: int | None = None
    progress: Progress = _silent


def boot_id(system: System) -> str:
    """The kernel's name for the time since it started; empty if it is not known."""
    try:
        data = system.read("/proc/sys/kernel/random/boot_id", 4096)
    except Unavailable:
        return ""
    return (data or b"").decode("ascii", "replace").strip()
