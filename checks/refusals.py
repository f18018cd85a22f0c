"""What an errno of bpf(2) or perf_event_open(2) means here, and which findings explain it.

An errno alone has several causes: the capabilities that the caller holds, its user namespace, a filter in its way and
what other calls answer tell them apart (kernel/bpf/syscall.c, kernel/events/core.c).
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, NamedTuple

from kdiag.machine import Machine
from kdiag.model import Evidence
from kdiag.remedies.container import paranoid
from kdiag.system import ProbeResult, Unavailable

if TYPE_CHECKING:
    from kdiag.parse.kernel_log import Notice


class Refusal(NamedTuple):
    """Why the kernel said no: for people, what was looked at for it, and the findings that explain it."""

    reason: str
    causes: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


class Call(NamedTuple):
    """A system call: what it asks for beside CAP_SYS_ADMIN, its option, and a sysctl that only comes with it."""

    name: str
    capabilities: tuple[str, ...]
    option: str
    sysctl: str


BPF = Call("bpf(2)", ("CAP_BPF",), "BPF_SYSCALL", "kernel.unprivileged_bpf_disabled")
TRACING = Call("bpf(2)", ("CAP_BPF", "CAP_PERFMON"), "BPF_SYSCALL", "kernel.unprivileged_bpf_disabled")
#: Walking the ids of BTF objects (kernel/bpf/syscall.c, bpf_obj_get_next_id).
LISTING = Call("bpf(2)", ("CAP_SYS_ADMIN",), "BPF_SYSCALL", "kernel.unprivileged_bpf_disabled")
PERF = Call("perf_event_open(2)", ("CAP_PERFMON",), "PERF_EVENTS", "kernel.perf_event_paranoid")


def quoted(notice: Notice) -> Evidence:
    """A line of the kernel's log as evidence."""
    return Evidence("the kernel's log", notice.line)


def only_root_may(machine: Machine, call: Call, result: ProbeResult) -> bool:
    """Whether a user without the capabilities was refused: that says nothing about the machine, for root may."""
    if not result.refused or machine.privileges.is_root:
        return False
    return machine.privileges.initial_user_namespace and bool(_lacking(machine, call))


def explain(machine: Machine, call: Call, result: ProbeResult) -> Refusal:
    """What this answer to this call means for the caller."""
    if result.refused:
        return _refused(machine, call, result)
    if result.name == "ENOSYS":
        return _no_such_call(machine, call)
    if result.name == "EINVAL" and call is not PERF:
        return Refusal("EINVAL: this kernel does not know it")
    return Refusal(result.describe())


def _lacking(machine: Machine, call: Call) -> tuple[str, ...]:
    if call is PERF and paranoid(machine) >= 3:
        # Debian's and Ubuntu's patch asks for CAP_SYS_ADMIN itself (kernel/events/core.c, perf_paranoid_any).
        return () if machine.privileges.has("CAP_SYS_ADMIN") else ("CAP_SYS_ADMIN",)
    return machine.privileges.lacking(*call.capabilities)


def closed_by(machine: Machine, gap: Unavailable) -> tuple[str, ...]:
    """Findings that explain why one who may look at root's files cannot open a file of tracefs. Lockdown says EPERM
    (fs/tracefs/inode.c, LOCKDOWN_TRACEFS), modes and security modules say EACCES.
    """
    try:
        if not machine.privileges.initial_user_namespace:
            return ("privileges.userns",)
    except Unavailable:
        pass
    if gap.errno == errno.EPERM:
        return ("kernel.lockdown",)
    if gap.errno == errno.EACCES:
        return ("privileges.lsm",) if machine.confinement.module is not None else ("privileges.capabilities",)
    return ("kernel.lockdown", "privileges.lsm", "privileges.capabilities")


