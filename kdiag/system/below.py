"""The files of a host that is mounted below a directory of this machine, on the kernel that both share."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from kdiag.system.base import (
    READ_LIMIT,
    CommandResult,
    Identity,
    ProbeResult,
    Stat,
    System,
    Uname,
    Unavailable,
)

#: Where pods, toolbox and distrobox have the root of their host. What is below is read with that as its root: an
#: absolute link of the host stays on the host.
HOSTS = ("/host", "/run/host", "/rootfs", "/hostfs", "/mnt/host", "/node")
#: Names another directory, as `kdiag check --host` does.
VARIABLE = "KDIAG_HOST"
#: Of the one kernel, whichever side is asked.
_SHARED = ("/proc/", "/sys/", "/dev/")
#: What the root of a whole system has: systemd-nspawn has nothing but an os-release in /run/host.
_OF_EVERY_ROOT = ("etc", "usr/bin")
_OS_RELEASE = ("etc/os-release", "usr/lib/os-release")
_PROGRAMS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def is_root(there: Callable[[str], bool]) -> bool:
    """Whether a directory is the root of a whole system. there: whether it has a path, which is relative to it."""
    return all(map(there, _OF_EVERY_ROOT)) and any(map(there, _OS_RELEASE))


class Below:
    """Asks `system` for the same path below `directory`, so that a recording of the one plays back the other. Nothing
    of the host is run.
    """

    def __init__(self, system: System, directory: str) -> None:
        self._system = system
        self.directory = directory

    def _path(self, path: str) -> str:
        return path if path.startswith(_SHARED) else f"{self.directory}{path}"

    @property
    def root(self) -> str:
        return self.directory

    @property
    def live(self) -> bool:
        return False

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes | None:
        return self._system.read(self._path(path), limit)

    def head(self, path: str, size: int) -> bytes | None:
        return self._system.head(self._path(path), size)

    def open(self, path: str) -> BinaryIO | None:
        return self._system.open(self._path(path))

    def stat(self, path: str) -> Stat | None:
        return self._system.stat(self._path(path))

    def lstat(self, path: str) -> Stat | None:
        return self._system.lstat(self._path(path))

    def listdir(self, path: str) -> tuple[str, ...] | None:
        return self._system.listdir(self._path(path))

    def filesystem(self, path: str) -> int | None:
        return self._system.filesystem(self._path(path))

    def which(self, name: str) -> str | None:
        for directory in _PROGRAMS:
            found = self.stat(f"{directory}/{name}")
            if found is not None and found.kind == "file" and found.mode & 0o111:
                return f"{directory}/{name}"
        return None

    def start(self, argv: tuple[str, ...], timeout: float = 10.0) -> None:
        del argv, timeout

    def run(self, argv: tuple[str, ...], timeout: float = 10.0) -> CommandResult:
        del timeout
        raise Unavailable(f"{argv[0]}: programs of the host are not run")

    def probe(self, name: str) -> ProbeResult:
        return self._system.probe(name)

    def env(self, name: str) -> str | None:
        raise Unavailable(f"${name}: the environment of the host is not known")

    def distribution(self) -> tuple[str, str, str] | None:
        return None

    def uname(self) -> Uname:
        return self._system.uname()

    def identity(self) -> Identity:
        return self._system.identity()
