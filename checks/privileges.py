"""What the caller may do: root, capabilities, namespaces, seccomp, limits, security modules,
sysctls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.privileges import CAPABILITIES
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
from kdiag.system import ProbeResult, Unavailable

from .refusals import BPF, PERF, Call, explain

SUDO = Remedy("privileges.sudo", "Run kdiag as root", commands=("sudo kdiag check",), run_on="here")


def _container_caps(machine: Machine) -> tuple[Remedy, ...]:
    """The remedy in a container: capabilities come from the user who starts it."""
    place = machine.environment.container
    if place is None:
        return (SUDO,)
    if place.kind in ("docker", "podman", "kind"):
        engine = "podman" if place.kind == "podman" else "docker"
        command = (
            f"{engine} run --privileged --pid=host -v /sys/kernel/tracing:/sys/kernel/tracing "
            "-v /sys/kernel/debug:/sys/kernel/debug -v /lib/modules:/lib/modules:ro -v /usr/src:/usr/src:ro IMAGE"
        )
        return (
            Remedy(
                "privileges.container",
                "Start the container with what tracing needs",
                "unsafe",
                (command,),
                "the host",
            ),
        )
    if place.kind == "kubernetes":
        title = "Set securityContext.privileged: true and hostPID: true in the pod, or use a node debug pod"
        command = "kubectl debug node/NODE -it --profile=sysadmin --image=IMAGE"
        return (Remedy("privileges.container", title, "unsafe", (command,), "the cluster's client"),)
    return (
        Remedy(
            "privileges.container",
            f"Give {place.name} the capabilities from outside",
            "manual",
            (),
            "the host",
        ),
    )


@check("privileges.root", "Running as root")
def root(machine: Machine) -> Iterator[Finding]:
    """Whether the effective user id is 0.

    bpftrace up to 0.24 refuses every other user, whatever capabilities it has; from 0.25 on the
    capabilities decide. See it yourself: `id -u`.
    """
    identity = machine.system.identity()
    evidence = (Evidence("geteuid(2)", str(identity.euid)),)
    if identity.euid == 0:
        yield ok("running as root", evidence=evidence)
        return
    yield fail(
        "this user is not root",
        reason="bpftrace up to 0.24 runs for root only, whatever capabilities another user has",
        evidence=evidence,
        remedies=(SUDO,),
        with_root="what only root may ask the kernel is answered, too",
    )


@check("privileges.capabilities", "The capabilities that tracing needs")
def capabilities(machine: Machine) -> Iterator[Finding]:
    """CAP_SYS_ADMIN, or CAP_BPF with CAP_PERFMON, in the effective set; other users than root also need
    CAP_DAC_READ_SEARCH and CAP_DAC_OVERRIDE to look into tracefs.

    Without them bpf(2) and perf_event_open(2) fail with EPERM or EACCES, and old releases of bpftrace then
    complain about missing headers. See it yourself: `grep Cap /proc/self/status`, `capsh --decode=...`.
    """
    status = machine.privileges.status
    evidence = (
        Evidence("/proc/self/status CapEff", f"{status.effective_mask:016x}"),
        Evidence("/proc/self/status CapBnd", _bounding(machine)),
    )
    missing = _missing(machine)
    if not missing:
        absent = [
            c for c in ("CAP_SYS_RESOURCE", "CAP_SYS_MODULE", "CAP_SYSLOG") if c not in status.effective
        ]
        text = f"; not held: {', '.join(absent)}" if absent else ""
        yield ok(f"the capabilities for tracing are held{text}", evidence=evidence)
        return
    if not machine.privileges.is_root and not status.effective:
        yield fail(
            "needs root",
            reason=f"this user holds no capabilities: tracing requires {', '.join(missing)}",
            evidence=evidence,
            causes=("privileges.root",),
            remedies=(SUDO,),
        )
        return
    bounded = [c for c in missing if c not in status.bounding]
    reason = f"missing: {', '.join(missing)}"
    wrong: tuple[WrongRemedy, ...] = ()
    if bounded:
        reason += f"; the bounding set lacks {', '.join(bounded)}, so nothing started from here can gain them"
        where = " inside the container" if machine.environment.container is not None else ""
        wrong = (WrongRemedy(f"sudo{where}", "the bounding set has no such capability to give"),)
    yield fail(
        f"without {' and '.join(missing)}",
        reason=reason,
        evidence=evidence,
        causes=("environment.container",),
        remedies=_more(machine, bool(bounded)),
        wrong_remedies=wrong,
    )


def _bounding(machine: Machine) -> str:
    """The bounding set in words: what is in it, or the little that is not."""
    held = machine.privileges.status.bounding
    gone = [c for c in map("CAP_{}".format, CAPABILITIES) if machine.privileges.knows(c) and c not in held]
    if not gone:
        return "full"
    return f"all but {', '.join(gone)}" if len(gone) < len(held) else ", ".join(sorted(held)) or "empty"


def _missing(machine: Machine) -> list[str]:
    """What tracing lacks. CAP_BPF and CAP_PERFMON came with 5.8; before, CAP_SYS_ADMIN was all there was."""
    privileges = machine.privileges
    missing = [*privileges.lacking("CAP_BPF", "CAP_PERFMON")]
    if not privileges.is_root:
        missing += [c for c in ("CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE") if not privileges.has(c)]
    if (
        missing
        and not privileges.has("CAP_SYS_RESOURCE")
        and privileges.is_root
        and not privileges.knows("CAP_BPF")
    ):
        # All at once: the next error would be that RLIMIT_MEMLOCK, which such kernels count, cannot be raised.
        missing.append("CAP_SYS_RESOURCE")
    return missing


def _more(machine: Machine, bounded: bool) -> tuple[Remedy, ...]:
    """How to get more capabilities: sudo gives an ordinary user all, and root nothing that was taken away."""
    if not machine.privileges.is_root and not bounded:
        return (SUDO,)
    if machine.environment.container is not None:
        return _container_caps(machine)
    where = "what starts this shell or service (systemd: CapabilityBoundingSet=, capsh, setpriv)"
    return (Remedy("privileges.parent", "Start it without dropping capabilities", "manual", (), where),)


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
    yield fail(
        "root of a user namespace only",
        reason="capabilities in a user namespace do not count for bpf(2), perf_event_open(2) and tracefs",
        evidence=evidence,
        causes=("environment.container",),
        remedies=(
            Remedy(
                "privileges.outside",
                "Run it outside of the user namespace, as the machine's root",
                "manual",
                ("sudo kdiag check",),
                "the host",
            ),
        ),
        wrong_remedies=(
            WrongRemedy(
                "adding capabilities inside", "the kernel checks them against the initial user namespace"
            ),
        ),
    )


@check("privileges.seccomp", "No seccomp filter in the way")
def seccomp(machine: Machine) -> Iterator[Finding]:
    """Whether system calls of this process are filtered. Docker's default profile lets bpf(2) and
    perf_event_open(2) through only with the right capabilities; the filter itself cannot be read, so the
    calls' errno decides (`bpf.map`, `perf.events`).

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
    """A filter cannot be read: what it refuses shows in the answers to the calls."""
    stopped = []
    asked: tuple[tuple[Call, Callable[[], ProbeResult]], ...] = (
        (BPF, lambda: machine.bpf.create_map),
        (PERF, lambda: machine.bpf.profile),
    )
    for call, ask in asked:
        try:
            answer = ask()
        except Unavailable:
            continue
        if not answer.ok and explain(machine, call, answer).causes[:1] == ("privileges.seccomp",):
            stopped.append(f"{call.name}: {answer.describe()}")
    if not stopped:
        return warn(
            "a seccomp filter is active",
            reason="it may refuse bpf(2) or perf_event_open(2)",
            evidence=evidence,
            causes=("environment.container",),
        )
    return fail(
        f"a seccomp filter refuses {' and '.join(text.partition(':')[0] for text in stopped)}",
        reason="no capability helps against a filter, and no process can take its own filter away",
        evidence=(*evidence, *(Evidence(*text.split(": ", 1)) for text in stopped)),
        causes=("environment.container",),
        remedies=(_unfiltered(machine),),
    )


