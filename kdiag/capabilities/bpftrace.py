"""What must be true of the machine for each thing that a user does with bpftrace, by the release's behaviour.

Every function takes the behaviour of one release (`kdiag.knowledge.tools.bpftrace`) and gives an expression over
findings. No release number decides anything here: what a release does is a field of the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.capabilities.bcc import UPROBE_OF_LIBBCC
from kdiag.capabilities.bpftrace_parts import LOOKED_AT, btf, clang, output, pids, start, tracefs
from kdiag.capabilities.expression import (
    Context,
    Expression,
    Outcome,
    all_of,
    always,
    any_of,
    at_worst_caveat,
    caveat,
    need,
    never,
    there,
    unless_refuted,
    with_limits,
)
from kdiag.model import Works

if TYPE_CHECKING:
    from collections.abc import Callable

    from kdiag.knowledge.tools.behaviour import Behaviour


def hello(b: Behaviour) -> Expression:
    return all_of(_runs(b), _begin(b))


def _runs(b: Behaviour) -> Expression:
    """What every script needs, whatever its probes are."""
    return all_of(start(b), output(b), clang(b))


def _begin(b: Behaviour) -> Expression:
    """What BEGIN and END are: a uprobe on bpftrace itself, a program that is run on demand, or either."""
    on_demand = all_of(need("bpf.prog.raw_tracepoint"), need("bpf.test-run"))
    named = unless_refuted("tools.bpftrace-begin")
    uprobe = all_of(named, _uprobes(), need("bpf.prog.kprobe"), need("perf.events"), _opened(b.attaches_by))
    return {"uprobe": uprobe, "raw-tracepoint": on_demand}.get(b.begin_program, any_of(on_demand, uprobe))


def _any_probe(b: Behaviour) -> Expression:
    """A script about types or headers has a probe of some kind."""
    return all_of(_runs(b), any_of(_begin(b), need("bpf.prog.kprobe"), need("bpf.prog.tracepoint")))


def _tracepoint(b: Behaviour, group: str, *extra: Expression) -> Expression:
    return all_of(
        _runs(b),
        tracefs(b),
        need("bpf.prog.tracepoint"),
        need("perf.events"),
        need(f"tracing.{group}") if group in LOOKED_AT else always,
        *extra,
        btf(b) if b.args_need_btf else clang(b, tracepoint=group),
    )


def tracepoint(group: str) -> Callable[[Behaviour], Expression]:
    """Any tracepoint with its arguments: whether this kernel has that one is for who knows its name to say."""
    return lambda b: _tracepoint(b, group, pids(b))


def tracepoint_args(b: Behaviour) -> Expression:
    return _tracepoint(b, "syscalls", pids(b))


def tracepoint_net(b: Behaviour) -> Expression:
    return _tracepoint(b, "sock")


def tracepoint_sched(b: Behaviour) -> Expression:
    return _tracepoint(b, "sched")


def rawtracepoint(b: Behaviour) -> Expression:
    if b.rawtracepoint == "absent":
        return never("rawtracepoint probes require bpftrace 0.18 or newer", "tools.bpftrace")
    parts = [_runs(b), need("bpf.prog.raw_tracepoint"), pids(b)]
    return all_of(*parts, btf(b)) if b.rawtracepoint == "needs-btf" else all_of(*parts)


def kprobe(b: Behaviour) -> Expression:
    return all_of(_kprobe_attached(b), pids(b))


def _kprobe_attached(b: Behaviour) -> Expression:
    return all_of(_runs(b), need("tracing.kprobes"), need("bpf.prog.kprobe"), need("perf.events"), _detach(b))


def _detach(b: Behaviour) -> Expression:
    """BCC's library attaches through perf events and looks into tracefs when it detaches."""
    if b.attaches_by == "libbpf":
        return always
    return at_worst_caveat(need("tracing.tracefs"), "works, with error messages at the end")


def struct(b: Behaviour) -> Expression:
    if b.btf_types == "none":
        return never(f"bpftrace {b.release} cannot take types from BTF", "tools.bpftrace")
    return all_of(_any_probe(b), btf(b), clang(b, types=True))


def include(b: Behaviour) -> Expression:
    compiles = all_of(_any_probe(b), clang(b, includes=True, types=True))
    text = "headers are there, but not every header compiles together with BTF (linux/sched.h does not): try the script"
    suppressed = (
        b.types_header in ("everything-without-btf", "definitions-without-btf") and b.defines_have_btf
    )

    def evaluate(context: Context) -> Outcome:
        if suppressed and btf(b)(context).works is Works.WORKS:
            return caveat(compiles, text)(context)
        return compiles(context)

    return evaluate


def fentry(b: Behaviour) -> Expression:
    if not b.fentry_names:
        return never(f"bpftrace {b.release} has no fentry (kfunc) probes", "tools.bpftrace")
    parts = [_runs(b), btf(b), need("bpf.fentry")]
    if b.btf_source == "kernel-id":
        # BTF out of BPFTRACE_BTF has no object id to attach by.
        parts.append(need("btf.by-id"))
    if b.fentry_test:
        parts.append(need("btf.fentry-test"))
    if b.fentry_check in ("load", "attach"):
        parts.append(need("tracing.functions"))
    return all_of(*parts, clang(b, types=True))


def _uprobes() -> Expression:
    return all_of(need("tracing.uprobes"), need("tracing.thumb"))


