"""The host whose files a container can see: a pod has this kernel, its own tools, and its node's files in a mount."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kdiag.machine.kernel import MODULE_DIRS
from kdiag.system import Unavailable
from kdiag.system.below import HOSTS, VARIABLE, Below, is_root

if TYPE_CHECKING:
    from kdiag.machine import Machine
    from kdiag.system import Stat


#: Inside of a toolbox and of a distrobox there is a program for it.
_WAYS_OF_TOOLBOXES = ("distrobox-host-exec", "flatpak-spawn --host")


class Found(NamedTuple):
    """Where the host's files are. sure: what shows that they are of the running kernel's machine, empty for a guess;
    asked: named by the caller.
    """

    directory: str
    sure: str
    asked: bool


class Host:
    """Found once. Without a host's root every question here says so with None."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system

    @cached_property
    def found(self) -> Found | None:
        """The directory named by the caller, else a mount that has a whole system below it. Raises where the
        mounts cannot be seen: that is not a lack of them.
        """
        if self._machine.of_host or not self._machine.kernel.release_is_running:
            return None
        asked = self._asked()
        if asked:
            return Found(asked, self._proof(asked), asked=True) if self._is_root(asked) else None
        for directory in self._mounted():
            if self._is_root(directory):
                return Found(directory, self._proof(directory), asked=False)
        return None

    def _asked(self) -> str:
        try:
            return (self._system.env(VARIABLE) or "").rstrip("/")
        except Unavailable:
            return ""

    def _mounted(self) -> tuple[str, ...]:
        """The usual places where something is mounted that is not this very root once more."""
        mounts = self._machine.tracing.mounts
        own = mounts.covering("/")
        here = None if own is None else (own.device, own.root)
        found = ((directory, mounts.at(directory)) for directory in HOSTS)
        return tuple(d for d, mount in found if mount is not None and (mount.device, mount.root) != here)

    def _is_root(self, directory: str) -> bool:
        return is_root(lambda name: self._stat(f"{directory}/{name}") is not None)

    def _proof(self, directory: str) -> str:
        """The modules of the running release: another system's root, mounted to be repaired, hardly has them."""
        release = self._machine.kernel.release
        return next(
            (f"{directory}{d}/{release}" for d in MODULE_DIRS if self._stat(f"{directory}{d}/{release}")), ""
        )

    def _stat(self, path: str) -> Stat | None:
        try:
            return self._system.stat(path)
        except Unavailable:
            return None

    @cached_property
    def machine(self) -> Machine | None:
        """The facts of the host's files for this kernel; None without a host, and for one that is only a guess."""
        try:
            found = self.found
        except Unavailable:
            return None
        return None if found is None or not (found.sure or found.asked) else self._files

    @cached_property
    def name(self) -> str:
        """What the system in the found directory calls itself, the host's or not."""
        try:
            system = None if self._files is None else self._files.kernel.os_release
        except Unavailable:
            system = None
        return (system.pretty_name or system.id or "no name") if system is not None else "no name"

    @property
    def place(self) -> str:
        """Its name and where its files are, empty without a host."""
        found = self.found if self.machine is not None else None
        return f"{self.name}, in {found.directory}" if found is not None else ""

    @cached_property
    def way(self) -> str:
        """What a command for the host begins with when it is typed here; empty where that does not work.

        nsenter(1) takes the mounts of the first process, where that is the host's. chroot(1) has the files only, so
        nothing can be installed through a mount that is to be read only.
        """
        found, system = self.found, self._system
        if found is None:
            return ""
        try:
            for program in _WAYS_OF_TOOLBOXES:
                if found.directory == "/run/host" and system.which(program.partition(" ")[0]):
                    return program
            privileges = self._machine.privileges
            if not privileges.initial_user_namespace or not privileges.has("CAP_SYS_CHROOT"):
                return ""
            foreign = self._machine.environment.foreign_namespaces
            if foreign is not None and "pid" not in foreign and privileges.has("CAP_SYS_ADMIN"):
                return "nsenter --target 1 --mount --"
            mount = self._machine.tracing.mounts.covering(found.directory)
        except Unavailable:
            return ""
        return "" if mount is None or mount.read_only else f"chroot {found.directory}"

    @cached_property
    def _files(self) -> Machine | None:
        found = self.found
        if found is None:
            return None
        # The class of the facts that were asked: importing it here would close a circle.
        return type(self._machine)(Below(self._system, found.directory), self._machine.survey)
