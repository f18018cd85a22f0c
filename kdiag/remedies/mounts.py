"""Mounting one of the kernel's file systems: only where it can work, and by the one who can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.knowledge.tools.tracefs_paths import BELOW_DEBUGFS
from kdiag.model import Remedy
from kdiag.remedies.container import run
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine

_DEBUGFS = "/sys/kernel/debug"
_NAMES = {"bpf": "bpffs"}
#: Linux 6.17, "tracing: Deprecate auto-mounting tracefs in debugfs": before, debugfs always brings tracefs.
_AUTOMOUNT_OPTIONAL = (6, 17, 0)


def mount(machine: Machine, kind: str, path: str) -> tuple[Remedy, ...]:
    """How to get a file system mounted; () where the kernel does not have it, or this process cannot.

    In a container whose start has to give the files, it is that start for tracefs, and nothing for what tracing does
    without.
    """
    try:
        if kind not in machine.tracing.kernel_filesystems or machine.system.filesystem(path) is None:
            return ()
    except Unavailable:
        pass
    if machine.confinement.no_mount:
        return run(machine) if kind == "tracefs" else ()
    name = _NAMES.get(kind, kind)
    return (
        Remedy(
            f"{name}.mount",
            f"Mount {name}",
            commands=(f"sudo mount -t {kind} {kind} {path}",),
            needs=("root",),
            undo=(f"sudo umount {path}",),
        ),
    )


def below_debugfs(machine: Machine) -> tuple[Remedy, ...]:
    """How tracefs gets to where old tools look: below a debugfs that brings it, or in a shell's own mounts.

    A debugfs that is mounted and has no such directory gets none by mkdir(2), so that something else has to take its
    place; in a mount namespace, where no other program misses it.
    """
    path = BELOW_DEBUGFS
    try:
        there, debugfs = machine.system.filesystem(path), machine.tracing.is_mounted(_DEBUGFS, "debugfs")
    except Unavailable:
        return ()
    if there is not None:
        return mount(machine, "tracefs", path)
    if not debugfs and machine.kernel.version_numbers < _AUTOMOUNT_OPTIONAL:
        return mount(machine, "debugfs", _DEBUGFS)
    if machine.confinement.no_mount:
        return ()
    steps = f"mount -t tmpfs tmpfs {_DEBUGFS} && mkdir {path} && mount -t tracefs tracefs {path} && exec sh"
    title = "Open a shell whose own mounts have tracefs there, or install a newer release of the tool"
    return (
        Remedy("tracefs.shell", title, "manual", (f"sudo unshare --mount sh -c '{steps}'",), needs=("root",)),
    )