def _unfiltered(machine: Machine) -> Remedy:
    """A filter is set by what starts the process, and inherited."""
    place = machine.environment.container
    if place is not None and place.kind in ("docker", "podman", "kind"):
        engine = "podman" if place.kind == "podman" else "docker"
        command = f"{engine} run --security-opt seccomp=unconfined ... IMAGE"
        return Remedy(
            "privileges.seccomp", "Start it without the filter", "unsafe", (command,), run_on="the host"
        )
    if place is not None and place.kind == "kubernetes":
        title = "Set securityContext.seccompProfile.type: Unconfined in the pod"
        return Remedy("privileges.seccomp", title, "unsafe", run_on="the cluster's client")
    where = place.name if place is not None else "the service that starts this (systemd: SystemCallFilter=)"
    title = "Start it without the filter, or let it allow bpf and perf_event_open"
    return Remedy("privileges.seccomp", title, "manual", run_on=f"outside of {where}" if place else where)


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
        # The flag came with 3.5, its line in /proc/self/status with 4.10 (af884cd4a5ae).
        yield unknown("whether sudo can give privileges: this kernel does not show it", evidence=evidence)
    else:
        yield ok("no_new_privs is not in the way", evidence=evidence)


@check("privileges.memlock", "Locked-memory limit")
def memlock(machine: Machine) -> Iterator[Finding]:
    """Whether RLIMIT_MEMLOCK counts for BPF here, and whether bpftrace may raise it.

    Before 5.11 BPF maps and programs were charged against RLIMIT_MEMLOCK; later kernels charge the memory
    cgroup. bpftrace raises the limit at start in any case, and prints `couldn't set RLIMIT_MEMLOCK` where
    it may not (no CAP_SYS_RESOURCE): harmless on kernels that do not count it. See it yourself: `ulimit
    -l`.
    """
    soft, hard = machine.system.identity().memlock
    privileges = machine.privileges
    evidence = [Evidence("getrlimit(RLIMIT_MEMLOCK)", f"soft {_size(soft)}, hard {_size(hard)}")]
    may_raise = privileges.has("CAP_SYS_RESOURCE") or hard == -1
    if may_raise:
        yield ok("RLIMIT_MEMLOCK can be raised", evidence=tuple(evidence))
        return
    if not privileges.is_root:
        yield skip("does not matter: root may raise RLIMIT_MEMLOCK", evidence=tuple(evidence))
        return
    counted = machine.bpf.charges_memcg
    evidence.append(Evidence("bpf(BPF_PROG_LOAD) with a helper of 5.11", counted.describe()))
    if counted.ok:
        yield warn(
            "bpftrace prints a RLIMIT_MEMLOCK message here: harmless",
            reason="CAP_SYS_RESOURCE is missing to raise it, and this kernel does not count BPF memory against it",
            evidence=tuple(evidence),
            wrong_remedies=(
                WrongRemedy(
                    "ulimit -l 8192", "the message suggests it, but the limit does not matter on this kernel"
                ),
            ),
        )
    elif counted.name in ("EPERM", "EACCES"):
        yield unknown(
            "whether this kernel counts RLIMIT_MEMLOCK cannot be asked",
            reason=counted.describe(),
            evidence=tuple(evidence),
            causes=("privileges.capabilities", "privileges.userns"),
        )
    elif 0 <= soft < 8 * 1024 * 1024:
        yield fail(
            f"RLIMIT_MEMLOCK is {_size(soft)} and counts on this kernel",
            reason="BPF maps are charged against it before 5.11, and CAP_SYS_RESOURCE is missing to raise it",
            evidence=tuple(evidence),
            remedies=(
                Remedy(
                    "privileges.memlock",
                    "Raise the limit where the process is started",
                    commands=("ulimit -l unlimited",),
                    run_on="the parent of this shell, or the container's start (--ulimit memlock=-1)",
                ),
            ),
        )
    else:
        yield warn(f"RLIMIT_MEMLOCK counts on this kernel and is {_size(soft)}", evidence=tuple(evidence))


