"""What the kernel answers when asked: bpf(2) and perf_event_open(2), with each errno explained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.btf import VMLINUX, NoBtf
from kdiag.model import Evidence, Finding, Remedy, Status, expect, expected, fail, ok, unknown, warn
from kdiag.parse.errors import ParseError
from kdiag.system import ProbeResult, Unavailable

from .refusals import BPF, PERF, TRACING, explain, only_root_may

#: The plurals of the verbs that follow the name of something asked for.
_PLURALS = {"is": "are", "needs": "need", "works": "work"}


def _verb(what: str, singular: str) -> str:
    """The verb after `what`, which is in the plural if it ends in s."""
    return _PLURALS[singular] if what.endswith("s") else singular


def _by_config(
    machine: Machine, what: str, options: tuple[str, ...], result: ProbeResult, call: str = "bpf(2)"
) -> Finding:
    """The verdict where only root may ask: the running kernel's own configuration, named as such."""
    evidence = [Evidence(call, result.describe())]
    try:
        values = {name: machine.config.value(name) for name in options}
        path = machine.config.found.path
    except Unavailable as gap:
        return unknown(
            f"only root may try {what}, and no kernel configuration is readable here",
            reason=gap.reason,
            evidence=tuple(evidence),
            causes=("privileges.root", "privileges.capabilities"),
            with_root=f"one harmless {call} call answers",
        )
    off = [name for name, value in values.items() if value not in ("y", "m")]
    if off:
        evidence += [Evidence(path, f"CONFIG_{name}={value or 'absent'}") for name, value in values.items()]
        return fail(
            f"CONFIG_{off[0]} is off: no {what}",
            evidence=tuple(evidence),
            causes=tuple(f"config.{name}" for name in off),
            with_root=f"one harmless {call} call answers for sure",
        )
    evidence += [expect(path, f"CONFIG_{name}={value}") for name, value in values.items()]
    return expected(
        f"only root may try {what}; the kernel's configuration has {'them' if what.endswith('s') else 'it'}",
        evidence=tuple(evidence),
        causes=("privileges.root", "privileges.capabilities"),
        with_root=f"one harmless {call} call answers",
    )


@check("bpf.map", "bpf(2) is there and allowed")
def bpf_map(machine: Machine) -> Iterator[Finding]:
    """Creates an array map of one element and drops it: what every tracer does first.

    EPERM, EACCES, ENOSYS and EINVAL have different causes, so the errno is kept. See it yourself: `bpftool
    feature probe`.
    """
    result = machine.bpf.create_map
    if result.ok:
        yield ok("bpf(2) works", evidence=(Evidence("bpf(BPF_MAP_CREATE)", "ok"),))
    elif only_root_may(machine, BPF, result):
        yield _by_config(machine, "bpf(2)", ("BPF_SYSCALL",), result)
    else:
        why = explain(machine, BPF, result)
        yield fail(
            "bpf(2) is refused",
            reason=why.reason,
            evidence=(Evidence("bpf(BPF_MAP_CREATE)", result.describe()), *why.evidence),
            causes=why.causes,
        )


_PROGRAMS = {
    "kprobe": ("kprobe and uprobe programs", ("BPF_EVENTS",)),
    "tracepoint": ("tracepoint programs", ("BPF_EVENTS",)),
    "raw_tracepoint": ("raw tracepoint programs", ("BPF_EVENTS",)),
    "perf_event": ("perf event programs", ("BPF_EVENTS", "PERF_EVENTS")),
}


@check(
    "bpf.prog", "Program types that this kernel loads", ids=tuple(f"bpf.prog.{kind}" for kind in _PROGRAMS)
)
def programs(machine: Machine) -> Iterator[Finding]:
    """Loads an empty program of each type that tracing uses, and drops it. EINVAL: the kernel was built without
    CONFIG_BPF_EVENTS. See it yourself: `bpftool feature probe`.
    """
    for kind, (what, options) in _PROGRAMS.items():
        finding_id, title = f"bpf.prog.{kind}", f"The kernel loads {what}"
        result = machine.bpf.program(kind)
        evidence = (Evidence(f"bpf(BPF_PROG_LOAD, {kind})", result.describe()),)
        if result.ok:
            yield ok(f"{what} load", id=finding_id, title=title, evidence=evidence)
        elif only_root_may(machine, TRACING, result):
            found = _by_config(machine, what, options, result)
            yield _renamed(found, finding_id, title)
        else:
            why = explain(machine, TRACING, result)
            yield fail(
                f"{what} do not load",
                id=finding_id,
                title=title,
                reason=why.reason,
                evidence=(*evidence, *why.evidence),
                causes=why.causes or tuple(f"config.{name}" for name in options),
            )


