"""What a person can do here: each capability as an expression over findings, by the tool's own behaviour.

For bpftrace the conditions depend on the release: `kdiag.knowledge.bpftrace` says how each one behaves, and the
functions here turn that into what must be true of the machine. Where the release is not known, every release's
conditions are tried; if they disagree, the answer is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdiag.expression import (
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
)
from kdiag.model import Capability, Finding, Status, Works

if TYPE_CHECKING:
    from kdiag.knowledge.bpftrace import Behaviour

#: What the exercises of a first bpftrace session need.
DEFAULT_REQUIRED = ("hello", "tracepoint-args", "tracepoint-net", "tracepoint-sched")

#: Findings that are about who asks, not about the machine: fine for root (of the machine, not of a namespace).
_ABOUT_THE_USER = frozenset({"privileges.root", "privileges.capabilities"})


@dataclass(frozen=True, slots=True)
class Definition:
    """A capability before it is judged. `needs` builds the expression for one behaviour of bpftrace."""

    id: str
    title: str
    tool: str
    needs: Callable[[Behaviour], Expression]
    explain: str


# -- pieces ---------------------------------------------------------------------------------------------------------


def _release(b: Behaviour) -> str:
    return ".".join(map(str, b.version))


def _privileged(b: Behaviour) -> Expression:
    """Up to 0.24 the effective uid is asked for, later the capabilities; without those the kernel refuses either."""
    held = need("privileges.capabilities")
    return all_of(need("privileges.root"), held) if b.privileges == "euid" else held


def _start(b: Behaviour) -> Expression:
    """What has to be right before the first line of any script runs."""
    parts = [
        need("environment.vm", tolerate_warn=True),
        _privileged(b),
        need("privileges.userns"),
        need("kernel.lockdown"),
        need("environment.sysfs"),
        need("environment.dev-fd" if b.version >= (0, 24, 0) else "environment.shell"),
        need("bpf.map"),
        need("privileges.memlock", tolerate_warn=True),
    ]
    parts.append(
        at_worst_caveat(need("kernel.arch", tolerate_warn=True), "arguments and stacks may be wrong")
    )
    if b.needs_tracefs_at_start:
        parts.append(need("tracing.tracefs"))
    if b.needs_proc_modules:
        parts.append(need("kernel.modules"))
    return all_of(*parts)


def _output(b: Behaviour) -> Expression:
    """bpftrace prints through a ring buffer since 0.19, through perf events before."""
    return need("perf.output") if b.version < (0, 19, 0) else always


def _btf(_b: Behaviour) -> Expression:
    """The BTF that this bpftrace gets: `btf.bpftrace` knows its release; without one the kernel's own
    decides.
    """

    def evaluate(context: Context) -> Outcome:
        mine = context.findings.get("btf.bpftrace")
        chosen = "btf.vmlinux" if mine is None or mine.status is Status.SKIP else "btf.bpftrace"
        return need(chosen)(context)

    return evaluate


def _headers(b: Behaviour) -> Expression:
    """A tree where bpftrace looks; releases up to 0.20.3 also unpack the kernel's own archive by themselves."""
    tree = need("headers.tree", tolerate_warn=True)
    if b.unpacks_kheaders == "never":
        return tree

    def evaluate(context: Context) -> Outcome:
        if b.unpacks_kheaders == "without-btf" and _btf(b)(context).works in (Works.WORKS, Works.CAVEAT):
            return tree(context)
        return any_of(tree, need("kheaders.available", tolerate_warn=True))(context)

    return evaluate


def _clang(
    b: Behaviour, *, tracepoint: bool = False, types: bool = False, includes: bool = False
) -> Expression:
    """What clang needs for such a script, if this release runs it at all (see Behaviour.clang_runs,
    types_header).
    """
    definitions = includes or (tracepoint and not b.args_need_btf)
    runs = b.clang_runs == "always" or definitions or (b.clang_runs == "when-types" and types)
    if not runs:
        return always
    parts: list[Expression] = []
    if b.kconfig_include == "always":
        parts.append(need("headers.intact"))
    header_or_btf = any_of(_btf(b), _headers(b))
    if (b.types_header == "definitions" and definitions) or (b.types_header == "tracepoints" and tracepoint):
        parts.append(_headers(b))
    elif (
        b.types_header == "everything-without-btf"
        or (b.types_header == "definitions-without-btf" and definitions)
        or (b.types_header == "tracepoints-without-btf" and tracepoint)
    ):
        parts.append(header_or_btf)
    if includes:
        parts.append(_headers(b))
    return all_of(*parts) if parts else always


