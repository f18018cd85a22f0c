"""What the caller may do: root, capabilities, locked memory; and lockdown, which no privilege lifts."""

from __future__ import annotations

from collections.abc import Iterator

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
from kdiag.remedies.container import run
from kdiag.remedies.mounts import mount
from kdiag.system import Unavailable

from .refusals import TRACING, Refusal, explain, quoted


def _sudo(machine: Machine) -> Remedy:
    """Becoming root, where sudo can do that."""
    try:
        cannot = machine.privileges.status.no_new_privs
    except Unavailable:
        cannot = None
    if cannot:
        title = "Run kdiag as root, from a shell where sudo works: this process tree has no_new_privs set"
        return Remedy("privileges.sudo", title, "manual", run_on="outside of this process tree")
    return Remedy("privileges.sudo", "Run kdiag as root", commands=("sudo kdiag check",), run_on="here")


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
        remedies=run(machine) or (_sudo(machine),),
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
            "this user holds no capabilities",
            reason=f"tracing requires {', '.join(missing)}",
            evidence=evidence,
            causes=("privileges.root",),
            remedies=run(machine) or (_sudo(machine),),
        )
        return
    if not machine.privileges.initial_user_namespace:
        # More of them inside would not count: what the namespace means is the one thing to say.
        yield fail(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing",
            reason="and those of a user namespace would not count",
            evidence=evidence,
            causes=("privileges.userns",),
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
        f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing",
        reason=reason,
        evidence=evidence,
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
    if machine.environment.container is not None:
        return run(machine)
    if not machine.privileges.is_root and not bounded:
        return (_sudo(machine),)
    where = "what starts this shell or service (systemd: CapabilityBoundingSet=, capsh, setpriv)"
    return (Remedy("privileges.parent", "Start it without dropping capabilities", "manual", (), where),)


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
        # Nothing waits for it, and it explains no refusal: as it should be, with a word on what will be printed.
        yield ok(
            "bpftrace prints a RLIMIT_MEMLOCK message here: harmless",
            reason="CAP_SYS_RESOURCE is missing to raise it, and this kernel does not count BPF memory against it"
            + _labelled(machine),
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


def _labelled(machine: Machine) -> str:
    behaviour = machine.tools.behaviour
    label = behaviour.memlock_prefix if behaviour is not None else ""
    return f"; that the message begins with {label} changes nothing" if label else ""


def _size(value: int) -> str:
    return "unlimited" if value == -1 else f"{value // 1024} kB"


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

    The file is in securityfs; where that is not mounted, the kernel's log may tell, or a program that reads kernel
    memory is loaded (and dropped), which only confidentiality refuses. See it yourself: `cat
    /sys/kernel/security/lockdown`, man 7 kernel_lockdown.
    """
    try:
        mode = machine.privileges.lockdown
    except Unavailable as gap:
        said = machine.log.confidential
        if said is not None:
            yield _locked((Evidence("/sys/kernel/security/lockdown", gap.reason), quoted(said)))
        else:
            yield _lockdown_by_behaviour(machine, gap.reason)
        return
    by = tuple(map(quoted, machine.log.of("locked")[:1]))
    evidence = (Evidence("/sys/kernel/security/lockdown", mode), *by)
    if mode == "confidentiality":
        yield _locked(evidence)
    elif (said := machine.log.locked_by_patch) is not None and not machine.bpf.create_map.ok:
        yield _locked_by_patch((*evidence, quoted(said)))
    else:
        yield ok(
            f"lockdown: {mode}",
            reason="" if mode == "none" else "debugfs files may refuse to open; bpftrace works",
            evidence=evidence,
        )


def _locked_by_patch(evidence: tuple[Evidence, ...]) -> Finding:
    """Fedora and Ubuntu had patches for Secure Boot before Linux had lockdown, and those refused bpf(2) itself."""
    return fail(
        "the kernel is locked down, by a patch from before Linux 5.4 that refuses BPF and kprobes",
        reason="no privilege helps; lockdown as it is in Linux since 5.4 lets tracing work in its integrity mode",
        evidence=evidence,
        causes=("privileges.secure-boot",),
        remedies=(
            Remedy(
                "kernel.lockdown-patch",
                "Switch Secure Boot off, or boot a kernel from 5.4 on",
                "manual",
                (),
                "the firmware's settings",
                ("root", "reboot"),
            ),
        ),
    )


def _locked(evidence: tuple[Evidence, ...]) -> Finding:
    return fail(
        "the kernel is locked down (confidentiality)",
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
    refused = explain(machine, TRACING, probe) if probe.name in ("EPERM", "EACCES", "ENOSYS") else Refusal("")
    not_linux = machine.environment.vm is not None and machine.environment.vm.kind in (
        "wsl1",
        "gvisor",
        "uml",
    )
    return make(
        "the lockdown mode cannot be seen",
        reason="; ".join(filter(None, (why, refused.reason))),
        evidence=tuple(evidence),
        causes=() if not_linux else refused.causes,
        remedies=() if not_linux else mount(machine, "securityfs", "/sys/kernel/security"),
        with_root="" if machine.privileges.is_root else "a program that reads kernel memory tells",
    )
