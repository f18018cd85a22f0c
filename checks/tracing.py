"""tracefs, debugfs, bpffs and what they offer: absent, not mounted, not permitted and not built are
different answers.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.text import need_proc
from kdiag.machine.tracing import BPFFS, DEBUGFS, TRACEFS
from kdiag.model import (
    Evidence,
    Finding,
    Remedy,
    WrongRemedy,
    expect,
    expected,
    fail,
    ok,
    skip,
    unknown,
    warn,
)
from kdiag.remedies.mounts import mount
from kdiag.system import Unavailable

from .refusals import closed_by, quoted


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
                    evidence=(*evidence, *_by_lockdown(machine, gap)),
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


#: File systems by the magic of statfs(2) (include/uapi/linux/magic.h): what can be in such a place.
#: Docker's, Podman's and containerd's profiles, which have the same rules for /sys.
_ENGINES_PROFILES = ("docker-default", "containers-default", "cri-containerd")
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


def _by_config(machine: Machine, what: str, option: str, why: str) -> Finding:
    """The answer where tracefs cannot be looked into: the running kernel's configuration, named as such."""
    root_adds = "a look into tracefs answers"
    try:
        value, path = machine.config.value(option), machine.config.found.path
    except Unavailable as gap:
        return unknown(
            f"{what} cannot be seen",
            reason=f"{why}; {gap.reason}",
            causes=("tracing.tracefs", "privileges.root"),
            with_root=root_adds,
        )
    if value == "y":
        return expected(
            f"{what} cannot be seen; the kernel's configuration has {'them' if what.endswith('s') else 'it'}",
            reason=why,
            evidence=(Evidence("tracefs", why), expect(path, f"CONFIG_{option}=y")),
            causes=("tracing.tracefs", "privileges.root"),
            with_root=root_adds,
        )
    return fail(
        f"CONFIG_{option} is off: this kernel does not have {what}",
        evidence=(Evidence("tracefs", why), Evidence(path, f"CONFIG_{option}={value or 'absent'}")),
        causes=(f"config.{option}",),
        with_root=root_adds,
    )


def _dynamic(machine: Machine, kind: str) -> tuple[bool | None, list[Evidence]]:
    """Whether the kernel has kprobes or uprobes, None where what can be seen leaves it open.

    The event source came with 4.17 (perf_kprobe and perf_uprobe in kernel/events/core.c), the file in tracefs is
    older. Where tracefs cannot be looked into, the lack of the source decides for a newer kernel, unless its
    configuration says otherwise.
    """
    pmu = kind in machine.tracing.pmus
    evidence = [Evidence(f"/sys/bus/event_source/devices/{kind}", "exists" if pmu else "absent")]
    events: bool | None = None
    try:
        root = machine.tracing.root
        if root is not None:
            events = f"{kind}_events" in machine.tracing.names
            evidence.append(Evidence(f"{root}/{kind}_events", "exists" if events else "absent"))
        else:
            evidence.append(Evidence(f"{kind}_events", "tracefs is not mounted"))
    except Unavailable as gap:
        evidence.append(Evidence(f"{kind}_events", gap.reason))
    if pmu or events:
        return True, evidence
    return (False if events is False or _new_enough(machine, kind) else None), evidence


def _new_enough(machine: Machine, kind: str) -> bool:
    try:
        configured = machine.config.value(f"{kind.upper()}_EVENTS") == "y"
    except Unavailable:
        configured = False
    return not configured and machine.kernel.version_numbers >= (4, 17, 0)


