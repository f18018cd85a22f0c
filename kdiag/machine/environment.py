"""Where the machine runs: container, virtual machine, WSL, immutable system. From files only."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from kdiag.knowledge.image_systems import by_kind, image_system
from kdiag.machine.surroundings.container import ContainerFacts
from kdiag.machine.surroundings.place import Place
from kdiag.machine.surroundings.vm import vm
from kdiag.machine.text import exists
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.knowledge.image_systems import ImageSystem
    from kdiag.machine import Machine


class Environment:
    """Container, virtual machine and kind of system. Each is None where every sign was looked at and none
    was there.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system
        self._container = ContainerFacts(machine)

    @property
    def container(self) -> Place | None:
        """The container that we are in. Raises Unavailable only if nothing at all could be looked at."""
        return self._container.found

    @property
    def foreign_namespaces(self) -> tuple[str, ...] | None:
        """Which of our namespaces are not the machine's own; None if that cannot be told."""
        return self._container.foreign_namespaces

    @property
    def hidden_namespaces(self) -> tuple[str, ...]:
        """Why some of our namespaces could not be looked at."""
        return self._container.hidden_namespaces

    @property
    def storage(self) -> str | None:
        """Whose storage the root file system is in: `containers`, `docker`, `containerd`; None where it is in none."""
        return self._container.storage

    @property
    def leftover_markers(self) -> tuple[str, ...]:
        """Container marker files on a machine that is none: left from the image it boots."""
        return self._container.leftover_markers

    @cached_property
    def vm(self) -> Place | None:
        """The virtual machine that the kernel runs in, None where no file shows one."""
        return vm(self._machine)

    @cached_property
    def immutable(self) -> Place | None:
        """A system whose files are not changed by a package manager."""
        if exists(self._system, "/run/ostree-booted"):
            return Place("ostree", "an ostree system", (("/run/ostree-booted", "exists"),))
        system = self._machine.kernel.os_release
        found = image_system(system)
        if system is None or found is None:
            return None
        return Place(found.kind, found.name, (("/etc/os-release", f"ID={system.id}"),))

    @cached_property
    def image(self) -> ImageSystem | None:
        """How a program comes onto such a system, None for any other."""
        if self.immutable is None:
            return None
        try:
            rpm_ostree = exists(self._system, "/usr/bin/rpm-ostree")
        except Unavailable:
            rpm_ostree = self._descends_from_fedora
        return by_kind(self.immutable.kind, rpm_ostree=rpm_ostree)

    @property
    def _descends_from_fedora(self) -> bool:
        system = self._machine.kernel.os_release
        return system is not None and system.descends_from("fedora")