# -- bpftrace -------------------------------------------------------------------------------------------------------


def _hello(b: Behaviour) -> Expression:
    parts = [_start(b), _output(b), _clang(b)]
    # BEGIN was a uprobe on bpftrace's own binary before it became a raw tracepoint program (0.16).
    parts.append(need("tracing.uprobes") if b.version < (0, 16, 0) else need("bpf.prog.raw_tracepoint"))
    return all_of(*parts)


def _tracepoint(b: Behaviour, *extra: Expression) -> Expression:
    return all_of(
        _hello(b),
        need("tracing.tracefs"),
        *([need("tracing.debug-path")] if len(b.tracefs_paths) == 1 else []),
        need("bpf.prog.tracepoint"),
        need("perf.events"),
        *extra,
        _btf(b) if b.args_need_btf else _clang(b, tracepoint=True),
    )


def _tracepoint_args(b: Behaviour) -> Expression:
    return _tracepoint(b, need("tracing.syscalls"))


def _tracepoint_net(b: Behaviour) -> Expression:
    return _tracepoint(b, need("tracing.sock"))


def _tracepoint_sched(b: Behaviour) -> Expression:
    return _tracepoint(b, need("tracing.sched"))


def _rawtracepoint(b: Behaviour) -> Expression:
    if b.rawtracepoint == "absent":
        return never(
            "this release of bpftrace has no rawtracepoint probes (0.18 brought them)", "tools.bpftrace"
        )
    parts = [_hello(b), need("bpf.prog.raw_tracepoint")]
    return all_of(*parts, _btf(b)) if b.rawtracepoint == "needs-btf" else all_of(*parts)


def _kprobe(b: Behaviour) -> Expression:
    return all_of(
        _hello(b), need("tracing.kprobes"), need("bpf.prog.kprobe"), need("perf.events"), _detach(b)
    )


def _detach(b: Behaviour) -> Expression:
    """BCC's library, which bpftrace used until 0.23, attaches through perf events and looks into tracefs
    when it detaches.
    """
    if b.version >= (0, 24, 0):
        return always
    return at_worst_caveat(need("tracing.tracefs"), "works, with error messages at the end")


def _struct(b: Behaviour) -> Expression:
    if b.btf_types == "none":
        return never(f"bpftrace {_release(b)} cannot take types from BTF", "tools.bpftrace")
    return all_of(_hello(b), _btf(b), _clang(b, types=True))


def _include(b: Behaviour) -> Expression:
    compiles = all_of(_hello(b), _clang(b, includes=True, types=True))
    text = "headers are there, but not every header compiles together with BTF (linux/sched.h does not): try the script"
    suppressed = (
        b.types_header in ("everything-without-btf", "definitions-without-btf") and b.defines_have_btf
    )

    def evaluate(context: Context) -> Outcome:
        if suppressed and _btf(b)(context).works is Works.WORKS:
            return caveat(compiles, text)(context)
        return compiles(context)

    return evaluate


def _fentry(b: Behaviour) -> Expression:
    if not b.fentry_names:
        return never(f"bpftrace {_release(b)} has no fentry (kfunc) probes", "tools.bpftrace")
    parts = [_hello(b), _btf(b), need("bpf.fentry")]
    if b.btf_source == "kernel-id":
        # BTF out of BPFTRACE_BTF has no object id to attach by.
        parts.append(need("btf.by-id"))
    if b.fentry_check in ("load", "attach"):
        parts.append(need("tracing.functions"))
    return all_of(*parts, _clang(b, types=True))


def _uprobe(b: Behaviour) -> Expression:
    return all_of(
        _hello(b), need("tracing.uprobes"), need("bpf.prog.kprobe"), need("perf.events"), _detach(b)
    )


def _profile(b: Behaviour) -> Expression:
    return all_of(_hello(b), need("bpf.prog.perf_event"), need("perf.events"))


def _hardware(b: Behaviour) -> Expression:
    return all_of(_profile(b), need("perf.hardware"))


def _iter(b: Behaviour) -> Expression:
    if b.iterators == "none":
        return never(f"bpftrace {_release(b)} has no iterators (0.12 brought them)", "tools.bpftrace")
    parts = [_hello(b), _btf(b), need("bpf.iter"), _clang(b, types=True)]
    # Releases with a fixed list of iterators try one at start, and that try wants the list of functions readable.
    return all_of(*parts, need("tracing.functions")) if b.iterators == "listed" else all_of(*parts)


def _kprobe_multi(b: Behaviour) -> Expression:
    if not b.kprobe_multi:
        return caveat(_kprobe(b), "attached one by one: this release of bpftrace does not know kprobe.multi")
    return all_of(_kprobe(b), at_worst_caveat(need("bpf.kprobe_multi"), "attached one by one"))


