"""Kernel modules: where they are, what is loaded, and whether loading is possible at all."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from kdiag.machine.kernel import MODULE_DIRS, releases
from kdiag.machine.text import read_text
from kdiag.parse.errors import ParseError
from kdiag.parse.modules import find, find_builtin
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine


class Modules:
    """The modules of the examined kernel's release."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system

    @cached_property
    def directory(self) -> str | None:
        """The module directory of this very release, None if there is none (in a container: the image has
        none).
        """
        release = self._machine.kernel.release
        for base in MODULE_DIRS:
            if self._system.stat(f"{base}/{release}") is not None:
                return f"{base}/{release}"
        return None

    @cached_property
    def other_releases(self) -> tuple[str, ...]:
        """Releases other than the examined one that have a module directory here, the newest last."""
        found = releases(name for base in MODULE_DIRS for name in self._system.listdir(base) or ())
        return tuple(name for name in found if name != self._machine.kernel.release)

    @cached_property
    def outdated(self) -> bool:
        """Whether the kernel was upgraded and not rebooted: other releases are installed here, the running one is not.

        Not said in a container, nor of a kernel that comes with a product: there the files are another kernel's.
        """
        identity = self._machine.kernel.identity
        return (
            self.directory is None
            and bool(self.other_releases)
            and self._machine.environment.container is None
            and not (identity is not None and identity.vendor)
        )

    @cached_property
    def _dependencies(self) -> bytes | None:
        return None if self.directory is None else self._system.read(f"{self.directory}/modules.dep")

    def find(self, name: str) -> str | None:
        """The full path of a module that modules.dep lists for this release, None if it lists none.

        The file itself may be gone: `stat` it.
        """
        data = self._dependencies
        if data is None:
            return None
        try:
            entry = find(data, name)
        except ParseError as error:
            raise Unavailable(f"{self.directory}/modules.dep: {error}") from None
        if entry is None:
            return None
        return entry.path if entry.path.startswith("/") else f"{self.directory}/{entry.path}"

    def builtin(self, name: str) -> bool | None:
        """Whether modules.builtin lists the module as compiled in; None without that file."""
        if self.directory is None:
            return None
        data = self._system.read(f"{self.directory}/modules.builtin")
        return None if data is None else find_builtin(data, name) is not None

    @cached_property
    def loaded(self) -> frozenset[str] | None:
        """Names of the loaded modules; None if this kernel has no loadable modules (no /proc/modules)."""
        text = read_text(self._system, "/proc/modules", 8 * 1024 * 1024)
        if text is None:
            return None
        return frozenset(line.split(" ", 1)[0] for line in text.splitlines() if line)

    @cached_property
    def kmod(self) -> str | None:
        """Where modprobe is, None if nowhere."""
        return self._system.which("modprobe") or next(
            (p for p in ("/usr/sbin/modprobe", "/sbin/modprobe") if self._system.stat(p) is not None), None
        )

    @cached_property
    def obstacles(self) -> tuple[tuple[str, str], ...]:
        """What forbids loading a module: (finding id or empty, reason). Empty: loading is possible as far
        as is known.
        """
        reasons: list[tuple[str, str]] = []
        if self.loaded is None:
            reasons.append(("config.MODULES", "this kernel has no loadable modules (no /proc/modules)"))
            return tuple(reasons)
        privileges = self._machine.privileges
        if privileges.sysctl("kernel.modules_disabled") == 1:
            reasons.append(
                (
                    "sysctl.kernel.modules_disabled",
                    "kernel.modules_disabled is 1: no module can be loaded until the next boot",
                )
            )
        if not privileges.initial_user_namespace:
            reasons.append(("privileges.userns", "root of a user namespace cannot load modules"))
        elif not privileges.has("CAP_SYS_MODULE"):
            reasons.append(("privileges.capabilities", "CAP_SYS_MODULE is missing"))
        if self.kmod is None:
            reasons.append(("", "modprobe is not installed (package kmod)"))
        return tuple(reasons)
