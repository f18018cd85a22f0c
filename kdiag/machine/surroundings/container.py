"""The container that we are in, by systemd's signs and in its order (src/basic/virt.c).

The inode numbers of the initial namespaces are those of include/linux/proc_ns.h.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from kdiag.machine.surroundings.place import Place
from kdiag.machine.text import exists, read_text
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine

#: Inode numbers of the namespaces that the kernel made at boot.
INITIAL_NAMESPACES = {
    "pid": 4026531836,
    "ipc": 4026531839,
    "uts": 4026531838,
    "cgroup": 4026531835,
    "user": 4026531837,
}

_MANAGERS = {
    "docker": "Docker",
    "podman": "Podman",
    "lxc": "LXC",
    "lxc-libvirt": "libvirt-lxc",
    "systemd-nspawn": "systemd-nspawn",
    "rkt": "rkt",
    "pouch": "Pouch",
    "oci": "an OCI container",
    "wsl": "WSL",
}


class ContainerFacts:
    """The container, its storage and namespaces."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system
        self._hidden_namespaces: list[str] = []

    @cached_property
    def foreign_namespaces(self) -> tuple[str, ...] | None:
        """Which of our namespaces are not the machine's own; None if that cannot be told.

        Where one of them could not be looked at the others still tell: a PID namespace of our own is enough.
        """
        foreign: list[str] = []
        seen = False
        for name, inode in INITIAL_NAMESPACES.items():
            try:
                link = self._system.lstat(f"/proc/self/ns/{name}")
            except Unavailable as gap:
                self._hidden_namespaces.append(gap.reason)
                continue
            seen = seen or link is not None
            if link is not None and link.target and link.target != f"{name}:[{inode}]":
                foreign.append(name)
        decided = "pid" in foreign or not self._hidden_namespaces
        return tuple(foreign) if seen and decided else None

    @property
    def hidden_namespaces(self) -> tuple[str, ...]:
        """Why some of our namespaces could not be looked at."""
        return tuple(self._hidden_namespaces) if self.foreign_namespaces is None else ()

    @cached_property
    def found(self) -> Place | None:
        """The container that we are in. Raises Unavailable only if nothing at all could be looked at.

        Of a host's files whether they are a container's: /proc, and what is in its environment, is ours.
        """
        if self._machine.of_host:
            return self._node_in_docker()
        for look in (
            self._openvz,
            self._announced,
            self._kubernetes,
            self._marker_files,
            self._by_namespaces,
        ):
            place = look()
            if place is not None:
                return self._orbstack(place)
        return None

    def _node_in_docker(self) -> Place | None:
        """A node of kind, whose kernel is that of the machine below it."""
        if exists(self._system, "/kind") and exists(self._system, "/.dockerenv"):
            path = self._machine.seen_at("/kind")
            return Place("kind", "a kind node (Docker)", ((path, "exists"),))
        return None

    def _openvz(self) -> Place | None:
        if exists(self._system, "/proc/vz") and not exists(self._system, "/proc/bc"):
            return Place("openvz", "OpenVZ", (("/proc/vz", "exists, without /proc/bc"),))
        return None

    def _announced(self) -> Place | None:
        """The names that container managers leave for the programs inside."""
        for path in ("/run/host/container-manager", "/run/systemd/container"):
            name = read_text(self._system, path, 4096)
            if name:
                return Place(name, _MANAGERS.get(name, name), ((path, name),))
        try:
            data = self._system.read("/proc/1/environ", 1024 * 1024) or b""
        except Unavailable:
            return None
        for entry in data.split(b"\0"):
            if entry.startswith(b"container="):
                name = entry.partition(b"=")[2].decode("utf-8", "replace")
                if name and name != "oci":
                    return Place(name, _MANAGERS.get(name, name), (("/proc/1/environ", f"container={name}"),))
        return None

    def _kubernetes(self) -> Place | None:
        for path in (
            "/var/run/secrets/kubernetes.io/serviceaccount",
            "/run/secrets/kubernetes.io/serviceaccount",
        ):
            # An engine leaves the mount point behind in the image or a shared /var: without a token it is empty.
            if exists(self._system, path) and self._entries(path):
                return Place("kubernetes", "a Kubernetes pod", ((path, "exists"),))
        try:
            host = self._system.env("KUBERNETES_SERVICE_HOST")
        except Unavailable:
            host = None
        return (
            Place("kubernetes", "a Kubernetes pod", (("$KUBERNETES_SERVICE_HOST", "set"),)) if host else None
        )

    def _entries(self, directory: str) -> bool:
        """Whether something is in a directory; one that may not be listed counts as full."""
        try:
            return bool(self._system.listdir(directory))
        except Unavailable:
            return True

    @cached_property
    def storage(self) -> str | None:
        """Whose storage the root file system is in, by its overlay: `containers` (podman, CRI-O), `docker`,
        `containerd`; None where it is in none of these.
        """
        try:
            root = self._machine.tracing.mounts.covering("/")
        except Unavailable:
            return None
        if root is None or root.fstype not in ("overlay", "fuse.fuse-overlayfs", "btrfs", "zfs"):
            return None
        where = " ".join((root.root, *root.super_options))
        for sign, name in (
            ("/containers/storage/", "containers"),
            ("/docker/", "docker"),
            ("containerd", "containerd"),
        ):
            if sign in where:
                return name
        return None

    @property
    def _as_the_machine(self) -> bool:
        """Whether all namespaces are the machine's, that of users aside: no engine makes a container of that alone, and
        `unshare -Ur` does.
        """
        return self.foreign_namespaces in ((), ("user",))

    @cached_property
    def _given_by_engine(self) -> str | None:
        """What an engine mounts into every container and no machine has; None where none of it is there."""
        if self.storage is not None:
            return "/"
        try:
            points = {mount.mount_point for mount in self._machine.tracing.mounts}
        except Unavailable:
            return None
        return next(
            (p for p in ("/run/.containerenv", "/etc/hosts", "/etc/resolv.conf") if p in points), None
        )

    def _marker_files(self) -> Place | None:
        """/run/.containerenv and /.dockerenv, which also end up in images that are booted as a machine of
        their own. A container may have every namespace but that of mounts from its host: then these tell.
        """
        if self._as_the_machine and self._given_by_engine is None:
            return None
        if exists(self._system, "/run/.containerenv"):
            return Place("podman", "Podman", (("/run/.containerenv", "exists"),))
        if exists(self._system, "/.dockerenv"):
            kind = ("kind", "a kind node (Docker)") if exists(self._system, "/kind") else ("docker", "Docker")
            return Place(*kind, (("/.dockerenv", "exists"),))
        return None

    def _by_namespaces(self) -> Place | None:
        foreign = self.foreign_namespaces
        if "microsoft" in self._machine.kernel.release.lower():
            # A WSL 2 distribution has namespaces of its own; modules and mounts work inside as on a machine.
            return None
        if foreign and "pid" in foreign:
            signs = tuple((f"/proc/self/ns/{name}", "not the initial namespace") for name in foreign)
            return Place("namespaces", "a container of an unknown kind", signs)
        if foreign is None and exists(self._system, "/sys/fs/cgroup/cgroup.type"):
            return Place(
                "cgroup", "a container of an unknown kind", (("/sys/fs/cgroup/cgroup.type", "exists"),)
            )
        return None

    def _orbstack(self, place: Place) -> Place:
        """OrbStack's machines are containers in its one VM, with an init of their own and no /.dockerenv."""
        if "-orbstack-" in self._machine.kernel.release and place.kind in ("lxc", "namespaces", "cgroup"):
            return Place(
                "orbstack-machine", "an OrbStack machine", (*place.signs, ("uname -r", "-orbstack-"))
            )
        return place

    @cached_property
    def leftover_markers(self) -> tuple[str, ...]:
        """Container marker files on a machine whose namespaces are all its own: left from the image it
        boots.
        """
        if not self._as_the_machine or self._given_by_engine is not None:
            return ()
        return tuple(p for p in ("/.dockerenv", "/run/.containerenv") if exists(self._system, p))
