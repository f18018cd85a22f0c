"""What confines the caller, whatever capabilities are held: user namespaces, seccomp filters, security modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.model import Evidence, Finding, Remedy, WrongRemedy, fail, ok, skip, unknown, warn
from kdiag.remedies.container import run
from kdiag.system import ProbeResult, Unavailable

from .refusals import BPF, PERF, Call, explain, only_root_may, quoted

if TYPE_CHECKING:
    from kdiag.machine.confinement import Confined


@check("privileges.userns", "In the machine's own user namespace")
def userns(machine: Machine) -> Iterator[Finding]:
    """Whether uid 0 is root of the machine, or of a user namespace only.

    Root of a user namespace holds every capability there and none over the kernel: bpf(2) says EPERM, and
    tools report tracepoints as missing. See it yourself: `cat /proc/self/uid_map` shows `0 0 4294967295` on
    the machine itself, and `readlink /proc/self/ns/user` user:[4026531837].
    """
    evidence = (
        Evidence("/proc/self/ns/user", machine.privileges.user_namespace or "not shown"),
        Evidence("/proc/self/uid_map", machine.privileges.uid_map or "absent"),
    )
    if machine.privileges.initial_user_namespace:
        yield ok("the machine's own user namespace", evidence=evidence)
        return
    outside = Remedy(
        "privileges.outside",
        "Run it outside of the user namespace, as the machine's root",
        "manual",
        ("sudo kdiag check",),
        "the host",
    )
    yield fail(
        "this root is root of a user namespace only",
        reason="capabilities in a user namespace do not count for bpf(2), perf_event_open(2) and tracefs",
        evidence=evidence,
        remedies=(*(run(machine) or (outside,)), *_delegate(machine)),
        wrong_remedies=(
            WrongRemedy(
                "adding capabilities inside", "the kernel checks them against the initial user namespace"
            ),
        ),
    )


#: What a token is good for: no perf_event_open(2), by which tracepoints, kprobes, uprobes and profiles attach.
_REACH = "for maps, fentry, raw tracepoints and iterators; not for tracepoints, kprobes, uprobes and profile"
_DELEGATING = {
    # incus: docs/explanation/bpf-tokens; LXD (its container says lxc as well): security.delegate_bpf
    "lxc": (
        "incus config set NAME security.bpffs.delegate_cmds=any security.bpffs.delegate_maps=any "
        "security.bpffs.delegate_progs=any security.bpffs.delegate_attachs=any",
    ),
}


def _delegate(machine: Machine) -> tuple[Remedy, ...]:
    """The way for programs that need not be root of the machine: a BPF token (6.9)."""
    if machine.confinement.delegated or machine.kernel.version_numbers < (6, 9):
        return ()
    place = machine.environment.container
    commands = _DELEGATING.get(place.kind, ()) if place is not None else ()
    title = f"Or delegate BPF to the namespace, in a BPF file system of its own ({_REACH})"
    return (Remedy("privileges.token", title, "manual", commands, "the host", ("root",)),)


@check("privileges.token", "BPF tokens")
def token(machine: Machine) -> Iterator[Finding]:
    """Whether bpf(2) is delegated to this user namespace: its BPF file system was mounted with delegate_cmds=,
    delegate_maps=, delegate_progs= and delegate_attachs= (6.9). Programs of libbpf 1.4 and newer make a token of it by
    themselves, at /sys/fs/bpf or where LIBBPF_BPF_TOKEN_PATH says. No token lets perf_event_open(2) through.

    See it yourself: `findmnt -t bpf -o TARGET,OPTIONS`.
    """
    if machine.privileges.initial_user_namespace:
        seen = machine.privileges.user_namespace or "not shown"
        yield ok(
            "no BPF token is needed: not in a user namespace",
            evidence=(Evidence("/proc/self/ns/user", seen),),
        )
        return
    delegated = machine.confinement.delegated
    where = "/proc/self/mountinfo /sys/fs/bpf"
    if delegated:
        yield ok(
            f"BPF is delegated to this user namespace: {_REACH}",
            reason="a program of libbpf 1.4 or newer makes a token of it by itself",
            evidence=(Evidence(where, ", ".join(delegated)),),
        )
        return
    yield warn(
        "BPF is not delegated to this user namespace",
        evidence=(Evidence(where, "no delegate_ option"),),
        causes=("privileges.userns",),
    )


_CALLS: tuple[tuple[Call, Callable[[Machine], ProbeResult]], ...] = (
    (BPF, lambda machine: machine.bpf.create_map),
    (PERF, lambda machine: machine.bpf.profile),
)


def _stopped(machine: Machine, by: str) -> dict[str, Evidence]:
    """The calls that the finding `by` is the first reason for the refusal of, by name."""
    stopped = {}
    for call, ask in _CALLS:
        try:
            answer = ask(machine)
        except Unavailable:
            continue
        if answer.ok or only_root_may(machine, call, answer):
            continue
        if explain(machine, call, answer).causes[:1] == (by,):
            stopped[call.name] = Evidence(call.name, answer.describe())
    return stopped


@check("privileges.seccomp", "No seccomp filter in the way")
def seccomp(machine: Machine) -> Iterator[Finding]:
    """Whether system calls of this process are filtered. The filters of Docker, Podman and Kubernetes let bpf(2) and
    perf_event_open(2) through only with the right capabilities. A filter cannot be read: a call that every process
    may make tells whether it answers in the kernel's place.

    See it yourself: `grep Seccomp /proc/self/status` (2 is a filter).
    """
    mode = machine.privileges.status.seccomp
    evidence = (Evidence("/proc/self/status Seccomp", "absent" if mode is None else str(mode)),)
    if mode is None:
        yield skip("this kernel has no seccomp", evidence=evidence)
    elif mode == 0:
        yield ok("no seccomp filter", evidence=evidence)
    else:
        yield _filtered(machine, evidence)


def _filtered(machine: Machine, evidence: tuple[Evidence, ...]) -> Finding:
    stopped = _stopped(machine, "privileges.seccomp")
    if not stopped:
        return warn(
            "a seccomp filter is active",
            reason="it may refuse bpf(2) or perf_event_open(2)",
            evidence=evidence,
        )
    return fail(
        f"a seccomp filter refuses {' and '.join(stopped)}",
        reason="no process can remove its own filter: what starts the process sets it",
        evidence=(*evidence, *stopped.values()),
        remedies=run(machine) or (_UNFILTERED,),
    )


#: A filter is set by what starts the process, and inherited.
_UNFILTERED = Remedy(
    "privileges.seccomp",
    "Start it without the filter, or let it allow bpf and perf_event_open",
    "manual",
    run_on="the service that starts this (systemd: SystemCallFilter=)",
)


@check("privileges.no-new-privs", "sudo can give privileges")
def no_new_privs(machine: Machine) -> Iterator[Finding]:
    """With no_new_privs set, sudo and setuid programs give no privileges (man 2 PR_SET_NO_NEW_PRIVS)."""
    value = machine.privileges.status.no_new_privs
    evidence = (Evidence("/proc/self/status NoNewPrivs", "absent" if value is None else str(int(value))),)
    if value and not machine.privileges.is_root:
        yield fail(
            "no_new_privs is set: sudo cannot work in this process tree",
            evidence=evidence,
            causes=("environment.container",),
        )
    elif value is None and not machine.privileges.is_root:
        # The flag came with 3.5, its line in /proc/self/status with 4.10 (proc(5), NoNewPrivs).
        yield unknown(
            "cannot tell whether sudo can give privileges: this kernel does not show it", evidence=evidence
        )
    else:
        yield ok("no_new_privs is not in the way", evidence=evidence)


@check("privileges.lsm", "Security modules")
def lsm(machine: Machine) -> Iterator[Finding]:
    """SELinux and AppArmor as far as they concern this process. A denial of the call itself shows as EACCES from
    bpf(2), a denial of the capability as EPERM, as if it were missing. See it yourself: `getenforce`, `cat
    /proc/self/attr/current`, `ausearch -m avc`.
    """
    evidence, unseen = _looks(machine)
    module = machine.confinement.module
    if module is None and (denied := _denied(machine)):
        yield fail(
            f"a security module refuses {' and '.join(denied)}",
            reason="the kernel's log has the denials; the process's own label does not show it",
            evidence=(*denied.values(), *evidence),
        )
        return
    if module is None and unseen:
        yield unknown(
            "cannot tell whether a security module confines this process", reason=unseen, evidence=evidence
        )
        return
    if module is None:
        yield ok("no security module confines this process", evidence=evidence)
        return
    stopped = _stopped(machine, "privileges.lsm")
    if machine.confinement.closed is not None:
        stopped["tracefs"] = Evidence("a file of tracefs", machine.confinement.closed.reason)
    if machine.confinement.unused:
        stopped["the use of perf events"] = Evidence("ioctl(2) on a perf event", "EACCES (Permission denied)")
    if not stopped:
        what = f"{module.by} confines this process{f' as {module.as_}' if module.as_ else ''}"
        yield warn(
            what,
            reason="a denial would show as EACCES, or as a capability that is held and does not count",
            evidence=evidence,
        )
        return
    yield fail(
        f"{module.name} refuses {' and '.join(stopped)}",
        reason="the capabilities are held, and nothing else refuses it",
        evidence=(*stopped.values(), *evidence),
        remedies=run(machine) or (_allowed(module),),
    )


def _denied(machine: Machine) -> dict[str, Evidence]:
    """The calls that fail and that a module has denied, by the kernel's log."""
    denials = {name: machine.log.denial(name) for name in _stopped(machine, "privileges.lsm")}
    return {name: quoted(denial) for name, denial in denials.items() if denial is not None}