@check("tracing.kprobes", "kprobes")
def kprobes(machine: Machine) -> Iterator[Finding]:
    """Whether functions of the kernel can be probed: kprobe_events in tracefs, the kprobe event source, and
    the master switch in debugfs. See it yourself: `ls /sys/kernel/tracing/kprobe_events
    /sys/bus/event_source/devices/kprobe`.
    """
    there, evidence = _dynamic(machine, "kprobe")
    if there is None:
        yield _by_config(machine, "kprobes", "KPROBE_EVENTS", evidence[-1].observed)
        return
    if not there:
        yield fail(
            "this kernel has no kprobes",
            reason="neither the kprobe event source nor kprobe_events exists, so it was built without them; "
            "CONFIG_HAVE_KPROBES shows whether this architecture has any",
            evidence=tuple(evidence),
            causes=("config.KPROBES", "config.KPROBE_EVENTS"),
            wrong_remedies=(
                WrongRemedy("mounting debugfs", "a mount cannot add what is not built into the kernel"),
            ),
        )
        return
    refused = _writes_refused(machine, evidence)
    if refused is not None:
        yield refused
        return
    try:
        switch = machine.tracing.kprobes_switch
        if switch is not None:
            evidence.append(Evidence(f"{DEBUGFS}/kprobes/enabled", "1" if switch else "0"))
    except Unavailable as gap:
        switch = None
        evidence.append(Evidence(f"{DEBUGFS}/kprobes/enabled", gap.reason))
    if switch is False:
        yield fail(
            "kprobes are switched off",
            evidence=tuple(evidence),
            remedies=(
                Remedy(
                    "kprobes.enable",
                    "Switch them on",
                    "unsafe",
                    (f"echo 1 | sudo tee {DEBUGFS}/kprobes/enabled",),
                    needs=("root",),
                    undo=(f"echo 0 | sudo tee {DEBUGFS}/kprobes/enabled",),
                ),
            ),
        )
        return
    yield ok("kprobes are there", evidence=tuple(evidence))


def _writes_refused(machine: Machine, evidence: list[Evidence]) -> Finding | None:
    """A container's profile under which no kprobe can be made where that takes a write to kprobe_events."""
    confined = machine.confinement.module
    if confined is None or confined.by != "AppArmor" or "kprobe" in machine.tracing.pmus:
        return None
    if not confined.as_.startswith(_ENGINES_PROFILES):
        return None
    return fail(
        f"{confined.name} refuses to write kprobe_events, and this kernel has no other way to a kprobe",
        reason="the engine's AppArmor profile denies writing to files below /sys (moby profiles/apparmor/template.go); "
        "kprobes without a file came with Linux 4.17",
        evidence=(*evidence, Evidence(confined.path, f"{confined.as_}, in force")),
        remedies=(
            Remedy(
                "kprobes.apparmor",
                "Start the container with --security-opt apparmor=unconfined",
                "manual",
                run_on="the host",
            ),
        ),
    )


@check("tracing.kprobe-leftovers", "Dynamic kprobe events of others")
def leftovers(machine: Machine) -> Iterator[Finding]:
    """Events in kprobe_events that an earlier program left behind: they make `echo > kprobe_events` fail
    with EBUSY.

    Remove them with `-:NAME` appended, never by truncating the file: other programs may own some.
    """
    if machine.tracing.root is None:
        yield skip("tracefs is not mounted, so there are none to see", causes=("tracing.tracefs",))
        return
    try:
        events = machine.tracing.kprobe_events
    except Unavailable as gap:
        yield unknown(
            "dynamic kprobe events cannot be seen",
            reason=gap.reason,
            causes=("privileges.root",),
            with_root="the list of events is shown",
        )
        return
    if not events:
        path = f"{machine.tracing.root}/kprobe_events"
        yield ok("no leftover events", evidence=(Evidence(path, "absent" if events is None else "empty"),))
        return
    yield warn(
        f"{len(events)} dynamic kprobe events are defined",
        reason="left by an earlier program or in use by another",
        evidence=tuple(Evidence(f"{machine.tracing.root}/kprobe_events", line[:200]) for line in events[:20]),
        remedies=_remove(machine.tracing.root, events[0]),
        wrong_remedies=(
            WrongRemedy("echo > kprobe_events", "it truncates the events of all users, and fails with EBUSY"),
        ),
    )