@check("bpf.test-run", "Programs can be run on demand")
def test_run(machine: Machine) -> Iterator[Finding]:
    """Runs an empty raw tracepoint program once by BPF_PROG_TEST_RUN (5.10), attached to nothing. bpftrace runs BEGIN
    and END so: since 0.16 where the kernel can, since 0.22 in no other way.
    """
    try:
        result = machine.bpf.test_run
    except Unavailable as gap:
        yield _by_younger_features(machine, gap.reason)
        return
    evidence = (Evidence("bpf(BPF_PROG_TEST_RUN)", f"{result.detail or 'run'}: {result.describe()}"),)
    if result.ok:
        yield ok("programs can be run on demand", evidence=evidence)
    elif only_root_may(machine, TRACING, result):
        yield _by_younger_features(machine, result.describe())
    elif result.detail == "run" or result.name in ("ENOTSUPP", "EINVAL"):
        yield fail(
            "this kernel cannot run raw tracepoint programs on demand",
            reason="requires Linux 5.10 or newer; bpftrace 0.22 and newer run BEGIN in no other way",
            evidence=evidence,
            causes=("bpf.prog.raw_tracepoint",),
        )
    else:
        why = explain(machine, TRACING, result)
        yield fail(
            "programs may not be run on demand",
            reason=why.reason,
            evidence=(*evidence, *why.evidence),
            causes=why.causes,
        )


#: Families of kernels whose older ones do not get what BPF learns later, as those of RHEL and SUSE do.
_NO_BACKPORTS = ("ubuntu", "debian")


def _by_younger_features(machine: Machine, why: str) -> Finding:
    """Where it was not tried (older recordings did not ask): what came after 5.10 and was seen proves it."""
    evidence = Evidence("bpf(BPF_PROG_TEST_RUN)", why)
    newer: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("the kernel lists its BTF by id (5.11)", lambda: machine.bpf.btf_by_id.ok),
        ("BPF memory is charged to the cgroup (5.11)", lambda: machine.bpf.charges_memcg.ok),
        ("kprobe.multi is known (5.18)", lambda: machine.bpf.kprobe_multi.name == "ESRCH"),
        ("the kernel has bpf_loop (5.17)", lambda: machine.btf.function("bpf_loop") is not None),
    )
    recent = machine.kernel.version_numbers >= (5, 10, 0)
    for text, seen in newer:
        try:
            if recent and seen():
                return ok("programs can be run on demand", evidence=(evidence, Evidence("bpf(2)", text)))
        except (Unavailable, ValueError):
            continue
    if recent:
        return expected(
            "whether programs can be run on demand was not tried",
            evidence=(evidence, expect("uname -r", "5.10 and newer can")),
            causes=("privileges.root",),
            with_root="one program, loaded and run, answers",
        )
    kernel = machine.kernel.identity
    if kernel is not None and kernel.family in _NO_BACKPORTS and kernel.confidence != "unverified":
        return fail(
            "this kernel cannot run raw tracepoint programs on demand",
            reason="requires Linux 5.10 or newer; bpftrace 0.22 and newer run BEGIN in no other way",
            evidence=(
                evidence,
                expect("uname -r", "older, and takes over nothing of later BPF", kernel.name),
            ),
            causes=("bpf.prog.raw_tracepoint",),
        )
    return unknown(
        "whether programs can be run on demand was not tried",
        reason="requires Linux 5.10 or newer; some distributions' older kernels have it, too",
        evidence=(evidence,),
        causes=("privileges.root",),
        with_root="one program, loaded and run, answers",
    )


def _renamed(finding: Finding, finding_id: str, title: str) -> Finding:
    return replace(finding, id=finding_id, title=title)


