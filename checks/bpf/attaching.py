"""fentry, iterators and kprobe.multi: programs that are bound to functions by BTF or by a list."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.btf import NoBtf
from kdiag.machine.privileges import SYSCTLS
from kdiag.model import Evidence, Finding, Status, fail, ok, unknown
from kdiag.parse.errors import ParseError
from kdiag.system import ProbeResult, Unavailable
from kdiag.words import Subject

from ..refusals import TRACING, explain, only_root_may
from .configured import by_config


def _tracing_program(
    machine: Machine,
    what: Subject,
    ask: Callable[[], ProbeResult],
    options: tuple[str, ...],
    causes: tuple[str, ...],
) -> Finding:
    try:
        result = ask()
    except NoBtf:
        lacks = "it is hidden here" if machine.btf.hidden_by else "the kernel does not provide it"
        return fail(f"{what} {what.verb('needs', 'need')} BTF, and {lacks}", causes=("btf.vmlinux",))
    except ParseError:
        return fail(
            f"{what} {what.verb('needs', 'need')} BTF, and the kernel's is broken", causes=("btf.vmlinux",)
        )
    evidence = (Evidence("bpf(2)", f"{result.detail or 'load and attach'}: {result.describe()}"),)
    if result.ok:
        return ok(f"{what} {what.verb('works', 'work')}", evidence=evidence)
    if only_root_may(machine, TRACING, result):
        found = by_config(machine, what, options, result)
        if found.status is Status.FAIL or found.likely is None:
            return found
        # The configuration cannot tell of trampolines: architectures and hardened guests lack them all the same.
        return unknown(
            f"{what} {what.verb('is', 'are')} configured; only root may try",
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
    elif result.name == "ENODEV":
        reason = "ENODEV: function tracing switched itself off after an error of its own"
        causes = ("tracing.ftrace", *causes)
    elif result.name == "EPERM" and machine.bpf.program("kprobe").ok:
        # The same capabilities, the same system call and the same filter: what is left is this kind of program.
        reason = "other programs load: this kernel refuses BPF trampolines"
    return fail(
        f"the kernel refuses {what.name.removesuffix('s')} programs ({result.name} at {result.detail or 'load'})",
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
    functions are traced; then kernel.ftrace_enabled=0 keeps them from firing).
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
    if _not_traced(machine):
        yield fail(
            "fentry attaches and never fires: function tracing is switched off",
            evidence=(Evidence(SYSCTLS["kernel.ftrace_enabled"], "0"),),
            causes=("tracing.ftrace", "sysctl.kernel.ftrace_enabled"),
        )
        return
    options = ("BPF_JIT", "DEBUG_INFO_BTF", "FUNCTION_TRACER", "DYNAMIC_FTRACE_WITH_DIRECT_CALLS")
    yield _tracing_program(
        machine,
        Subject("fentry"),
        lambda: machine.bpf.fentry,
        options,
        tuple(f"config.{name}" for name in options),
    )


def _not_traced(machine: Machine) -> bool:
    """Whether trampolines are put on functions and never run (kernel/bpf/trampoline.c, register_fentry)."""
    try:
        return machine.privileges.sysctl("kernel.ftrace_enabled") == 0
    except Unavailable:
        return False  # tracing.ftrace says so


@check("bpf.iter", "BPF iterators")
def iterator(machine: Machine) -> Iterator[Finding]:
    """Loads an empty task iterator program and drops it (5.8, needs BTF)."""
    options = ("BPF_SYSCALL", "DEBUG_INFO_BTF")
    yield _tracing_program(
        machine, Subject("iterators", plural=True), lambda: machine.bpf.iterator, options, ()
    )


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
        yield by_config(machine, Subject("kprobe.multi"), ("FPROBE",), result)
    elif result.name in ("EINVAL", "EOPNOTSUPP", "ENOTSUP"):
        # Before 5.18 the kind is not known; without CONFIG_FPROBE it is not supported (kernel/trace/bpf_trace.c).
        yield fail(
            "this kernel has no kprobe.multi",
            reason=f"the kernel does not know this kind of link: {result.describe()}",
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
