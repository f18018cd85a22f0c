"""tracefs in the place where each tool looks for it: a tool has its paths built in and finds it nowhere else."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace

from kdiag.check import check
from kdiag.knowledge.tools.behaviour import Version
from kdiag.knowledge.tools.tracefs_paths import BELOW_DEBUGFS, tracefs_paths
from kdiag.machine import Machine
from kdiag.machine.tracing import TRACEFS
from kdiag.model import Finding, Remedy, Status, fail, ok, skip, unknown, warn
from kdiag.remedies.mounts import below_debugfs, mount
from kdiag.system import Unavailable

from ..tracing.mounts import mount_evidence


@check("tracing.debug-path", "tracefs below debugfs")
def debug_path(machine: Machine) -> Iterator[Finding]:
    """Whether /sys/kernel/debug/tracing shows tracefs: the only place where bpftrace before 0.17, programs of libbpf
    before 1.0 and BCC before 0.26 look. Kernels from 6.17 on that were built without
    CONFIG_TRACEFS_AUTOMOUNT_DEPRECATED no longer have it. See it yourself: `stat -f /sys/kernel/debug/tracing`.
    """
    evidence = (mount_evidence(machine, BELOW_DEBUGFS),)
    try:
        found = machine.tracing.debug_root
    except Unavailable as gap:
        yield unknown(
            f"{BELOW_DEBUGFS} cannot be looked at",
            reason=gap.reason,
            evidence=evidence,
            with_root="it can be seen whether old tools find tracefs",
        )
        return
    if found:
        yield ok(f"tracefs is also at {BELOW_DEBUGFS}", evidence=evidence)
        return
    users = machine.tracing.old_users
    yield warn(
        f"old tools that know only {BELOW_DEBUGFS} do not find tracefs",
        reason=f"here: {', '.join(users)}" if users else "",
        evidence=evidence,
        causes=("tracing.debugfs", "tracing.tracefs"),
        remedies=below_debugfs(machine) if users and machine.tracing.root is not None else (),
    )


@check("tracing.own-path", "tracefs at its own place")
def own_path(machine: Machine) -> Iterator[Finding]:
    """Whether /sys/kernel/tracing shows tracefs, where newer tools look, some of them (Inspektor Gadget) nowhere else.
    Systems that mount it on demand only have it below debugfs, and a container that is given such a node's /sys/kernel
    sees an empty directory. See it yourself: `stat -f /sys/kernel/tracing`.
    """
    evidence = (mount_evidence(machine, TRACEFS), mount_evidence(machine, BELOW_DEBUGFS))
    if machine.tracing.is_mounted(TRACEFS, "tracefs"):
        yield ok(f"tracefs is at {TRACEFS}", evidence=evidence[:1])
    elif machine.tracing.root is None:
        yield skip("tracefs is not mounted anywhere", evidence=evidence, causes=("tracing.tracefs",))
    else:
        yield warn(
            f"tools that know only {TRACEFS} do not find tracefs",
            reason=f"it is at {BELOW_DEBUGFS} alone; {TRACEFS} is an empty directory",
            evidence=evidence,
            causes=("environment.container",),
            remedies=_at_its_own(machine),
        )


def _at_its_own(machine: Machine) -> tuple[Remedy, ...]:
    """A container cannot be given a directory of the host in which the host has nothing."""
    if not machine.confinement.no_mount:
        return mount(machine, "tracefs", TRACEFS)
    title = f"Mount tracefs at {TRACEFS} of the host, then start this anew"
    return (
        Remedy(
            "tracefs.mount-outside",
            title,
            "manual",
            (f"sudo mount -t tracefs tracefs {TRACEFS}",),
            "the host",
            needs=("root",),
        ),
    )


def _tried(machine: Machine, paths: tuple[str, ...]) -> tuple[str, bool | None]:
    """The directory that a tool settles for, the first that is there, and whether it is tracefs. Raises Unavailable
    where that rests on a directory that was not looked at.
    """
    for path in paths[:-1]:
        try:
            there = machine.tracing.place(path)
        except Unavailable as gap:
            # What refuses this look refuses access(2) too, and the tool goes on.
            if gap.errno not in (errno.EACCES, errno.EPERM):
                raise
            there = None
        if there is not None:
            return path, there
    return paths[-1], machine.tracing.place(paths[-1])


def _judged(machine: Machine, what: str, paths: tuple[str, ...], verb: str) -> Finding:
    evidence = tuple(mount_evidence(machine, path) for path in paths)
    if machine.tracing.root is None:
        return skip("tracefs is not mounted anywhere", evidence=evidence, causes=("tracing.tracefs",))
    chosen, there = _tried(machine, paths)
    if there:
        return ok(f"{what} {verb} tracefs at {chosen}", evidence=evidence)
    if len(paths) == 1:
        return fail(
            f"{what} {verb} no tracefs: of its places only {chosen} is known to that release",
            evidence=(*evidence, mount_evidence(machine, TRACEFS)),
            causes=("tracing.debug-path",),
            remedies=below_debugfs(machine),
        )
    return fail(
        f"{what} {verb} no tracefs: {chosen} is there, so that it is taken, and is something else",
        evidence=evidence,
        causes=("tracing.debugfs", "environment.container"),
        remedies=mount(machine, "tracefs", chosen),
    )


@check("tracing.first-path", "tracefs where most tools look first")
def first_path(machine: Machine) -> Iterator[Finding]:
    """Whether tracefs is in the directory that bpftrace since 0.17, libbpf since 1.0 and BCC since 0.26 settle for:
    /sys/kernel/debug/tracing if there is anything of that name, be it empty, and only else /sys/kernel/tracing. See it
    yourself: `stat -f /sys/kernel/debug/tracing /sys/kernel/tracing`.
    """
    yield _judged(machine, "most tools", (BELOW_DEBUGFS, TRACEFS), "find")


@check(
    "tracing.library-paths",
    "tracefs where the libraries look",
    ids=("tracing.bcc-path", "tracing.libbpf-path"),
)
def library_paths(machine: Machine) -> Iterator[Finding]:
    """Whether tracefs is where the installed release of BCC and of libbpf looks for it. See it
    yourself: `ldconfig -p | grep -E 'libbcc|libbpf'`.
    """
    releases = dict(reversed(machine.tools.libraries))  # of several the oldest
    for tool, finding_id in (("BCC", "tracing.bcc-path"), ("libbpf", "tracing.libbpf-path")):
        release = releases.get(tool)
        if release is not None:
            found = _by_release(machine, tool, release)
        elif tool == "BCC" and machine.tools.bcc.installed:
            found = _by_no_release(machine, tool)
        else:
            found = skip(f"no library of {tool} is installed")
        yield replace(found, id=finding_id, title=f"tracefs where {tool} looks")


def _by_release(machine: Machine, tool: str, release: Version) -> Finding:
    name = f"{tool} {'.'.join(map(str, release))}"
    return _judged(machine, name, tracefs_paths(tool, release), "finds")


def _by_no_release(machine: Machine, tool: str) -> Finding:
    """Every release looks below debugfs first, so that tracefs there is enough."""
    found = _judged(machine, f"every release of {tool}", (BELOW_DEBUGFS,), "finds")
    if found.status is not Status.FAIL:
        return found
    return unknown(
        f"whether this {tool} finds tracefs depends on its release",
        reason="its library is in none of the places where libraries are looked for",
        evidence=found.evidence,
        causes=found.causes,
    )
