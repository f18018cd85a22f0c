"""Root, capabilities and limits of the process that traces."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.privileges import CAPABILITIES
from kdiag.model import Evidence, Finding, Remedy, WrongRemedy, fail, ok, skip, unknown, warn
from kdiag.remedies.container import run
from kdiag.system import Unavailable


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
    bounded = [c for c in missing if c not in status.bounding]
    if not machine.privileges.is_root and (found := _of_a_user(machine, missing, evidence)):
        yield found
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
        causes=() if machine.privileges.is_root else ("privileges.root",),
        remedies=_more(machine, bool(bounded)),
        wrong_remedies=wrong,
    )


def _of_a_user(machine: Machine, missing: list[str], evidence: tuple[Evidence, ...]) -> Finding | None:
    """What a user other than root lacks altogether: what root could have here, or what not even root could."""
    status = machine.privileges.status
    out_of_reach = machine.privileges.lacking("CAP_BPF", "CAP_PERFMON", held=status.bounding)
    if out_of_reach:
        return fail(
            f"neither this user nor root has {' and '.join(out_of_reach)} here",
            reason="the bounding set lacks them, so that nothing started from here can gain them",
            evidence=evidence,
            remedies=_more(machine, True),
            wrong_remedies=(WrongRemedy("sudo", "the bounding set has no such capability to give"),),
        )
    if status.effective:
        return None
    return fail(
        "this user holds no capabilities",
        reason=f"tracing requires {', '.join(missing)}",
        evidence=evidence,
        causes=("privileges.root",),
        remedies=run(machine) or (_sudo(machine),),
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
    if not privileges.is_root and privileges.lacking("CAP_BPF"):
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
    elif counted.refused:
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
            causes=() if privileges.is_root else ("privileges.root",),
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