def _tracing_program(
    machine: Machine,
    what: str,
    ask: Callable[[], ProbeResult],
    options: tuple[str, ...],
    causes: tuple[str, ...],
) -> Finding:
    try:
        result = ask()
    except NoBtf:
        lacks = "it is hidden here" if machine.btf.hidden_by else "the kernel does not provide it"
        return fail(f"{what} {_verb(what, 'needs')} BTF, and {lacks}", causes=("btf.vmlinux",))
    except ParseError:
        return fail(f"{what} {_verb(what, 'needs')} BTF, and the kernel's is broken", causes=("btf.vmlinux",))
    evidence = (Evidence("bpf(2)", f"{result.detail or 'load and attach'}: {result.describe()}"),)
    if result.ok:
        return ok(f"{what} {_verb(what, 'works')}", evidence=evidence)
    if only_root_may(machine, TRACING, result):
        found = _by_config(machine, what, options, result)
        if found.status is Status.FAIL or found.likely is None:
            return found
        # The configuration cannot tell of trampolines: architectures and hardened guests lack them all the same.
        return unknown(
            f"{what} {_verb(what, 'is')} configured; only root may try",
            evidence=found.evidence,
            causes=("privileges.root", "privileges.capabilities"),
            with_root="one program, loaded and dropped, answers",
        )
    why = explain(machine, TRACING, result)
    reason, causes = why.reason, why.causes or causes
    if result.name == "ENOTSUPP":
        reason = "the kernel loads the program and cannot attach it: no BPF trampoline for this architecture or build"
    elif result.name == "EBUSY":
        reason = (
            "EBUSY: the function has no room for a trampoline (the kernel was built without function tracing)"
        )
    elif result.name == "EPERM" and machine.bpf.program("kprobe").ok:
        # The same capabilities, the same system call and the same filter: what is left is this kind of program.
        reason = "other programs load: this kernel refuses BPF trampolines"
    return fail(
        f"the kernel refuses {what.removesuffix('s')} programs ({result.name} at {result.detail or 'load'})",
        reason=reason,
        evidence=(*evidence, *why.evidence),
        causes=causes,
    )


@check("bpf.fentry", "fentry and fexit")
def fentry(machine: Machine) -> Iterator[Finding]:
    """Loads an empty fentry program, attaches it to bpf_fentry_test1 (a function that only the kernel's
    self-tests call) and drops it. Loading alone proves nothing: arm64 before 6.0 loads and cannot attach
    (errno 524, ENOTSUPP).

    fentry needs BTF, the BPF JIT and BPF trampolines (CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS where
    functions are traced).
    """
    try:
        jit = machine.privileges.sysctl("net.core.bpf_jit_enable")
    except Unavailable:
        jit = None  # the program tells
    if jit == 0:
        yield fail(
            "the BPF JIT is switched off, and fentry needs it",
            evidence=(Evidence("/proc/sys/net/core/bpf_jit_enable", "0"),),
            causes=("sysctl.net.core.bpf_jit_enable",),
        )
        return
    options = ("BPF_JIT", "DEBUG_INFO_BTF", "FUNCTION_TRACER", "DYNAMIC_FTRACE_WITH_DIRECT_CALLS")
    yield _tracing_program(
        machine, "fentry", lambda: machine.bpf.fentry, options, tuple(f"config.{name}" for name in options)
    )


@check("bpf.iter", "BPF iterators")
def iterator(machine: Machine) -> Iterator[Finding]:
    """Loads an empty task iterator program and drops it (5.8, needs BTF)."""
    options = ("BPF_SYSCALL", "DEBUG_INFO_BTF")
    yield _tracing_program(machine, "iterators", lambda: machine.bpf.iterator, options, ())


@check("bpf.loop", "Loops in programs")
def loop(machine: Machine) -> Iterator[Finding]:
    """Whether the kernel has the helper bpf_loop (5.17), by its own BTF: bpftrace needs it for loops over ranges, which
    the stock tools of 0.25 and newer have (`Missing required kernel feature: loop`).
    """
    try:
        number = machine.btf.vmlinux.function("bpf_loop")
    except (NoBtf, ParseError):
        yield unknown("whether the kernel has bpf_loop is not known without its BTF", causes=("btf.vmlinux",))
        return
    evidence = (Evidence(f"{VMLINUX}, function bpf_loop", "absent" if number is None else f"type {number}"),)
    if number is None:
        yield fail("this kernel has no bpf_loop", reason="requires Linux 5.17 or newer", evidence=evidence)
    else:
        yield ok("the kernel has bpf_loop", evidence=evidence)