def _opened(library: str) -> Expression:
    """The event of one uprobe."""
    return unless_refuted("perf.uprobes") if library == "libbpf" else UPROBE_OF_LIBBCC


def uprobe(b: Behaviour) -> Expression:
    attached = all_of(_uprobes(), need("bpf.prog.kprobe"), need("perf.events"), _opened(b.attaches_by))
    return all_of(_runs(b), attached, _detach(b), pids(b), _by_pid())


def profile(b: Behaviour) -> Expression:
    parts = [_sampled(b), pids(b)]
    if b.interval_on_cpu0:
        parts.append(at_worst_caveat(unless_refuted("perf.cpu0"), "interval probes do not attach"))
    return all_of(*parts)


def software(b: Behaviour) -> Expression:
    return all_of(_sampled(b), pids(b))


def _sampled(b: Behaviour) -> Expression:
    return all_of(_runs(b), need("bpf.prog.perf_event"), need("perf.events"))


def hardware(b: Behaviour) -> Expression:
    return all_of(software(b), need("perf.hardware"))


def iterator(b: Behaviour) -> Expression:
    if b.iterators == "none":
        return never("iterators require bpftrace 0.12 or newer", "tools.bpftrace")
    parts = [_runs(b), btf(b), need("bpf.iter"), clang(b, types=True)]
    # Releases with a fixed list of iterators try one at start, which requires a readable list of functions.
    return all_of(*parts, need("tracing.functions")) if b.iterators == "listed" else all_of(*parts)


def kprobe_multi(b: Behaviour) -> Expression:
    """A wildcard is looked up in the list of functions; without kprobe.multi its members attach one by one. A link of
    that kind is an fprobe (kernel/trace/bpf_trace.c): it needs no CONFIG_KPROBES, and works where no kprobe does.
    """
    listed = all_of(_runs(b), need("tracing.functions"), need("bpf.prog.kprobe"))
    singly = all_of(listed, _kprobe_attached(b))
    if not b.kprobe_multi:
        return caveat(singly, "attached one by one: this release of bpftrace does not know kprobe.multi")

    def evaluate(context: Context) -> Outcome:
        at_once = all_of(listed, need("bpf.kprobe_multi"))(context)
        if at_once.works is Works.WORKS:
            # bpftrace uses such a link wherever the kernel makes one, whether it fires or not.
            return all_of(lambda _: at_once, unless_refuted("tracing.ftrace"))(context)
        return all_of(singly, at_worst_caveat(need("bpf.kprobe_multi"), "attached one by one"))(context)

    return evaluate


def usdt(b: Behaviour) -> Expression:
    """As uprobes, or all places of a probe at once; later releases add a piece of C that needs the kernel's types."""
    single = all_of(_uprobes(), need("perf.events"), _opened("libbpf" if b.usdt_multi else "libbcc"))
    at_once = all_of(there("bpf.uprobe_multi"), need("tracing.thumb"))
    attached = all_of(need("bpf.prog.kprobe"), any_of(at_once, single) if b.usdt_multi else single)
    parts = [_runs(b), attached, _detach(b), pids(b), _semaphores(b), _by_pid()]
    return all_of(*parts, btf(b)) if b.usdt_needs_types else all_of(*parts)


def _semaphores(b: Behaviour) -> Expression:
    """Many probes of libraries and interpreters are behind a semaphore, which the kernel or bpftrace has to raise."""
    by_pid = "those behind a semaphore require -p PID"
    if b.usdt_semaphores == "by-pid":
        return caveat(always, by_pid)
    text = by_pid if b.usdt_semaphores == "counted-or-by-pid" else "those behind a semaphore do not attach"
    return at_worst_caveat(unless_refuted("tracing.usdt-semaphores"), text)


def _by_pid() -> Expression:
    """-p PID is compared with bpftrace's own mount namespace before a path of that process is looked up."""
    return at_worst_caveat(unless_refuted("environment.mount-namespace"), "-p PID does not work")


def kstack(b: Behaviour) -> Expression:
    parts = [_sampled(b), need("tracing.kallsyms")]
    if b.stack_entries:
        parts.append(unless_refuted("environment.stack-memory"))
    return all_of(*parts)


def module_types(b: Behaviour) -> Expression:
    if not b.module_btf:
        return never("types of modules require bpftrace 0.17 or newer", "tools.bpftrace")
    return all_of(struct(b), need("btf.modules"))


def stock_tools(b: Behaviour) -> Expression:
    # All but one of them begin with BEGIN.
    parts = [hello(b), tracepoint_args(b), at_worst_caveat(kprobe(b), "those that use kprobes do not work")]
    if b.tools_loop:
        parts.append(need("bpf.loop"))
    if b.tools_including_kernel:
        names = ", ".join(sorted(b.tools_including_kernel)[:4])
        more = len(b.tools_including_kernel) - 4
        verb = "includes" if len(b.tools_including_kernel) == 1 else "include"
        text = f"{names}{f' and {more} more' if more > 0 else ''} {verb} kernel headers"
        parts.append(at_worst_caveat(include(b), text))
    if b.tools_including_libc:
        names = ", ".join(sorted(b.tools_including_libc))
        parts.append(at_worst_caveat(unless_refuted("headers.libc"), f"{names} do not compile"))
    return with_limits(*parts, need("tools.bpftrace-scripts"))
