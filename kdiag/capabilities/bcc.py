"""What must be true of the machine for BCC's tools, and for each step on the way to one: the parts of `bcc-tools`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kdiag.capabilities.expression import (
    Expression,
    all_of,
    at_best_expected,
    at_worst_caveat,
    at_worst_unknown,
    by_way_of,
    need,
    unless_refuted,
    with_limits,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from kdiag.knowledge.tools.behaviour import Behaviour


_TOOLS = unless_refuted("tools.bcc-programs")
_STRUCTS = at_best_expected("headers.bcc-structs")


#: The event of one uprobe: what the kernel refuses, libbcc asks of tracefs (src/cc/libbpf.c, bpf_attach_probe).
UPROBE_OF_LIBBCC = at_worst_unknown(unless_refuted("perf.uprobes"), "only uprobe_events in tracefs is left")


def tracepoints(*places: Expression) -> Expression:
    """tracefs, where the tools look for it."""
    return at_worst_caveat(all_of(need("tracing.tracefs"), *places), "those that use tracepoints do not work")


def _limited(finding_id: str, text: str) -> Expression:
    return at_worst_caveat(at_best_expected(finding_id), text)


def bcc_tools(_b: Behaviour) -> Expression:
    return with_limits(
        _loaded(_TOOLS, _STRUCTS),
        # Most tools include linux/fs.h or sched.h; the widest headers are those of the network, which some do.
        _limited("headers.bcc-namespaces", "those that include pid_namespace.h do not compile"),
        _limited("headers.bcc-age", "those for the network do not compile"),
        need("perf.events"),
        at_worst_caveat(need("tracing.kprobes"), "those that use kprobes do not work"),
        at_worst_caveat(unless_refuted("tools.bcc-syscalls"), "those that probe system calls do not work"),
        at_worst_caveat(unless_refuted("tools.bcc-lists"), "those that look functions up do not work"),
        # TRACEPOINT_PROBE is compiled from the event's format file (src/cc/frontends/clang/tp_frontend_action.cc).
        tracepoints(need("tracing.bcc-path")),
    )


# -- steps ----------------------------------------------------------------------------------------------------------


def _starts() -> Expression:
    return all_of(need("tools.bcc"), unless_refuted("tools.bcc-start"))


def _compiled(*more: Expression) -> Expression:
    """No right is needed for it: clang reads files, and no system call is made that the kernel could refuse."""
    return all_of(_starts(), unless_refuted("headers.bcc-env"), need("headers.bcc"), *more)


def _loaded(*more: Expression) -> Expression:
    return all_of(
        _starts(),
        need("privileges.root"),
        need("privileges.userns"),
        need("kernel.lockdown"),
        need("bpf.map"),
        unless_refuted("headers.bcc-env"),
        need("headers.bcc"),
        need("bpf.prog.kprobe"),
        *more,
    )


def _kprobe(*more: Expression) -> Expression:
    return _loaded(need("perf.events"), need("tracing.kprobes"), *more)


class Part(NamedTuple):
    """One kind of tool, or a step on the way: nothing is traced by that alone. explain: an example of either."""

    id: str
    title: str
    needs: Callable[[Behaviour], Expression]
    explain: str
    step: bool = False


PARTS = (
    Part(
        "bcc-compiler",
        "BCC's compiler",
        lambda _: _starts(),
        "the module bcc is imported, and its clang runs",
        step=True,
    ),
    Part(
        "bcc-headers",
        "BCC finds kernel headers",
        lambda _: _compiled(),
        'BPF(text="int program(void *context) { return 0; }")',
        step=True,
    ),
    Part(
        "bcc-structs",
        "BCC compiles kernel structs",
        lambda _: _compiled(_STRUCTS),
        "#include <linux/sched.h> and <linux/fs.h>, as most tools do",
        step=True,
    ),
    Part(
        "bcc-net",
        "BCC compiles network structs",
        lambda _: _compiled(at_best_expected("headers.bcc-age")),
        "#include <net/sock.h>, as tcpconnect and the other tools for TCP do",
        step=True,
    ),
    Part(
        "bcc-load", "BCC loads programs", lambda _: _loaded(), 'load_func("program", BPF.KPROBE)', step=True
    ),
    Part("bcc-kprobe", "BCC kprobes", lambda _: _kprobe(), 'attach_kprobe(event="vfs_open")'),
    Part(
        "bcc-functions",
        "BCC probes functions by pattern",
        lambda _: _kprobe(unless_refuted("tools.bcc-lists")),
        'attach_kprobe(event_re="tcp_.*"), funccount-bpfcc vfs_open',
    ),
    Part(
        "bcc-perf",
        "BCC perf buffers",
        lambda _: _kprobe(need("perf.output")),
        "BPF_PERF_OUTPUT, by which execsnoop and most others send what they see",
    ),
    Part(
        "bcc-tracepoint",
        "BCC tracepoints",
        lambda _: _loaded(
            need("bpf.prog.tracepoint"),
            need("perf.events"),
            need("tracing.tracefs"),
            need("tracing.bcc-path"),
        ),
        "TRACEPOINT_PROBE(sched, sched_process_fork)",
    ),
    Part(
        "bcc-uprobe",
        "BCC uprobes",
        lambda _: _loaded(
            need("perf.events"),
            need("tracing.uprobes"),
            need("tracing.thumb"),
            UPROBE_OF_LIBBCC,
        ),
        'attach_uprobe(name="c", sym="getppid")',
    ),
    Part(
        "bcc-opensnoop",
        "opensnoop of BCC",
        lambda _: _loaded(
            _TOOLS,
            by_way_of(
                "tools.bcc-opensnoop",
                need("bpf.fentry"),
                all_of(need("perf.events"), need("tracing.kprobes"), unless_refuted("tools.bcc-syscalls")),
            ),
            need("perf.output"),
            at_best_expected("headers.bcc-sched"),
        ),
        "opensnoop-bpfcc: fentry on the system calls where the kernel has trampolines, else kprobes",
    ),
    Part(
        "bcc-execsnoop",
        "execsnoop of BCC",
        lambda _: _loaded(
            _TOOLS,
            need("perf.events"),
            need("tracing.kprobes"),
            unless_refuted("tools.bcc-syscalls"),
            need("perf.output"),
            _STRUCTS,
        ),
        "execsnoop-bpfcc: kprobes on a system call, as killsnoop and mountsnoop have",
    ),
    Part(
        "bcc-biolatency",
        "biolatency of BCC",
        lambda _: _loaded(
            _TOOLS,
            need("perf.events"),
            unless_refuted("tools.bcc-lists"),
            at_best_expected("tools.bcc-biolatency"),
            _STRUCTS,
        ),
        "biolatency-bpfcc: functions and tracepoints of the block layer, which kernels rename",
    ),
    Part(
        "bcc-runqlat",
        "runqlat of BCC",
        lambda _: _loaded(
            _TOOLS,
            need("bpf.prog.raw_tracepoint"),
            at_best_expected("tools.bcc-runqlat"),
            at_best_expected("headers.bcc-namespaces"),
        ),
        "runqlat-bpfcc: raw tracepoints of the scheduler",
    ),
)
