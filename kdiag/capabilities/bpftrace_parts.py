"""What several things that a user does with bpftrace require in common: its start, its output, BTF, headers, clang."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.capabilities.expression import (
    Context,
    Expression,
    Outcome,
    all_of,
    always,
    any_of,
    at_worst_caveat,
    need,
    stand_ins,
    unless_refuted,
)
from kdiag.model import Status, Works

if TYPE_CHECKING:
    from kdiag.knowledge.tools.behaviour import Behaviour

#: The groups of tracepoints of which a check looks one up, and reads what clang needs for it.
LOOKED_AT = ("syscalls", "sock", "sched")


def privileged(b: Behaviour) -> Expression:
    """Up to 0.24 the effective uid is asked for, later the capabilities; without those the kernel refuses either."""
    held = need("privileges.capabilities")
    return all_of(need("privileges.root"), held) if b.privileges == "euid" else held


def start(b: Behaviour) -> Expression:
    """What has to be right before the first line of any script runs."""
    parts = [
        unless_refuted("tools.bpftrace-start"),
        need("environment.vm", tolerate_warn=True),
        need("privileges.userns"),
        privileged(b),
        need("kernel.lockdown"),
        unless_refuted("environment.sysfs"),
        need("bpf.map"),
        need("privileges.memlock", tolerate_warn=True),
        unless_refuted("privileges.open-files"),
    ]
    parts.append(
        at_worst_caveat(need("kernel.arch", tolerate_warn=True), "arguments and stacks may be wrong")
    )
    if b.bad_btf_variable == "crash" and b.honours_btf_variable:
        parts.append(need("btf.variable"))
    if b.needs_tracefs_at_start:
        parts.append(tracefs(b))
    if b.needs_dev_fd:
        parts.append(unless_refuted("environment.dev-fd"))
    if b.needs_meminfo:
        parts.append(unless_refuted("environment.meminfo"))
    if b.needs_proc_modules:
        parts.append(need("kernel.modules"))
    return all_of(*parts)


def output(b: Behaviour) -> Expression:
    """What the program's output goes through."""
    ring = unless_refuted("bpf.ringbuf")
    if b.output == "either":
        return any_of(ring, need("perf.output"))
    return need("perf.output") if b.output == "perf-events" else ring


def tracefs(b: Behaviour) -> Expression:
    """tracefs where this release looks for it."""
    old = len(b.tracefs_paths) == 1
    where = need("tracing.debug-path", refuse_warn=True) if old else need("tracing.first-path")
    return all_of(need("tracing.tracefs"), where)


def pids(b: Behaviour) -> Expression:
    """What a script sees as `pid` and `tid`: nearly all that look at tasks use one of them."""
    parts = [unless_refuted("environment.pids")]
    if b.pids == "own-or-fails":
        parts.append(unless_refuted("environment.pid-namespace"))
    return all_of(*parts)


def btf(_b: Behaviour) -> Expression:
    """The BTF that this bpftrace gets: `btf.bpftrace` knows its release; without one the kernel's own
    decides.
    """

    def evaluate(context: Context) -> Outcome:
        mine = context.findings.get("btf.bpftrace")
        chosen = "btf.vmlinux" if mine is None or mine.status is Status.SKIP else "btf.bpftrace"
        return need(chosen)(context)

    return evaluate


def headers(b: Behaviour) -> Expression:
    """A tree where bpftrace looks; releases up to 0.20.3 also unpack the kernel's own archive automatically."""
    tree = need("headers.tree")
    if b.unpacks_kheaders == "never":
        return tree

    def evaluate(context: Context) -> Outcome:
        if b.unpacks_kheaders == "without-btf" and btf(b)(context).works in (Works.WORKS, Works.CAVEAT):
            return tree(context)
        # It has to load the module without help: an archive in a file that cannot be loaded is none for it.
        loads = all_of(
            need("kheaders.module", tolerate_warn=True), need("kheaders.available", tolerate_warn=True)
        )
        return stand_ins(tree, need("kheaders.archive"), loads)(context)

    return evaluate


def _or_user_space(kernels: Expression, finding_id: str) -> Expression:
    """The headers for user space stand in where the kernel's, and BTF, are not there; that they do not is no reason."""

    def evaluate(context: Context) -> Outcome:
        outcome, finding = kernels(context), context.findings.get(finding_id)
        if outcome.works is not Works.FAILS or finding is None:
            return outcome
        enough = finding.status is Status.OK or (
            finding.status is Status.UNKNOWN and finding.likely is Status.OK
        )
        return Outcome(Works.WORKS, "", (finding_id,)) if enough else outcome

    return evaluate


def clang(b: Behaviour, *, tracepoint: str = "", types: bool = False, includes: bool = False) -> Expression:
    """What clang needs for such a script, if this release runs it at all (see Behaviour.clang_runs,
    types_header). tracepoint: the group of the one with arguments that it has.
    """
    definitions = includes or bool(tracepoint and not b.args_need_btf)
    runs = b.clang_runs == "always" or definitions or (b.clang_runs == "when-types" and types)
    if not runs:
        return always
    parts = [unless_refuted("environment.shell")] if b.clang_shell else []
    if b.needs_dev_null:
        parts.append(unless_refuted("environment.dev-null"))
    if b.kconfig_include == "always":
        parts.append(unless_refuted("headers.intact"))
    parts.append(need("headers.configured"))
    user_space = f"headers.user-{tracepoint if tracepoint in LOOKED_AT else 'types'}"
    header_or_btf = _or_user_space(any_of(btf(b), headers(b)), user_space)
    if (b.types_header == "definitions" and definitions) or (b.types_header == "tracepoints" and tracepoint):
        parts.append(headers(b))
    elif (
        b.types_header == "everything-without-btf"
        or (b.types_header == "definitions-without-btf" and definitions)
        or (b.types_header == "tracepoints-without-btf" and tracepoint)
    ):
        parts.append(header_or_btf)
    if includes:
        parts.append(headers(b))
    return all_of(*parts) if parts else always
