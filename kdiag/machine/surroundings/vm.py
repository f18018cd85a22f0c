"""The virtual machine that the kernel runs in, by systemd's signs and in its order (src/basic/virt.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.machine.surroundings.place import Place
from kdiag.machine.text import exists, read_text
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine

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


def vm(machine: Machine) -> Place | None:
    """The virtual machine that the kernel runs in, None where no file shows one."""
    if _ec2_metal(machine):
        return None
    for look in (_vendor_vm, _gvisor, _dmi, _xen, _device_tree, _cpuinfo):
        place = look(machine)
        if place is not None:
            return place
    return None


def _vendor_vm(machine: Machine) -> Place | None:
    """Kernels that only ever run in one vendor's virtual machine."""
    release = machine.kernel.release
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
            if exists(machine.system, path):
                return Place(kind, name, ((path, "exists"),))
        except Unavailable:
            continue
    return None


def _gvisor(machine: Machine) -> Place | None:
    version = machine.kernel.proc_version or ""
    # gVisor's build date is a constant (pkg/sentry/kernel/version.go), its release a setting.
    if "-gvisor" in machine.kernel.release or "Sun Jan 10 15:06:54 PST 2016" in version:
        return Place("gvisor", "gVisor", (("/proc/version", version),))
    return None


def _dmi(machine: Machine) -> Place | None:
    values: dict[str, str] = {}
    for field, prefix, name in _DMI:
        path = f"/sys/class/dmi/id/{field}"
        if field not in values:
            try:
                values[field] = read_text(machine.system, path, 4096) or ""
            except Unavailable:
                values[field] = ""
        if values[field].startswith(prefix):
            return Place(name.lower().split(" ")[0], name, ((path, values[field]),))
    return None


def _ec2_metal(machine: Machine) -> bool:
    """Amazon's machines without a hypervisor: i3.metal, m7i.metal-24xl. The vendor is the same."""
    try:
        vendor = read_text(machine.system, "/sys/class/dmi/id/sys_vendor", 4096)
        product = read_text(machine.system, "/sys/class/dmi/id/product_name", 4096) or ""
    except Unavailable:
        return False
    return vendor == "Amazon EC2" and product.partition(".")[2].partition("-")[0] == "metal"


def _xen(machine: Machine) -> Place | None:
    """The type is xen also in the domain that owns the hardware (systemd, detect_vm_xen_dom0)."""
    kind = read_text(machine.system, "/sys/hypervisor/type", 4096)
    if kind != "xen" or _xen_owner(machine):
        return None
    return Place("xen", "Xen", (("/sys/hypervisor/type", kind),))


def _xen_owner(machine: Machine) -> bool:
    """Whether this is Xen's first domain: XENFEAT_dom0, bit 11 (include/xen/interface/features.h)."""
    features = read_text(machine.system, "/sys/hypervisor/properties/features", 4096)
    if features is not None:
        try:
            return bool(int(features, 16) >> 11 & 1)
        except ValueError:
            pass
    return "control_d" in (read_text(machine.system, "/proc/xen/capabilities", 4096) or "").split(",")


def _device_tree(machine: Machine) -> Place | None:
    path = "/proc/device-tree/hypervisor/compatible"
    kind = (machine.system.read(path, 4096) or b"").decode("utf-8", "replace").strip("\0\n")
    return Place("kvm", "KVM", ((path, kind),)) if kind.startswith("linux,kvm") else None


def _cpuinfo(machine: Machine) -> Place | None:
    data = machine.system.read("/proc/cpuinfo", 4 * 1024 * 1024) or b""
    if b"User Mode Linux" in data[:2000]:
        return Place("uml", "User Mode Linux", (("/proc/cpuinfo", "vendor_id User Mode Linux"),))
    line = next((part for part in data[:8000].splitlines() if part.startswith(b"flags")), b"")
    if b" hypervisor " not in line + b" ":
        return None
    release, signs = machine.kernel.release, (("/proc/cpuinfo", "the hypervisor flag"),)
    if "-fc-" in release or "virtio_mmio.device=" in machine.kernel.command_line:
        return Place("firecracker", "a Firecracker microVM", (*signs, ("uname -r, /proc/cmdline", release)))
    try:
        no_firmware_tables = not exists(machine.system, "/sys/class/dmi/id")
    except Unavailable:
        no_firmware_tables = False
    if no_firmware_tables:
        return Place(
            "microvm",
            "a VM without PC firmware",
            (*signs, ("/sys/class/dmi/id", "absent: no PC firmware")),
        )
    return Place("vm", "a virtual machine", signs)