def _looks(machine: Machine) -> tuple[tuple[Evidence, ...], str]:
    """What each module says of this process, and why one could not be looked at."""
    evidence: list[Evidence] = []
    unseen = ""
    privileges = machine.privileges
    looks: dict[str, Callable[[], str | None]] = {
        "SELinux": lambda: privileges.selinux,
        "SELinux label": lambda: privileges.selinux_context,
        "AppArmor": lambda: privileges.apparmor,
    }
    for name, look in looks.items():
        try:
            value = look()
        except Unavailable as gap:
            evidence.append(Evidence(name, gap.reason))
            unseen = unseen or gap.reason
            continue
        if value or name != "SELinux label":
            evidence.append(Evidence(name, value or "not active"))
    try:
        evidence.append(Evidence("/sys/kernel/security/lsm", ", ".join(privileges.security_modules)))
    except Unavailable as gap:
        evidence.append(Evidence("/sys/kernel/security/lsm", gap.reason))
    return tuple(evidence), unseen


def _allowed(module: Confined) -> Remedy:
    """Outside of a container the policy is this machine's own."""
    if module.by == "SELinux":
        return Remedy(
            "privileges.lsm",
            f"Let the policy allow {module.as_ or 'this domain'} what was denied (audit2allow makes the rules of it)",
            "manual",
            ("sudo ausearch -m avc -ts recent",),
            needs=("root",),
        )
    return Remedy(
        "privileges.lsm",
        f"Add `capability bpf,` and `capability perfmon,` to the profile {module.as_}, or start it outside of that",
        "manual",
        ("sudo aa-status",),
        needs=("root",),
    )
