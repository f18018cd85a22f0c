"""The process that starts a tool: whose process ids `pid` and `tid` of a script are, and limits that end a script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.surroundings.container import INITIAL_NAMESPACES
from kdiag.machine.text import read_text
from kdiag.model import Evidence, Finding, Remedy, expected, fail, ok, skip, warn
from kdiag.system import Unavailable

_LINK = "/proc/self/ns/pid"
_LIMITS, _CPUS = "/proc/self/limits", "/sys/devices/system/cpu/possible"
#: Of bpftrace 0.17 on two CPUs, tried with falling limits: BEGIN needs 9, a tracepoint 11, stacks 13, the 25 probes of
#: tracepoint:sched:* 48 to 64. An event per CPU takes one for each.
_PLENTY = 64
_MENDED = Remedy("bpftrace.mended", "Use bpftrace 0.24.2 or newer, which reads them right", "manual")
_NEWER = Remedy(
    "bpftrace.newer",
    "Use bpftrace 0.23.4 or newer, which does not mind",
    "manual",
)


@check(
    "environment.pid-namespaces",
    "Process ids are the machine's",
    ids=("environment.pid-namespace", "environment.pids"),
)
def pids(machine: Machine) -> Iterator[Finding]:
    """Whether this process is in the kernel's first PID namespace, and whether the kernel has such namespaces.

    bpftrace up to 0.22 gives the first namespace's ids as `pid` and `tid`, which are not those that a container shows.
    From 0.23 on it asks the kernel for those of its own namespace: bpf_get_ns_current_pid_tgid() answers EINVAL for a
    task of any other. 0.23.0 to 0.23.3 fail where the kernel has no PID namespaces (CONFIG_PID_NS). See it yourself:
    `readlink /proc/self/ns/pid` shows pid:[4026531836] on the machine itself.
    """
    try:
        info = machine.system.lstat(_LINK)
    except Unavailable as gap:
        unseen = expected(f"{_LINK} cannot be looked at", reason=gap.reason)
        yield _about_link(unseen)
        yield _about_ids(unseen)
        return
    target = info.target if info is not None else None
    evidence = (Evidence(_LINK, target or ("absent" if info is None else "no link")),)
    yield _about_link(_there(machine, info is not None, evidence))
    initial = info is None or target == f"pid:[{INITIAL_NAMESPACES['pid']}]"
    yield _about_ids(_whose(machine, initial, evidence))


def _about_link(finding: Finding) -> Finding:
    return replace(finding, id="environment.pid-namespace", title=f"{_LINK} is there")


def _about_ids(finding: Finding) -> Finding:
    return replace(finding, id="environment.pids", title="Process ids")


def _whose(machine: Machine, initial: bool, evidence: tuple[Evidence, ...]) -> Finding:
    """Whose ids a script sees. initial: whether this is the kernel's first PID namespace, or the only one."""
    if initial:
        return ok("process ids are the machine's", evidence=evidence)
    behaviour = machine.tools.behaviour
    own = behaviour is None or behaviour.pids != "initial"
    if own and _lacks_helper(machine):
        return fail(
            "`pid` and `tid` of another PID namespace than the first require Linux 5.7 or newer",
            reason="this bpftrace asks bpf_get_ns_current_pid_tgid(), which this kernel does not have: no script with "
            "one of them loads",
            evidence=evidence,
            remedies=_host_pids(machine),
        )
    if behaviour is not None and behaviour.pids_swapped:
        return warn(
            "`pid` is a thread's id and `tid` its process's in this PID namespace",
            reason="bpftrace 0.23.0 to 0.24.1 reads the two from each other's place (mended in 0.24.2, #4813): of a "
            "process with one thread they are the same",
            evidence=evidence,
            remedies=(*_host_pids(machine), _MENDED),
        )
    if own and "microsoft" in machine.kernel.release.lower():
        # A distribution in WSL 2 has a namespace of its own, and nearly all that runs in the machine is in it.
        return ok("process ids are those of this WSL distribution", evidence=evidence)
    return warn(
        "`pid` and `tid` are those of this PID namespace, and cannot be told of tasks outside of it"
        if own
        else "`pid` and `tid` are the machine's, not those that this PID namespace shows",
        reason="bpf_get_ns_current_pid_tgid() answers EINVAL for a task of another namespace"
        if own
        else "bpf_get_current_pid_tgid() knows the first namespace only; a filter by pid finds nothing",
        evidence=evidence,
        remedies=_host_pids(machine),
    )


def _lacks_helper(machine: Machine) -> bool:
    """Whether the kernel is from before 5.7 by its release, and has no ring buffers, which came with 5.8."""
    try:
        ring = machine.bpf.feature("ring-buffer")
        return machine.kernel.version_numbers < (5, 7, 0) and ring.name == "EINVAL"
    except Unavailable:
        return False