def _remove(root: str, line: str) -> tuple[Remedy, ...]:
    """How to take one leftover event away (Documentation/trace/kprobetrace.rst: `-:GROUP/EVENT`, appended)."""
    name = line.split(" ", 1)[0].partition(":")[2]
    if not name or not all(c.isalnum() or c in "_/" for c in name):
        return ()
    commands = (
        f"echo 0 | sudo tee {root}/events/{name}/enable",
        f"echo '-:{name}' | sudo tee -a {root}/kprobe_events",
    )
    return (
        Remedy(
            "kprobes.remove",
            f"Remove {name}, if no running program owns it",
            "unsafe",
            commands,
            needs=("root",),
        ),
    )


@check("tracing.uprobes", "uprobes")
def uprobes(machine: Machine) -> Iterator[Finding]:
    """Whether functions of programs can be probed: the uprobe event source or uprobe_events in tracefs."""
    there, evidence = _dynamic(machine, "uprobe")
    if there is None:
        yield _by_config(machine, "uprobes", "UPROBE_EVENTS", evidence[-1].observed)
    elif there:
        yield ok("uprobes are there", evidence=tuple(evidence))
    else:
        yield fail(
            "this kernel has no uprobes",
            evidence=tuple(evidence),
            causes=("config.UPROBE_EVENTS", "config.UPROBES"),
        )


_GROUPS = (
    ("tracing.syscalls", "syscalls", "sys_enter_openat", "syscall tracepoints", "FTRACE_SYSCALLS"),
    ("tracing.sock", "sock", "inet_sock_set_state", "the tracepoint sock:inet_sock_set_state", "INET"),
    ("tracing.sched", "sched", "sched_process_fork", "the tracepoint sched:sched_process_fork", "TRACING"),
)


@check("tracing.events", "Tracepoints of a first session", ids=tuple(g[0] for g in _GROUPS))
def events(machine: Machine) -> Iterator[Finding]:
    """Whether this kernel has the tracepoints that the first exercises use: each is looked up in tracefs by
    name.

    See it yourself: `ls /sys/kernel/tracing/events/syscalls/sys_enter_openat`.
    """
    for finding_id, group, name, what, option in _GROUPS:
        title = f"{group}:{name}"
        if machine.tracing.root is None:
            found = _by_config(machine, what, option, "tracefs is not mounted")
        else:
            found = _event(machine, group, name, what, option)
        yield replace(found, id=finding_id, title=title)


def _event(machine: Machine, group: str, name: str, what: str, option: str) -> Finding:
    path = f"{machine.tracing.root}/events/{group}/{name}"
    try:
        number = machine.tracing.event(group, name)
    except Unavailable as gap:
        if machine.privileges.may_look:
            return fail(
                f"the id of {what} cannot be read",
                reason=gap.reason,
                causes=closed_by(machine, gap),
            )
        return _by_config(machine, what, option, gap.reason)
    if number is not None:
        return ok(
            f"{what} {'are' if what.endswith('s') else 'is'} there",
            evidence=(Evidence(f"{path}/id", str(number)),),
        )
    if not machine.tracing.has_events:
        return fail(
            f"{what} cannot be seen: tracefs is empty",
            reason="lockdown=confidentiality empties it",
            causes=("kernel.lockdown",),
        )
    return fail(
        f"this kernel does not have {what}",
        evidence=(Evidence(path, "absent"),),
        causes=(f"config.{option}",),
    )


def _by_lockdown(machine: Machine, gap: Unavailable) -> tuple[Evidence, ...]:
    """The line by which the kernel says that lockdown closed tracefs, where it said so."""
    said = next((n for n in machine.log.of("lockdown") if n.subject == "use of tracefs"), None)
    return (quoted(said),) if said is not None and gap.errno == errno.EPERM else ()


def _kept_back(machine: Machine, path: str, gap: Unavailable) -> str:
    """Why root does not get at a file; the path is left to the evidence."""
    name = gap.reason.removeprefix(f"{path}: ").partition(":")[0]
    if name not in ("EPERM", "EACCES"):
        return gap.reason
    if machine.confinement.closed is not None and machine.confinement.module is not None:
        return f"{name}: {machine.confinement.module.name} keeps the files of tracefs closed"
    return f"{name}, although root asks: this kernel keeps the list to itself"