def _refused(machine: Machine, call: Call, result: ProbeResult) -> Refusal:
    """EPERM or EACCES: not allowed to this one, or to all."""
    name = result.name
    if not machine.privileges.initial_user_namespace:
        text = f"{name}: capabilities of a user namespace do not count for {call.name}"
        return Refusal(text, ("privileges.userns",))
    lacking = machine.privileges.lacking(*call.capabilities)
    caught, evidence = _caught(machine, call, name, lacking)
    too_strict = call is PERF and paranoid(machine) >= 3 and not machine.privileges.has("CAP_SYS_ADMIN")
    if caught and not lacking:
        text = f"{name} although the capabilities are held: the seccomp filter of this process refuses {call.name}"
        also = ("sysctl.kernel.perf_event_paranoid",) if too_strict else ()
        return Refusal(text, ("privileges.seccomp", *also), evidence)
    if too_strict:
        return Refusal(
            f"kernel.perf_event_paranoid is {paranoid(machine)}: Debian and Ubuntu then require CAP_SYS_ADMIN",
            ("sysctl.kernel.perf_event_paranoid", "privileges.capabilities"),
        )
    if lacking:
        return _without(call, name, lacking, evidence if caught else ())
    module = machine.confinement.module
    denied = machine.log.denial(call.name)
    if denied is not None:
        by = module.name if module is not None else "SELinux" if denied.kind == "avc" else "AppArmor"
        return Refusal(
            f"{name} although the capabilities are held: {by} denied {denied.field('capname') or denied.subject}",
            ("privileges.lsm",),
            (*evidence, quoted(denied)),
        )
    locked = machine.log.locked_by_patch
    if locked is not None:
        return Refusal(
            f"{name}: the kernel is locked down", ("kernel.lockdown",), (*evidence, quoted(locked))
        )
    if module is not None:
        return Refusal(
            f"{name} although the capabilities are held: {module.name} refuses {call.name}",
            ("privileges.lsm",),
            (*evidence, Evidence(module.path, module.as_ or "1")),
        )
    return Refusal(
        f"{name} although the capabilities are held and no filter refuses the call: a security module, or a limit of "
        "this kernel",
        ("privileges.lsm", "privileges.memlock"),
        evidence,
    )


def _without(call: Call, name: str, lacking: tuple[str, ...], filtered: tuple[Evidence, ...]) -> Refusal:
    """What is missing. A container engine's filter stands before the call only as long as the capability is missing."""
    also = " (or CAP_SYS_ADMIN)" if "CAP_SYS_ADMIN" not in lacking else ""
    verb, it = ("is", "it") if len(lacking) == 1 else ("are", "them")
    text = f"{name}: {' and '.join(lacking)}{also} {verb} missing"
    if filtered:
        text += f"; without {it} the seccomp filter of this process refuses {call.name}"
    sysctl = ("sysctl.kernel.perf_event_paranoid",) if call is PERF else ()
    return Refusal(text, ("privileges.capabilities", *sysctl), filtered)


def _caught(
    machine: Machine, call: Call, name: str, lacking: tuple[str, ...]
) -> tuple[bool, tuple[Evidence, ...]]:
    """Whether a filter gave this answer: a question that every process may ask tells. Where it was not asked, the errno
    has to: the filters of docker and podman say EPERM or ENOSYS, and perf_event_open(2) says EACCES by itself.
    """
    confinement = machine.confinement
    if not confinement.filtered:
        return False, ()
    mode = Evidence("/proc/self/status Seccomp", "2")
    reached = confinement.perf_reached if call is PERF else confinement.bpf_reached
    if reached is None:
        return name != "EACCES" and (call is PERF or not lacking), (mode,)
    asked = f"{call.name} {'with flags that there are not' if call is PERF else 'about descriptor -1'}"
    return not reached, (mode, Evidence(asked, "the kernel answers" if reached else f"{name} all the same"))


def _no_such_call(machine: Machine, call: Call) -> Refusal:
    """ENOSYS: a kernel without the call, or a filter that says so. What comes with the call tells which."""
    signs = _signs(machine, call)
    if signs and machine.confinement.filtered:
        return Refusal(
            f"ENOSYS: this kernel has {call.name}, and the seccomp filter of this process hides it",
            ("privileges.seccomp",),
            (*signs, Evidence("/proc/self/status Seccomp", "2")),
        )
    causes = ("environment.vm", f"config.{call.option}", "privileges.seccomp")
    if machine.confinement.filtered:
        text = (
            f"ENOSYS: this kernel has no {call.name} (CONFIG_{call.option}), or the seccomp filter hides it"
        )
        return Refusal(text, causes)
    return Refusal(f"ENOSYS: this kernel has no {call.name} (CONFIG_{call.option})", causes, signs)


def _signs(machine: Machine, call: Call) -> tuple[Evidence, ...]:
    """What shows that the kernel was built with the call: a sysctl of its own, else the configuration."""
    try:
        value = machine.privileges.sysctl(call.sysctl)
        if value is not None:
            return (Evidence(call.sysctl, f"{value}: this kernel has it"),)
    except Unavailable:
        pass
    try:
        if machine.config.value(call.option) == "y":
            return (Evidence(machine.config.found.path, f"CONFIG_{call.option}=y"),)
    except Unavailable:
        pass
    return ()
