"""The kernel's own BTF: whole, absent, broken or hidden."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.btf import VMLINUX, NoBtf
from kdiag.model import Evidence, Finding, Remedy, WrongRemedy, fail, ok
from kdiag.parse.btf import BtfError
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.parse.mountinfo import Mount

_NO_BTF_REMEDIES = {
    "docker-desktop": Remedy(
        "btf.update",
        "Update Docker Desktop: its kernels have BTF since about 4.30",
        "manual",
        (),
        "the Mac or Windows host",
    ),
    "linuxkit": Remedy(
        "btf.update",
        "Update Docker Desktop: its kernels have BTF since about 4.30",
        "manual",
        (),
        "the Mac or Windows host",
    ),
    "wsl2": Remedy(
        "btf.update",
        "Update WSL: its kernels have BTF since 5.15.74.2",
        "unsafe",
        ("wsl --update", "wsl --shutdown"),
        "Windows",
    ),
}


@check("btf.vmlinux", "The kernel's BTF")
def vmlinux(machine: Machine) -> Iterator[Finding]:
    """Reads /sys/kernel/btf/vmlinux whole: header, every type record, every name and type reference; and
    looks task_struct up.

    BTF gives bpftrace structs and tracepoint arguments without kernel headers, and CO-RE tools and fentry
    live by it. A file that exists is not yet sound BTF; and where this file is present but broken, libbpf
    does not look elsewhere. See it yourself: `bpftool btf dump file /sys/kernel/btf/vmlinux | head`.
    """
    try:
        btf = machine.btf.vmlinux
    except NoBtf:
        yield _absent(machine)
        return
    except BtfError as error:
        yield fail(
            "the kernel's BTF is broken",
            reason=f"{error.message}; libbpf stops here and does not try other files",
            evidence=(Evidence(VMLINUX, str(error)),),
            wrong_remedies=(
                WrongRemedy(
                    "placing a vmlinux in /boot",
                    "libbpf does not fall back while this file exists; BPFTRACE_BTF is what helps bpftrace",
                ),
            ),
        )
        return
    task = btf.task_struct
    most = sorted(btf.counts, key=lambda item: -item[1])[:5]
    counts = ", ".join(f"{count} {kind}" for kind, count in most)
    evidence = (
        Evidence(VMLINUX, f"{btf.size} bytes, {btf.n_types} types ({counts}), {btf.byteorder}-endian"),
        Evidence("struct task_struct", "absent" if task is None else f"type {task[0]}, {task[1]} members"),
    )
    order = byte_order(machine)
    if order not in (None, btf.byteorder):
        yield fail(
            f"BTF of a {btf.byteorder}-endian machine",
            reason=f"this kernel is {order}-endian and provides its own: the file is damaged, or another machine's",
            evidence=evidence,
        )
    elif task is None:
        yield fail(
            "BTF without task_struct",
            reason="a kernel's BTF has it: this is the BTF of something else",
            evidence=evidence,
        )
    else:
        yield ok(f"BTF is whole: {btf.n_types} types", evidence=evidence)


def byte_order(machine: Machine) -> str | None:
    try:
        return machine.kernel.byteorder
    except Unavailable:
        return None


def _hidden(machine: Machine, mount: Mount) -> Finding:
    """The kernel has it, and something is mounted over it: headers would help, and are not what is missing."""
    point = mount.mount_point
    unmount = Remedy(
        "btf.unhide",
        f"Unmount {point}",
        "unsafe",
        (f"sudo umount {point}",),
        needs=("root",),
    )
    if machine.confinement.no_mount:
        title = f"Start it without the mount over {point}"
        where = "the host" if machine.environment.container is not None else "what starts this"
        unmount = Remedy("btf.unhide", title, "manual", run_on=where)
    return fail(
        "the kernel's BTF is hidden here",
        reason=f"{mount.fstype} is mounted over {point}",
        evidence=(Evidence(VMLINUX, "absent"), Evidence(f"/proc/self/mountinfo {point}", mount.fstype)),
        remedies=(unmount,),
        wrong_remedies=(
            WrongRemedy("installing kernel headers", "the kernel has BTF, and it is only hidden"),
        ),
    )


def _absent(machine: Machine) -> Finding:
    hidden = machine.btf.hidden_by
    if hidden is not None:
        return _hidden(machine, hidden)
    identity = machine.kernel.identity
    remedy = _NO_BTF_REMEDIES.get(identity.family) if identity is not None else None
    return fail(
        "the kernel does not provide BTF",
        reason="it was built without CONFIG_DEBUG_INFO_BTF, or /sys/kernel/btf is hidden here",
        evidence=(Evidence(VMLINUX, "absent"),),
        causes=("config.DEBUG_INFO_BTF", "environment.sysfs"),
        remedies=(remedy,) if remedy else (),
        wrong_remedies=(
            WrongRemedy(
                "installing bpftool or libbpf", "they read BTF, they do not make the running kernel have it"
            ),
        ),
    )
