"""Mounting one of the kernel's file systems: only where it can work, and by the one who can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.model import Remedy
from kdiag.remedies.container import run
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine

_NAMES = {"bpf": "bpffs"}


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