def _size(value: int) -> str:
    return "unlimited" if value == -1 else f"{value // 1024} kB"


#: What denies nothing: SELinux permissive; AppArmor's unconfined, and profiles in a mode that only logs or less
#: (`NAME (complain)`, `NAME (unconfined)`; security/apparmor/policy.c, aa_profile_mode_names).
_LENIENT = ("permissive", "unconfined", "(complain)", "(unconfined)")


@check("privileges.lsm", "Security modules")
def lsm(machine: Machine) -> Iterator[Finding]:
    """SELinux and AppArmor, where they concern this process. A denial by either shows as EACCES from
    bpf(2), while missing capabilities show as EPERM. See it yourself: `getenforce`, `cat
    /proc/self/attr/current`.
    """
    evidence: list[Evidence] = []
    concerns: list[str] = []
    unseen = ""
    looks: dict[str, Callable[[], str | None]] = {
        "SELinux": lambda: machine.privileges.selinux,
        "AppArmor": lambda: machine.privileges.apparmor,
    }
    for name, look in looks.items():
        try:
            value = look()
        except Unavailable as gap:
            evidence.append(Evidence(name, gap.reason))
            unseen = unseen or gap.reason
            continue
        evidence.append(Evidence(name, value or "not active"))
        if value and not value.endswith(_LENIENT):
            concerns.append(f"{name}: {value}")
    try:
        evidence.append(Evidence("/sys/kernel/security/lsm", ", ".join(machine.privileges.security_modules)))
    except Unavailable as gap:
        evidence.append(Evidence("/sys/kernel/security/lsm", gap.reason))
    if concerns:
        yield warn("; ".join(concerns), reason="a denial would show as EACCES", evidence=tuple(evidence))
    elif unseen:
        yield unknown(
            "whether a security module confines this process", reason=unseen, evidence=tuple(evidence)
        )
    else:
        yield ok("no security module confines this process", evidence=tuple(evidence))


