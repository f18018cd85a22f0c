"""What must be true of the machine for libbpf CO-RE tools and for bpftool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.capabilities.bcc import tracepoints
from kdiag.capabilities.expression import (
    Expression,
    all_of,
    at_worst_caveat,
    need,
    stand_ins,
    there,
    unless_refuted,
    with_limits,
)

if TYPE_CHECKING:
    from kdiag.knowledge.tools.behaviour import Behaviour


#: Room for more than one small map. A ring buffer of 64 kB and its pages of positions are more than the usual limit.
_ROOM = need("privileges.memlock", tolerate_warn=True)


def _core(*more: Expression, own_libbpf: bool = False) -> Expression:
    """What every CO-RE program needs, and what this kind needs besides. own_libbpf: its library is its own, so that
    what the installed one reads does not matter. Locked memory is a matter of the maps: a program with one small map
    loads with 64 kB of it.
    """
    return all_of(
        need("privileges.capabilities"),
        need("privileges.userns"),
        need("kernel.lockdown"),
        need("bpf.map"),
        stand_ins(need("btf.vmlinux", tolerate_warn=True), need("btf.fallback")),
        *([] if own_libbpf else [need("btf.readers")]),
        *more,
    )


def core_tracepoint(_b: Behaviour) -> Expression:
    # A tracepoint's id is read from tracefs (src/libbpf.c, determine_tracepoint_id).
    places = (need("tracing.tracefs"), need("tracing.first-path"), need("tracing.libbpf-path"))
    return _core(need("bpf.prog.tracepoint"), need("perf.events"), *places)


def core_kprobe(_b: Behaviour) -> Expression:
    return _core(need("bpf.prog.kprobe"), need("perf.events"), need("tracing.kprobes"))


def core_fentry(_b: Behaviour) -> Expression:
    return _core(need("btf.vmlinux", tolerate_warn=True), need("bpf.fentry"))


def core_ringbuf(_b: Behaviour) -> Expression:
    return _core(need("bpf.prog.raw_tracepoint"), there("bpf.ringbuf"), _ROOM)


def core_kfunc(_b: Behaviour) -> Expression:
    return _core(
        need("btf.vmlinux", tolerate_warn=True), need("bpf.prog.raw_tracepoint"), there("btf.kfuncs")
    )


def core_iter(_b: Behaviour) -> Expression:
    return _core(need("btf.vmlinux", tolerate_warn=True), need("bpf.iter"))


def core_stock(_b: Behaviour) -> Expression:
    places = (need("tracing.tracefs"), need("tracing.first-path"), need("tracing.syscalls"))
    return _core(need("bpf.prog.tracepoint"), need("perf.events"), *places, _ROOM, own_libbpf=True)


def core_tools(_b: Behaviour) -> Expression:
    return with_limits(
        _core(),
        at_worst_caveat(need("bpf.fentry"), "those that use fentry do not work"),
        # Many have moved from perf buffers to these, and load nowhere else.
        at_worst_caveat(unless_refuted("bpf.ringbuf"), "those that use ring buffers do not work"),
        at_worst_caveat(unless_refuted("bpf.iter"), "those that use iterators do not work"),
        # libbpf attaches kprobes, uprobes and tracepoints through perf events (src/libbpf.c).
        at_worst_caveat(need("perf.events"), "those that use kprobes or tracepoints do not work"),
        at_worst_caveat(need("tracing.kprobes"), "those that use kprobes do not work"),
        at_worst_caveat(unless_refuted("perf.uprobes"), "those that use uprobes do not work"),
        at_worst_caveat(_ROOM, "those with larger maps do not load"),
        # A tracepoint's id is read from tracefs (src/libbpf.c, determine_tracepoint_id).
        tracepoints(need("tracing.first-path"), need("tracing.libbpf-path")),
        need("tracing.own-path"),
    )


def bpftool(_b: Behaviour) -> Expression:
    return all_of(
        unless_refuted("tools.bpftool-start"),
        unless_refuted("tools.bpftool"),
        need("privileges.capabilities"),
        need("privileges.userns"),
        need("bpf.map"),
        need("bpf.listing"),
    )


def bpftool_feature(_b: Behaviour) -> Expression:
    """It asks for rights of its own, and the programs that it loads for those of the kernel."""
    return all_of(
        unless_refuted("tools.bpftool-start"),
        need("tools.bpftool", refuse_warn=True),
        need("tools.bpftool-feature"),
        need("privileges.userns"),
        need("bpf.map"),
    )


def bpftool_btf(_b: Behaviour) -> Expression:
    """A file is read, no system call made: what the kernel allows does not matter, what bpftool's libbpf reads does."""
    return all_of(
        need("tools.bpftool", refuse_warn=True),
        need("btf.vmlinux", tolerate_warn=True),
        need("btf.bpftool"),
    )
