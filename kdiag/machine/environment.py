"""Where the machine runs: container, virtual machine, WSL, immutable system. From files only, in systemd's
order.

Sources: systemd src/basic/virt.c for the signals and their order; kernel include/linux/proc_ns.h for the
inode numbers of the initial namespaces.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kdiag.knowledge.image_systems import by_kind, image_system
from kdiag.machine.text import exists, read_text
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.knowledge.image_systems import ImageSystem
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

_DMI = (
    ("product_name", "KVM", "KVM"),
    ("product_name", "OpenStack", "KVM (OpenStack)"),
    ("product_name", "KubeVirt", "KVM (KubeVirt)"),
    ("sys_vendor", "Amazon EC2", "Amazon EC2"),
    ("product_name", "Amazon EC2", "Amazon EC2"),
    ("sys_vendor", "QEMU", "QEMU"),
    ("sys_vendor", "VMware", "VMware"),
    ("sys_vendor", "VMW", "VMware"),
    ("sys_vendor", "innotek GmbH", "VirtualBox"),
    ("board_vendor", "Oracle Corporation", "VirtualBox"),
    ("product_name", "VirtualBox", "VirtualBox"),
    ("sys_vendor", "Xen", "Xen"),
    ("bios_vendor", "Xen", "Xen"),
    ("bios_vendor", "Bochs", "Bochs"),
    ("sys_vendor", "Parallels", "Parallels"),
    ("bios_vendor", "Parallels", "Parallels"),
    ("bios_vendor", "BHYVE", "bhyve"),
    ("sys_vendor", "BHYVE", "bhyve"),
    ("product_version", "Hyper-V", "Hyper-V"),
    ("sys_vendor", "Apple Virtualization", "Apple Virtualization"),
    ("product_name", "Apple Virtualization", "Apple Virtualization"),
    ("product_name", "Google Compute Engine", "Google Compute Engine"),
)


class Place(NamedTuple):
    """A recognised environment. kind: stable word; name: for people; signs: (path, what was seen)."""

    kind: str
    name: str
    signs: tuple[tuple[str, str], ...]


class Environment:
    """Container, virtual machine and kind of system. Each is None where every sign was looked at and none
    was there.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._hidden_namespaces: list[str] = []
        self._system = machine.system

    # -- containers ------------------------------------------------------------------------------------------

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
    def container(self) -> Place | None:
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

    # -- virtual machines ------------------------------------------------------------------------------------

    @cached_property
    def vm(self) -> Place | None:
        """The virtual machine that the kernel runs in, None where no file shows one."""
        if self._ec2_metal():
            return None
        for look in (self._vendor_vm, self._gvisor, self._dmi, self._xen, self._device_tree, self._cpuinfo):
            place = look()
            if place is not None:
                return place
        return None

    def _vendor_vm(self) -> Place | None:
        """Kernels that only ever run in one vendor's virtual machine."""
        release = self._machine.kernel.release
        lower = release.lower()
        sign = (("uname -r", release),)
        if "microsoft" in lower or "wsl" in lower:
            wsl1 = release.startswith("4.4.0-") and release.endswith("-Microsoft")
            return Place("wsl1", "WSL 1", sign) if wsl1 else Place("wsl2", "WSL 2", sign)
        if "-orbstack-" in release:
            return Place("orbstack", "the OrbStack VM", sign)
        if "-linuxkit" in release:
            return Place("linuxkit", "a LinuxKit VM (Docker Desktop)", sign)
        for path, kind, name in (
            ("/run/lima-boot-done", "lima", "a Lima VM"),
            ("/mnt/lima-cidata/lima.env", "lima", "a Lima VM"),
        ):
            try:
                if exists(self._system, path):
                    return Place(kind, name, ((path, "exists"),))
            except Unavailable:
                continue
        return None

    def _gvisor(self) -> Place | None:
        version = self._machine.kernel.proc_version or ""
        # gVisor's build date is a constant (pkg/sentry/kernel/version.go), its release a setting.
        if "-gvisor" in self._machine.kernel.release or "Sun Jan 10 15:06:54 PST 2016" in version:
            return Place("gvisor", "gVisor", (("/proc/version", version),))
        return None

    def _dmi(self) -> Place | None:
        values: dict[str, str] = {}
        for field, prefix, name in _DMI:
            path = f"/sys/class/dmi/id/{field}"
            if field not in values:
                try:
                    values[field] = read_text(self._system, path, 4096) or ""
                except Unavailable:
                    values[field] = ""
            if values[field].startswith(prefix):
                return Place(name.lower().split(" ")[0], name, ((path, values[field]),))
        return None

    def _ec2_metal(self) -> bool:
        """Amazon's machines without a hypervisor: i3.metal, m7i.metal-24xl. The vendor is the same."""
        try:
            vendor = read_text(self._system, "/sys/class/dmi/id/sys_vendor", 4096)
            product = read_text(self._system, "/sys/class/dmi/id/product_name", 4096) or ""
        except Unavailable:
            return False
        return vendor == "Amazon EC2" and product.partition(".")[2].partition("-")[0] == "metal"

    def _xen(self) -> Place | None:
        """The type is xen also in the domain that owns the hardware (systemd, detect_vm_xen_dom0)."""
        kind = read_text(self._system, "/sys/hypervisor/type", 4096)
        if kind != "xen" or self._xen_owner():
            return None
        return Place("xen", "Xen", (("/sys/hypervisor/type", kind),))

    def _xen_owner(self) -> bool:
        """Whether this is Xen's first domain: XENFEAT_dom0, bit 11 (include/xen/interface/features.h)."""
        features = read_text(self._system, "/sys/hypervisor/properties/features", 4096)
        if features is not None:
            try:
                return bool(int(features, 16) >> 11 & 1)
            except ValueError:
                pass
        return "control_d" in (read_text(self._system, "/proc/xen/capabilities", 4096) or "").split(",")

    def _device_tree(self) -> Place | None:
        path = "/proc/device-tree/hypervisor/compatible"
        kind = (self._system.read(path, 4096) or b"").decode("utf-8", "replace").strip("\0\n")
        return Place("kvm", "KVM", ((path, kind),)) if kind.startswith("linux,kvm") else None

    def _cpuinfo(self) -> Place | None:
        data = self._system.read("/proc/cpuinfo", 4 * 1024 * 1024) or b""
        if b"User Mode Linux" in data[:2000]:
            return Place("uml", "User Mode Linux", (("/proc/cpuinfo", "vendor_id User Mode Linux"),))
        line = next((part for part in data[:8000].splitlines() if part.startswith(b"flags")), b"")
        if b" hypervisor " not in line + b" ":
            return None
        release, signs = self._machine.kernel.release, (("/proc/cpuinfo", "the hypervisor flag"),)
        if "-fc-" in release or "virtio_mmio.device=" in self._machine.kernel.command_line:
            return Place(
                "firecracker", "a Firecracker microVM", (*signs, ("uname -r, /proc/cmdline", release))
            )
        try:
            no_firmware_tables = not exists(self._system, "/sys/class/dmi/id")
        except Unavailable:
            no_firmware_tables = False
        if no_firmware_tables:
            return Place(
                "microvm",
                "a VM without PC firmware",
                (*signs, ("/sys/class/dmi/id", "absent: no PC firmware")),
            )
        return Place("vm", "a virtual machine", signs)

    # -- the system ------------------------------------------------------------------------------------------

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