@check("privileges.secure-boot", "Secure Boot")
def secure_boot(machine: Machine) -> Iterator[Finding]:
    """UEFI Secure Boot: distributions then lock the kernel down and load signed modules only.

    See it yourself: `mokutil --sb-state`.
    """
    state = machine.privileges.secure_boot
    if state is None:
        yield skip("not booted through UEFI", evidence=(Evidence("/sys/firmware/efi", "absent"),))
    elif state:
        yield warn("Secure Boot is on: only signed modules load, and most distributions lock the kernel down")
    else:
        yield ok("Secure Boot is off", evidence=(Evidence("EFI variable SecureBoot", "0"),))


@check("kernel.lockdown", "Kernel lockdown allows tracing")
def lockdown(machine: Machine) -> Iterator[Finding]:
    """The lockdown mode: `none` and `integrity` let tracing work, `confidentiality` forbids reading kernel
    memory and tracefs.

    The file is in securityfs; where that is not mounted, a program that reads kernel memory is loaded (and
    dropped), which only confidentiality refuses. See it yourself: `cat /sys/kernel/security/lockdown`, man
    7 kernel_lockdown.
    """
    try:
        mode = machine.privileges.lockdown
    except Unavailable as gap:
        yield _lockdown_by_behaviour(machine, gap.reason)
        return
    evidence = (Evidence("/sys/kernel/security/lockdown", mode),)
    if mode == "confidentiality":
        yield _locked(evidence)
    else:
        yield ok(
            f"lockdown: {mode}",
            reason="" if mode == "none" else "debugfs files may refuse to open; bpftrace works",
            evidence=evidence,
        )


def _locked(evidence: tuple[Evidence, ...]) -> Finding:
    return fail(
        "the kernel is locked down: confidentiality",
        reason="BPF may not read kernel memory and tracefs cannot be opened; no privilege helps",
        evidence=evidence,
        causes=("privileges.secure-boot",),
        remedies=(
            Remedy(
                "kernel.lockdown",
                "Boot with lockdown=integrity; Secure Boot may enforce more",
                "manual",
                (),
                "the boot loader",
                ("root", "reboot"),
            ),
        ),
    )


def _tracefs_opens(machine: Machine) -> Evidence | None:
    """A file of tracefs that could be read: confidentiality refuses all of them (5.4, LOCKDOWN_TRACEFS)."""
    name = "available_filter_functions"
    try:
        opens = machine.tracing.readable_file(name)
    except Unavailable:
        return None
    return Evidence(f"{machine.tracing.root}/{name}", "readable") if opens else None


def _knows_helper(machine: Machine, evidence: list[Evidence]) -> bool:
    """Whether the kernel has the helper that it refused: those before 5.5 lack it and answer EINVAL as well."""
    try:
        older = machine.bpf.read_any
    except Unavailable:
        return machine.kernel.version_numbers >= (5, 5, 0)
    evidence.append(Evidence("the same with the helper that every kernel has", older.describe()))
    return older.name == "EINVAL"


def _lockdown_by_behaviour(machine: Machine, why: str) -> Finding:
    probe = machine.bpf.read_kernel
    evidence = [
        Evidence("/sys/kernel/security/lockdown", why),
        Evidence("bpf(BPF_PROG_LOAD) that reads kernel memory", probe.describe()),
    ]
    if probe.ok:
        return ok(
            "lockdown is not at confidentiality: a program may read kernel memory",
            evidence=tuple(evidence),
        )
    if probe.name == "EINVAL" and machine.bpf.program("raw_tracepoint").ok:
        opened = _tracefs_opens(machine)
        if opened is not None:
            return ok(
                "lockdown is not at confidentiality: tracefs opens, which it refuses",
                evidence=(*evidence, opened),
            )
        if _knows_helper(machine, evidence):
            return _locked(tuple(evidence))
    asked_for = machine.privileges.lockdown_expected
    if asked_for is not None:
        evidence.append(expect("kernel config and command line", asked_for))
    make = expected if asked_for in ("none", "integrity") else unknown
    return make(
        "the lockdown mode cannot be seen",
        reason=why,
        evidence=tuple(evidence),
        remedies=()
        if machine.environment.vm is not None and machine.environment.vm.kind in ("wsl1", "gvisor", "uml")
        else (
            Remedy(
                "securityfs.mount",
                "Mount securityfs",
                commands=("sudo mount -t securityfs securityfs /sys/kernel/security",),
                needs=("root",),
                undo=("sudo umount /sys/kernel/security",),
            ),
        ),
        with_root="a program that reads kernel memory answers",
    )
