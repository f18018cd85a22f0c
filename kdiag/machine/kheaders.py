"""kheaders: the archive of the kernel's own headers that the kernel itself can provide (CONFIG_IKHEADERS)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kdiag.parse.compression import decompress
from kdiag.parse.errors import ParseError
from kdiag.parse.kheaders import from_module, quick
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine
    from kdiag.parse.kheaders import ArchiveInfo

ARCHIVE = "/sys/kernel/kheaders.tar.xz"

#: Why a module cannot be loaded here although its file can be seen.
OF_HOST = "its file is on the host's side, where modprobe here does not look"

#: Four distributions' archives have 3 to 6 MB.
_LIMIT = 64 * 1024 * 1024


class ModuleState(NamedTuple):
    """Where the kheaders module stands.

    state: `loaded`, `builtin`, `loadable`, `blocked` (on disk, loading impossible), `deleted` (listed, file
    gone), `not-installed` (configured, no file), `absent` (not in modules.dep, no config tells why), `off` (by the
    configuration), `no-modules` (nothing can be loaded, no config tells more), `unknown`.
    """

    state: str
    path: str | None
    reasons: tuple[tuple[str, str], ...] = ()


class Kheaders:
    """The archive, the module, and whether headers can be had from either."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system

    @cached_property
    def archive(self) -> bytes | None:
        """The archive that the kernel provides, None if it provides none."""
        data = self._system.read(ARCHIVE, _LIMIT)
        if data is None and self._system.stat("/sys/kernel") is None:
            raise Unavailable("/sys is not mounted: whether the kernel provides kheaders is not known")
        return data

    @cached_property
    def archive_info(self) -> ArchiveInfo | None:
        """What the archive's beginning shows: architecture, release. Raises ParseError for a broken one."""
        return None if self.archive is None else quick(self.archive)

    @cached_property
    def configured(self) -> str | None:
        """CONFIG_IKHEADERS as seen (`y`, `m`, `n`), None where no config says."""
        try:
            return self._machine.config.value("IKHEADERS") or "n"
        except Unavailable:
            return None

    @cached_property
    def module(self) -> ModuleState:
        """The state of the module; presence before configuration."""
        modules = self._machine.modules
        try:
            loaded = modules.loaded
        except Unavailable:
            loaded = frozenset()
        if loaded and "kheaders" in loaded:
            return ModuleState("loaded", None)
        sides = tuple(dict.fromkeys((self._machine, self._machine.origin)))
        for side in sides:
            path = side.modules.find("kheaders")
            if path is not None:
                return self._on_disk(side, path)
        if any(side.modules.builtin("kheaders") for side in sides) or self.configured == "y":
            return ModuleState("builtin", None)
        if self.configured is not None:
            return ModuleState("not-installed" if self.configured == "m" else "off", None)
        if loaded is None:
            return ModuleState("no-modules", None)
        # modules.dep of this release is complete: the kernel has no such module, or another package does.
        listed = any(side.modules.directory is not None for side in sides)
        return ModuleState("absent" if listed else "unknown", None)

    def _on_disk(self, side: Machine, path: str) -> ModuleState:
        """The module's file; that of a host can be read here, and modprobe here does not look for it there."""
        seen = side.seen_at(path)
        if self._system.stat(seen) is None:
            return ModuleState("deleted", seen)
        obstacles = self._machine.modules.obstacles
        if side.of_host:
            obstacles = (("", OF_HOST), *obstacles)
        return ModuleState("blocked" if obstacles else "loadable", seen, obstacles)

    @cached_property
    def archive_in_module(self) -> ArchiveInfo | None:
        """What the archive inside the module file on disk shows, None without such a file.

        The file need not be loaded: the archive lies in .rodata between two symbols (kernel/kheaders.c).
        Raises Unavailable or ParseError.
        """
        path = self.module.path
        data = None if path is None or self.module.state == "deleted" else self._system.read(path, _LIMIT)
        return None if data is None else quick(from_module(decompress(data, limit=_LIMIT)))

    @cached_property
    def problem(self) -> str:
        """Why the kernel's archive must not be used, empty if it is sound (its beginning is judged) or
        absent.
        """
        try:
            info = self.archive_info
        except ParseError as error:
            return f"broken: {error}"
        if info is None:
            return ""
        return mismatch(self._machine, info)


def mismatch(machine: Machine, info: ArchiveInfo) -> str:
    """How an archive does not fit the running kernel and this user space, empty if it fits as far as is
    known.
    """
    try:
        arch: str | None = machine.kernel.source_arch
    except Unavailable:
        arch = None
    if arch and info.archs and arch not in info.archs:
        return f"holds headers for {', '.join(sorted(info.archs))} only, while this user space is {arch}"
    if info.release and info.release != machine.kernel.release:
        return f"belongs to {info.release}, not to {machine.kernel.release}"
    return ""