@check("tracing.functions", "The list of traceable functions")
def functions(machine: Machine) -> Iterator[Finding]:
    """Whether available_filter_functions can be read. bpftrace checks kprobe and fentry names against it;
    up to 0.24 it refuses fentry without it. It needs CONFIG_DYNAMIC_FTRACE, and lockdown=confidentiality
    forbids reading it.
    """
    if machine.tracing.root is None:
        yield fail("no list of traceable functions without tracefs", causes=("tracing.tracefs",))
        return
    path = f"{machine.tracing.root}/available_filter_functions"
    try:
        readable = machine.tracing.readable_file("available_filter_functions")
    except Unavailable as gap:
        if machine.privileges.may_look:
            yield fail(
                "available_filter_functions cannot be opened",
                reason=_kept_back(machine, path, gap),
                evidence=(Evidence(path, gap.reason), *_by_lockdown(machine, gap)),
                causes=closed_by(machine, gap),
            )
        else:
            yield _by_config(machine, "the list of traceable functions", "DYNAMIC_FTRACE", gap.reason)
        return
    if readable:
        yield ok("available_filter_functions is readable", evidence=(Evidence(path, "readable"),))
    else:
        yield fail(
            "this kernel does not list traceable functions",
            evidence=(Evidence(path, "absent" if readable is None else "empty"),),
            causes=("config.DYNAMIC_FTRACE", "config.FUNCTION_TRACER"),
        )


@check("tracing.kallsyms", "Kernel symbols have addresses")
def kallsyms(machine: Machine) -> Iterator[Finding]:
    """Whether /proc/kallsyms shows addresses: kernel stacks get their names from it. kernel.kptr_restrict=2
    zeroes them for root too, =1 for those without CAP_SYSLOG.
    """
    head = machine.system.head("/proc/kallsyms", 256)
    if head is None:
        try:
            need_proc(machine.system, "/proc/kallsyms")
        except Unavailable as gap:
            # Here no tool sees it, whatever the kernel has; of another machine's files nothing is known.
            yield (fail if gap.errno == errno.ENOENT else unknown)(
                "/proc/kallsyms is not shown here: kernel stacks have no symbol names",
                reason=gap.reason,
                causes=("kernel.modules",),
            )
            return
        yield fail(
            "this kernel has no /proc/kallsyms",
            causes=("config.KALLSYMS",),
            evidence=(Evidence("/proc/kallsyms", "absent"),),
        )
        return
    lines = head.decode("ascii", "replace").splitlines()[:-1]
    zero = all(line.split(" ", 1)[0].strip("0") == "" for line in lines)
    evidence = (Evidence("/proc/kallsyms", lines[0] if lines else "empty"),)
    if lines and not zero:
        yield ok("kernel symbols have addresses", evidence=evidence)
    elif machine.privileges.has("CAP_SYSLOG"):
        yield fail(
            "kernel stacks have no symbol names: addresses are hidden",
            evidence=evidence,
            causes=("sysctl.kernel.kptr_restrict", "privileges.capabilities"),
        )
    else:
        yield _hidden(machine, evidence)


def _hidden(machine: Machine, evidence: tuple[Evidence, ...]) -> Finding:
    """What a user sees says little of what root sees: kernel/kallsyms.c asks for CAP_SYSLOG unless kptr_restrict is
    2, which hides addresses from all.
    """
    summary, root_adds = "addresses are hidden from this user", "it can be seen whether root sees addresses"
    try:
        level = machine.privileges.sysctl("kernel.kptr_restrict")
    except Unavailable:
        level = None
    if level is None or level > 1:
        return unknown(
            summary, evidence=evidence, causes=("sysctl.kernel.kptr_restrict",), with_root=root_adds
        )
    said = expect("kernel.kptr_restrict", f"{level}: root sees them")
    return expected(summary, evidence=(*evidence, said), causes=("privileges.root",), with_root=root_adds)