def _kstack(b: Behaviour) -> Expression:
    return all_of(_profile(b), need("tracing.kallsyms"))


def _module_types(b: Behaviour) -> Expression:
    if not b.module_btf:
        return never(
            "this release of bpftrace does not read the BTF of modules (0.17 did first)", "tools.bpftrace"
        )
    return all_of(_struct(b), need("btf.modules"))


def _stock_tools(b: Behaviour) -> Expression:
    parts = [_tracepoint_args(b), at_worst_caveat(_kprobe(b), "those that use kprobes do not work")]
    if b.tools_including_kernel:
        names = ", ".join(sorted(b.tools_including_kernel)[:4])
        more = len(b.tools_including_kernel) - 4
        verb = "includes" if len(b.tools_including_kernel) == 1 else "include"
        text = f"{names}{f' and {more} more' if more > 0 else ''} {verb} kernel headers"
        parts.append(at_worst_caveat(_include(b), text))
    return all_of(*parts)


# -- other tools ----------------------------------------------------------------------------------------------------


def _bcc(_b: Behaviour) -> Expression:
    return all_of(
        need("tools.bcc"),
        need("privileges.root"),
        need("privileges.userns"),
        need("kernel.lockdown"),
        need("bpf.map"),
        need("headers.bcc"),
        need("bpf.prog.kprobe"),
        at_worst_caveat(need("tracing.kprobes"), "those that use kprobes do not work"),
    )


def _core(_b: Behaviour) -> Expression:
    return all_of(
        need("privileges.capabilities"),
        need("privileges.userns"),
        need("kernel.lockdown"),
        need("bpf.map"),
        any_of(need("btf.vmlinux", tolerate_warn=True), need("btf.fallback")),
        need("btf.readers"),
        at_worst_caveat(need("bpf.fentry"), "those that use fentry do not work"),
        at_worst_caveat(need("tracing.kprobes"), "those that use kprobes do not work"),
    )


DEFINITIONS: tuple[Definition, ...] = (
    Definition(
        "hello",
        "Hello (BEGIN)",
        "bpftrace",
        _hello,
        'BEGIN { printf("hello\\n"); }: bpftrace starts, loads, prints',
    ),
    Definition(
        "tracepoint-args",
        "Syscall tracepoints with arguments",
        "bpftrace",
        _tracepoint_args,
        "tracepoint:syscalls:sys_enter_openat with str(args.filename)",
    ),
    Definition(
        "tracepoint-net",
        "Network tracepoints",
        "bpftrace",
        _tracepoint_net,
        "tracepoint:sock:inet_sock_set_state with its arguments",
    ),
    Definition(
        "tracepoint-sched",
        "Scheduler tracepoints",
        "bpftrace",
        _tracepoint_sched,
        "tracepoint:sched:sched_process_fork with its arguments",
    ),
    Definition("rawtracepoint", "Raw tracepoints", "bpftrace", _rawtracepoint, "rawtracepoint:sched_switch"),
    Definition("kprobe", "kprobe, kretprobe", "bpftrace", _kprobe, "kprobe:vfs_read"),
    Definition(
        "kprobe-multi",
        "kprobe wildcards",
        "bpftrace",
        _kprobe_multi,
        "kprobe:tcp_*, attached at once through kprobe.multi",
    ),
    Definition("fentry", "fentry, fexit", "bpftrace", _fentry, "fentry:vfs_read (kfunc in older releases)"),
    Definition(
        "struct",
        "Kernel structs without #include",
        "bpftrace",
        _struct,
        "((struct task_struct *)curtask)->comm, types from BTF",
    ),
    Definition(
        "include",
        "#include <linux/...>",
        "bpftrace",
        _include,
        "scripts that include kernel headers, and constants that only headers have",
    ),
    Definition(
        "module-types",
        "Types of kernel modules",
        "bpftrace",
        _module_types,
        "structs that a loadable module defines, from its BTF",
    ),
    Definition("uprobe", "uprobe, uretprobe", "bpftrace", _uprobe, "uprobe:/bin/bash:readline"),
    Definition("usdt", "USDT", "bpftrace", _uprobe, "usdt:/path/to/program:probe"),
    Definition("profile", "profile, interval", "bpftrace", _profile, "profile:hz:99"),
    Definition("software", "Software events", "bpftrace", _profile, "software:page-faults:100"),
    Definition("hardware", "Hardware events", "bpftrace", _hardware, "hardware:cycles:1000000"),
    Definition(
        "kstack", "Kernel stacks with symbols", "bpftrace", _kstack, "profile:hz:99 { @[kstack] = count(); }"
    ),
    Definition("iter", "Iterators", "bpftrace", _iter, "iter:task"),
    Definition(
        "stock-tools",
        "The stock .bt tools",
        "bpftrace",
        _stock_tools,
        "opensnoop.bt, execsnoop.bt, runqlat.bt and the others",
    ),
    Definition(
        "bcc-tools", "BCC tools", "BCC", _bcc, "execsnoop-bpfcc and the others, compiled on this machine"
    ),
    Definition(
        "core-tools", "libbpf CO-RE tools", "libbpf", _core, "programs compiled elsewhere and fitted by BTF"
    ),
)