def _there(machine: Machine, there: bool, evidence: tuple[Evidence, ...]) -> Finding:
    """Whether the link is there, for releases of bpftrace that look for it."""
    if there:
        return ok(f"{_LINK} is there", evidence=evidence)
    behaviour = machine.tools.behaviour
    if behaviour is not None and behaviour.pids != "own-or-fails":
        return skip("no PID namespaces, which this release of bpftrace does not need", evidence=evidence)
    # Without /proc it is not seen what the kernel has, and scripts that show no process ids work.
    make = fail if machine.system.stat("/proc/self/status") is not None else warn
    return make(
        f"{_LINK} is not there: bpftrace 0.23.0 to 0.23.3 fails at `pid` and `tid`",
        reason="the kernel was built without CONFIG_PID_NS, or /proc is not mounted",
        evidence=evidence,
        remedies=(_NEWER,),
    )


def _host_pids(machine: Machine) -> tuple[Remedy, ...]:
    """Another namespace is chosen by what starts the process."""
    place = machine.environment.container
    if place is None or place.kind == "orbstack-machine":
        return ()
    title = "Start it in the host's PID namespace (docker and podman: --pid=host; Kubernetes: hostPID: true)"
    return (Remedy("container.pid-namespace", title, "manual", run_on="the host"),)


@check("privileges.open-files", "Files that may be open at a time")
def open_files(machine: Machine) -> Iterator[Finding]:
    """RLIMIT_NOFILE: every map, program, probe and event per CPU of a script is an open file. With too few bpftrace
    starts and ends with `Too many open files`; 0.25 and newer raise the limit themselves, if they may. See it
    yourself: `ulimit -n`, `grep open /proc/self/limits`.
    """
    try:
        text = read_text(machine.system, _LIMITS) or ""
    except Unavailable:
        text = ""
    found = re.search(r"^Max open files\s+(\d+|unlimited)\s+(\d+|unlimited)", text, re.MULTILINE)
    if found is None:
        # INR_OPEN_CUR (include/uapi/linux/fs.h)
        yield expected("1024 files may be open, the kernel's default", reason=f"{_LIMITS} was not read")
        return
    evidence = (Evidence(_LIMITS, f"open files: soft {found[1]}, hard {found[2]}"),)
    behaviour = machine.tools.behaviour
    counts = found[1]
    if behaviour is not None and behaviour.raises_nofile:
        counts = "unlimited" if machine.privileges.has("CAP_SYS_RESOURCE") else found[2]
    if counts == "unlimited" or int(counts) >= _PLENTY + _cpus(machine):
        yield ok(f"{found[1]} files may be open", evidence=evidence)
        return
    yield warn(
        f"only {counts} files may be open: scripts with stacks or many probes end with `Too many open files`",
        evidence=evidence,
        remedies=(
            Remedy(
                "privileges.open-files",
                "Raise the limit where the tool is started",
                commands=("ulimit -n 1024",),
                run_on="the shell that starts the tool, or its service (systemd: LimitNOFILE=)",
            ),
        ),
    )


def _cpus(machine: Machine) -> int:
    """How many events a script opens that has one for each CPU."""
    try:
        text = read_text(machine.system, _CPUS) or ""
    except Unavailable:
        return 0
    last = re.search(r"(\d+)$", text)
    return int(last[1]) + 1 if last else 0


#: An entry of the map: 127 frames of 8 bytes and its head (kernel/bpf/stackmap.c, prealloc_elems_and_freelist).
_ENTRY = 127 * 8 + 24
_MEMORY = "/proc/meminfo"


@check("environment.stack-memory", "Memory for the stacks that bpftrace keeps")
def stack_memory(machine: Machine) -> Iterator[Finding]:
    """bpftrace 0.13 to 0.24 keeps stacks (`kstack`, `ustack`) in a map for 131072 of them, which the kernel makes as a
    whole when the script starts: 130 MiB, whatever the script counts. On a machine that cannot give as much the script
    ends with ENOMEM. See it yourself: `grep MemAvailable /proc/meminfo`.
    """
    behaviour = machine.tools.behaviour
    entries = behaviour.stack_entries if behaviour is not None else 0
    wanted = entries * _ENTRY // 1024
    if wanted < 64 * 1024:
        yield skip("this release of bpftrace keeps few stacks, or none")
        return
    try:
        text = read_text(machine.system, _MEMORY)
    except Unavailable:
        text = None
    numbers = dict(re.findall(r"^(MemAvailable|SwapFree):\s+(\d{1,15}) kB", text or "", re.MULTILINE))
    if "MemAvailable" not in numbers:
        yield expected(
            f"how much memory is free was not seen: bpftrace takes {wanted // 1024} MiB for stacks"
        )
        return
    free = sum(map(int, numbers.values()))
    evidence = (
        Evidence(_MEMORY, ", ".join(f"{name} {int(value) // 1024} MiB" for name, value in numbers.items())),
        Evidence("bpftrace's sources", f"a map of {entries} stacks: {wanted // 1024} MiB"),
    )
    if free > wanted:
        yield ok(f"there is memory for bpftrace's map of stacks ({wanted // 1024} MiB)", evidence=evidence)
        return
    yield fail(
        f"scripts with stacks end: bpftrace takes {wanted // 1024} MiB for them, and {free // 1024} MiB are free",
        reason="the kernel makes the whole map when the script starts (ENOMEM)",
        evidence=evidence,
        remedies=(
            Remedy("memory.swap", "Give the machine more memory, or add swap", "manual"),
            Remedy("bpftrace.stacks", "Use bpftrace 0.25 or newer, which has no such map", "manual"),
        ),
    )
