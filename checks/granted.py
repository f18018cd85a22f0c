"""What every tool takes for granted: devices, pieces of /proc and /sys, a shell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.text import exists
from kdiag.model import Evidence, Finding, Remedy, expected, fail, ok
from kdiag.system import Unavailable


class Granted(NamedTuple):
    """A path that no tool expects to be absent, and what happens then. built: every kernel with a /proc has it, so that
    it is hidden where it is absent.
    """

    id: str
    path: str
    consequence: str
    built: bool = False


#: Read in bpftrace's sources: docs/bpftrace-sources.md has the fields that belong to them.
_GRANTED = (
    Granted("environment.sysfs", "/sys/devices/system/cpu/possible", "bpftrace cannot create maps"),
    Granted("environment.dev-fd", "/dev/fd", "bpftrace from 0.25 on does not start"),
    Granted("environment.dev-null", "/dev/null", "bpftrace 0.15 to 0.24 ends where it runs clang"),
    Granted("environment.shell", "/bin/sh", "bpftrace 0.15 to 0.24.1 crash where they run clang"),
    Granted(
        "environment.meminfo", "/proc/meminfo", "bpftrace from 0.25 on cannot size its buffers", built=True
    ),
    # get_cgroup_hierarchy_roots(), src/utils.cpp, later src/util/cgroup.cpp: since 0.11 for this builtin alone
    Granted("environment.mount-list", "/proc/mounts", "cgroup_path() of bpftrace fails", built=True),
    # pid_in_different_mountns(), src/utils.cpp, later src/util/paths.cpp: a kernel without CONFIG_NAMESPACES has none
    Granted(
        "environment.mount-namespace", "/proc/self/ns/mnt", "bpftrace -p fails for uprobes and USDT probes"
    ),
)


@check("environment.filesystems", "What every tool takes for granted", ids=tuple(g.id for g in _GRANTED))
def filesystems(machine: Machine) -> Iterator[Finding]:
    """/sys (bpftrace asks it for the number of CPUs and crashes or fails without), /dev/fd (since 0.25 its library of
    C is compiled through it), /dev/null (0.15 to 0.24 send clang's errors there, and end without), /bin/sh (0.15 to
    0.24.1 ask clang for its directories by a shell, and crash without), /proc/meminfo (0.25 sizes its buffers by it and
    fails without), /proc/mounts and /proc/self/ns/mnt: seen absent in chroots and minimal images, and where /proc is
    mounted with subset=pid. See it yourself: `ls -l /dev/null /dev/fd /proc/self/ns/mnt`.
    """
    for granted in _GRANTED:
        yield _looked_up(machine, granted)


def _looked_up(machine: Machine, granted: Granted) -> Finding:
    path, title = granted.path, f"{granted.path} is there"
    try:
        # A namespace is a link to no file.
        link = path.startswith("/proc/self/ns/")
        there = (machine.system.lstat(path) if link else machine.system.stat(path)) is not None
    except Unavailable as gap:
        return expected(
            f"whether {path} is there was not seen", reason=gap.reason, id=granted.id, title=title
        )
    if there:
        return ok(f"{path} is there", id=granted.id, title=title, evidence=(Evidence(path, "exists"),))
    if granted.built and exists(machine.system, "/proc/version"):
        # fs/proc/meminfo.c, root.c and version.c are always built, and subset=pid hides all: one without the other is
        # a description that left it out, no machine.
        return expected(
            f"whether {path} is there was not seen",
            reason=f"{path} and /proc/version are there together, or neither is",
            id=granted.id,
            title=title,
            evidence=(Evidence(path, "absent"), Evidence("/proc/version", "exists")),
        )
    return fail(
        f"{path} is not there: {granted.consequence}",
        id=granted.id,
        title=title,
        evidence=(Evidence(path, "absent"),),
        causes=("environment.container",),
        remedies=_remedies(machine, granted),
    )


def _remedies(machine: Machine, granted: Granted) -> tuple[Remedy, ...]:
    if granted.id == "environment.sysfs":
        return _sysfs(machine)
    if granted.id == "environment.dev-null":
        return (_DEV_NULL,)
    return (WHOLE_PROC,) if granted.built else ()


_DEV_NULL = Remedy(
    "dev.null",
    "Make the device",
    commands=("sudo mknod -m 666 /dev/null c 1 3",),
    needs=("root",),
    undo=("sudo rm /dev/null",),
)


def _sysfs(machine: Machine) -> tuple[Remedy, ...]:
    """/sys itself, where it is not mounted at all."""
    try:
        if machine.system.stat("/sys/kernel") is not None:
            return ()
    except Unavailable:
        return ()
    return (
        Remedy(
            "sysfs.mount",
            "Mount sysfs",
            commands=("sudo mount -t sysfs sysfs /sys",),
            needs=("root",),
            undo=("sudo umount /sys",),
        ),
    )


#: Of the process file system a second instance, which shows all of it.
WHOLE_PROC = Remedy(
    "proc.mount",
    "Mount /proc without subset=pid, in place of this one",
    "unsafe",
    ("sudo mount -t proc proc /proc",),
    needs=("root",),
    undo=("sudo umount /proc",),
)