# -- judging --------------------------------------------------------------------------------------------------------


def evaluate(
    findings: Sequence[Finding], behaviours: Sequence[Behaviour], *, as_root_matters: bool
) -> tuple[Capability, ...]:
    """Judge every capability. `behaviours`: one where bpftrace's release is known, several to agree where
    it is not.

    as_root_matters: the one who asks is not root, so that the answer for root is worth telling as well.
    """
    by_id = {finding.id: finding for finding in findings}
    return tuple(_judge(definition, by_id, behaviours, as_root_matters) for definition in DEFINITIONS)


def _judge(
    definition: Definition,
    by_id: Mapping[str, Finding],
    behaviours: Sequence[Behaviour],
    as_root_matters: bool,
) -> Capability:
    now = _outcome(definition, Context(by_id), behaviours)
    with_root = None
    if as_root_matters and now.works is not Works.WORKS:
        root = _outcome(definition, Context(by_id, _ABOUT_THE_USER), behaviours)
        if root.works is Works.FAILS:
            # Becoming root would not help: the machine's own reason is the one to tell.
            now = Outcome(root.works, f"{root.because} (for root, too)", root.findings)
        elif root.works is not now.works:
            with_root = root.works
    return Capability(
        definition.id, definition.title, definition.tool, now.works, now.because, now.findings, with_root
    )


def _outcome(definition: Definition, context: Context, behaviours: Sequence[Behaviour]) -> Outcome:
    outcomes = [definition.needs(behaviour)(context) for behaviour in behaviours]
    if definition.tool != "bpftrace":
        return outcomes[0]
    machine = _agreed(outcomes)
    tool = need("tools.bpftrace", tolerate_warn=True)(context)
    if tool.works is not Works.FAILS:
        return machine
    ids = tuple(dict.fromkeys((*tool.findings, *machine.findings)))
    if machine.works is Works.WORKS:
        return Outcome(Works.FAILS, "only bpftrace is missing", tool.findings)
    if machine.works is Works.CAVEAT:
        return Outcome(Works.FAILS, f"bpftrace is missing; with it: {machine.because}", ids)
    if machine.works is Works.UNKNOWN:
        return Outcome(Works.FAILS, "bpftrace is missing; what else is lacking cannot be told", ids)
    # The machine's own reason decides: installing bpftrace would not help.
    return Outcome(Works.FAILS, machine.because, tuple(dict.fromkeys((*machine.findings, *tool.findings))))


def _agreed(outcomes: Iterable[Outcome]) -> Outcome:
    """The common answer of all releases that bpftrace could be; unknown where they disagree."""
    every = list(outcomes)
    if len({outcome.works for outcome in every}) == 1:
        return every[0]
    ids = tuple(
        dict.fromkeys(i for outcome in every if outcome.works is not Works.WORKS for i in outcome.findings)
    )
    return Outcome(
        Works.UNKNOWN, "depends on the release of bpftrace, which is not known", ("tools.bpftrace", *ids)
    )


def blocked(capabilities: Iterable[Capability], findings: Iterable[Finding]) -> dict[str, tuple[str, ...]]:
    """For each finding that is not ok: the capabilities that do not fully work because of it, or of what it
    causes.
    """
    by_id = {finding.id: finding for finding in findings}
    blocks: dict[str, list[str]] = {}
    for capability in capabilities:
        if capability.status is Works.WORKS:
            continue
        pending, seen = list(capability.findings), set[str]()
        while pending:
            finding_id = pending.pop()
            if finding_id in seen or finding_id not in by_id:
                continue
            seen.add(finding_id)
            finding = by_id[finding_id]
            if finding.status not in (Status.OK, Status.SKIP):
                blocks.setdefault(finding_id, []).append(capability.id)
                pending.extend(finding.causes)
    return {finding_id: tuple(ids) for finding_id, ids in blocks.items()}
