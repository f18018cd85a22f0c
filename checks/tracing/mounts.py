"""tracefs, debugfs and bpffs: whether they are mounted, and can be opened."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.tracing import BPFFS, DEBUGFS, TRACEFS
from kdiag.model import Evidence, Finding, WrongRemedy, fail, ok, warn
from kdiag.remedies.mounts import mount
from kdiag.system import Unavailable

from ..refusals import closed_by, quoted


def _refused_mount(machine: Machine) -> tuple[WrongRemedy, ...]:
    """The mount that everybody tries first, where something keeps root from it."""
    why = machine.confinement.no_mount
    if not why or machine.environment.container is None or not machine.privileges.has("CAP_SYS_ADMIN"):
        return ()
    return (WrongRemedy(f"mount -t tracefs tracefs {TRACEFS}", why),)


@check("tracing.tracefs", "tracefs is mounted")
def tracefs(machine: Machine) -> Iterator[Finding]:
    """Whether tracefs is what one sees at /sys/kernel/tracing or /sys/kernel/debug/tracing, by superblock
    magic.

    An empty directory of that name is not enough: containers and minimal systems have just that. Every
    tracepoint needs tracefs, bpftrace from 0.25 on even for BEGIN. See it yourself: `stat -f
    /sys/kernel/tracing`, `findmnt -t tracefs`.
    """
    tracing = machine.tracing
    evidence = [mount_evidence(machine, path) for path in (TRACEFS, f"{DEBUGFS}/tracing")]
    if tracing.root is not None:
        try:
            names = len(tracing.names)
            yield ok(
                f"tracefs is at {tracing.root}",
                evidence=(*evidence, Evidence(tracing.root, f"{names} entries")),
            )
        except Unavailable as gap:
            if machine.privileges.may_look:
                yield fail(
                    "tracefs is mounted and cannot be opened",
                    reason=gap.reason,
                    evidence=(*evidence, *by_lockdown(machine, gap)),
                    causes=closed_by(machine, gap),
                )
            else:
                yield ok(
                    f"tracefs is at {tracing.root} (only root may look inside)",
                    reason=gap.reason,
                    evidence=tuple(evidence),
                    with_root="it can be seen which tracepoints this kernel has",
                )
        return
    try:
        built = "tracefs" in tracing.kernel_filesystems
        evidence.append(Evidence("/proc/filesystems", "lists tracefs" if built else "has no tracefs"))
    except Unavailable as gap:
        evidence.append(Evidence("/proc/filesystems", gap.reason))
        built = True
    if not built:
        yield fail(
            "this kernel has no tracefs",
            reason="it was built without tracing (CONFIG_TRACING), so mounting cannot help",
            evidence=tuple(evidence),
            causes=("config.TRACING", "environment.vm"),
        )
        return
    if machine.system.filesystem(TRACEFS) is None:
        # The kernel makes the directory (fs/tracefs/inode.c): where it is not, /sys is not the kernel's.
        yield fail(
            "tracefs is not mounted, and there is no place to mount it",
            reason=f"{TRACEFS} is not there: /sys is not mounted, or not that of this kernel",
            evidence=tuple(evidence),
            causes=("environment.sysfs", "environment.container"),
        )
        return
    yield fail(
        "tracefs is not mounted",
        reason="the kernel has it; the directory is an empty mount point",
        evidence=tuple(evidence),
        causes=("environment.container", "privileges.userns"),
        remedies=mount(machine, "tracefs", TRACEFS),
        wrong_remedies=_refused_mount(machine),
    )


_MAGICS = {
    0x74726163: "tracefs",
    0x64626720: "debugfs",
    0x62656572: "sysfs",
    0xCAFE4A11: "bpffs",
    0x01021994: "tmpfs",
}


def mount_evidence(machine: Machine, path: str) -> Evidence:
    try:
        magic = machine.system.filesystem(path)
    except Unavailable as gap:
        return Evidence(path, gap.reason.removeprefix(f"{path}: "))
    if magic is None:
        return Evidence(path, "absent")
    return Evidence(path, f"on {_MAGICS.get(magic, 'another file system')} (magic {magic:#010x})")


@check("tracing.debugfs", "debugfs is mounted")
def debugfs(machine: Machine) -> Iterator[Finding]:
    """Whether debugfs is at /sys/kernel/debug. bpftrace up to 0.16 and some BCC tools know tracefs only
    below it, and kernels with CONFIG_TRACEFS_AUTOMOUNT_DEPRECATED unset no longer show it there. See it
    yourself: `findmnt -t debugfs`.
    """
    evidence = (mount_evidence(machine, DEBUGFS),)
    if not machine.tracing.is_mounted(DEBUGFS, "debugfs"):
        yield warn(
            "debugfs is not mounted",
            reason="current tools do not need it; old ones look for tracefs only below it",
            evidence=evidence,
            remedies=mount(machine, "debugfs", DEBUGFS),
        )
        return
    yield ok("debugfs is mounted", evidence=evidence)


@check("tracing.bpffs", "bpffs is mounted")
def bpffs(machine: Machine) -> Iterator[Finding]:
    """Whether /sys/fs/bpf is a BPF file system, where programs and maps are pinned. bpftrace does not need
    it.
    """
    evidence = (mount_evidence(machine, BPFFS),)
    if machine.tracing.is_mounted(BPFFS, "bpf"):
        yield ok("bpffs is mounted", evidence=evidence)
    else:
        yield warn(
            "bpffs is not mounted: nothing can be pinned",
            evidence=evidence,
            remedies=mount(machine, "bpf", BPFFS),
        )


def by_lockdown(machine: Machine, gap: Unavailable) -> tuple[Evidence, ...]:
    """The line by which the kernel says that lockdown closed tracefs, where it said so."""
    said = next((n for n in machine.log.of("lockdown") if n.subject == "use of tracefs"), None)
    return (quoted(said),) if said is not None and gap.errno == errno.EPERM else ()