@check("bpf.kprobe_multi", "kprobe.multi links")
def kprobe_multi(machine: Machine) -> Iterator[Finding]:
    """Whether many functions can be probed at once (5.18, CONFIG_FPROBE): a link to a function that does
    not exist is asked for, and ESRCH is the answer of a kernel that can. Without it bpftrace attaches
    wildcards one function at a time.
    """
    result = machine.bpf.kprobe_multi
    evidence = (
        Evidence("bpf(BPF_LINK_CREATE, BPF_TRACE_KPROBE_MULTI)", f"{result.detail}: {result.describe()}"),
    )
    if result.ok or result.name == "ESRCH":
        yield ok("kprobe.multi works", evidence=evidence)
    elif only_root_may(machine, TRACING, result):
        yield _by_config(machine, "kprobe.multi", ("FPROBE",), result)
    elif result.name in ("EINVAL", "EOPNOTSUPP", "ENOTSUP"):
        # Before 5.18 the kind is not known; without CONFIG_FPROBE it is not supported (kernel/trace/bpf_trace.c).
        yield fail(
            "this kernel has no kprobe.multi",
            reason=f"the kernel does not know this kind of link ({result.describe()})",
            evidence=evidence,
            causes=("config.FPROBE", "config.KPROBES"),
        )
    else:
        why = explain(machine, TRACING, result)
        yield fail(
            "kprobe.multi is refused",
            reason=why.reason,
            evidence=(*evidence, *why.evidence),
            causes=why.causes or ("config.FPROBE", "config.KPROBES"),
        )


def _traces(machine: Machine) -> bool:
    """Whether the caller holds what bpftrace requires: then a refusal is theirs, and root's may differ."""
    return not machine.privileges.lacking("CAP_BPF", "CAP_PERFMON")


@check("perf.events", "perf_event_open(2) is there and allowed", ids=("perf.events", "perf.output"))
def perf(machine: Machine) -> Iterator[Finding]:
    """Opens a software clock event and a BPF output event on one CPU, never enabled, and closes them.

    profile: and interval: need the first; bpftrace before 0.19 prints through the second. EACCES with
    kernel.perf_event_paranoid of 3 or 4 is a Debian and Ubuntu speciality.
    """
    for finding_id, what, result in (
        ("perf.events", "perf events", machine.bpf.profile),
        ("perf.output", "BPF output events", machine.bpf.output),
    ):
        evidence = (Evidence("perf_event_open(2)", result.describe()),)
        if result.ok and finding_id == "perf.events" and machine.confinement.unused:
            yield fail(
                "perf events open, and nothing attaches to them",
                id=finding_id,
                reason="a security module refuses ioctl(2) on an event, by which a program attaches",
                evidence=(*evidence, Evidence("ioctl(2) on a perf event", "EACCES (Permission denied)")),
                causes=("privileges.lsm",),
            )
            continue
        if result.ok:
            yield ok(f"{what} open", id=finding_id, evidence=evidence)
            continue
        if only_root_may(machine, PERF, result) and not _traces(machine):
            found = _by_config(machine, what, ("PERF_EVENTS",), result, call="perf_event_open(2)")
            yield _renamed(found, finding_id, "perf_event_open(2) is there and allowed")
        else:
            why = explain(machine, PERF, result)
            yield fail(
                f"{what} are refused",
                id=finding_id,
                reason=why.reason,
                evidence=(*evidence, *why.evidence),
                causes=why.causes,
            )


@check("perf.hardware", "Hardware counters")
def hardware(machine: Machine) -> Iterator[Finding]:
    """Opens the cycle counter of one CPU, never enabled, and closes it. Most virtual machines have none
    (ENOENT).
    """
    result = machine.bpf.hardware
    evidence = (Evidence("perf_event_open(PERF_COUNT_HW_CPU_CYCLES)", result.describe()),)
    if result.ok:
        yield ok("hardware counters are there", evidence=evidence)
    elif result.name in ("ENOENT", "EOPNOTSUPP", "ENOTSUP", "ENODEV"):
        yield fail(
            "no hardware counters here",
            reason="the processor's counters are not passed on to this machine",
            evidence=evidence,
            causes=("environment.vm",),
            remedies=(
                Remedy(
                    "perf.vpmu",
                    "Let the hypervisor pass the PMU on, or use software:cpu-clock and profile: instead",
                    "manual",
                    (),
                    "the VM's settings",
                ),
            ),
        )
    elif only_root_may(machine, PERF, result):
        yield unknown(
            "hardware counters are not for this user",
            reason=result.describe(),
            evidence=evidence,
            causes=("privileges.root",),
            with_root="one call answers",
        )
    else:
        why = explain(machine, PERF, result)
        yield warn(
            "hardware counters cannot be opened",
            reason=why.reason,
            evidence=(*evidence, *why.evidence),
            causes=why.causes,
        )
