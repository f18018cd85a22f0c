"""Kernel configuration options: what each one unlocks for tracing, and which values will do.

Options explain; whether a thing works is found by trying it. An option that a kernel does not have at all
may be too new or too old for it, hidden by a dependency, or belong to another architecture: that is not
the same as off.

Sources: bpftrace docs/dependency_support.md, bcc docs/kernel_config.md, bpftool src/feature.c,
lib/Kconfig.debug.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple, TypedDict, cast

from kdiag.knowledge.tables import table

#: How the table writes accepted values; a number is not judged.
_ACCEPTED = {
    "y": ("y",),
    "n": ("n",),
    "ym": ("y", "m"),
    "yn": ("y", "n"),
    "ymn": ("y", "m", "n"),
    "number": (),
}

#: What kdiag finds out about each part of the kernel that options unlock. A part that no check looks at has none.
_FINDINGS = {
    "bpf": ("bpf.map",),
    "perf": ("perf.events", "perf.output"),
    "tracepoint": ("bpf.prog.tracepoint",),
    "syscalls": ("tracing.syscalls",),
    "rawtracepoint": ("bpf.prog.raw_tracepoint",),
    "kprobe": ("tracing.kprobes",),
    "kprobe_multi": ("bpf.kprobe_multi",),
    "fentry": ("bpf.fentry",),
    "uprobe": ("tracing.uprobes",),
    "usdt": ("tracing.uprobes",),
    "profile": ("bpf.prog.perf_event",),
    "interval": ("bpf.prog.perf_event",),
    "software": ("bpf.prog.perf_event",),
    "hardware": ("perf.hardware",),
    "iter": ("bpf.iter",),
    "btf": ("btf.vmlinux", "btf.bpftrace"),
    "module_btf": ("btf.modules",),
    "kheaders": ("kheaders.archive", "kheaders.available", "kheaders.module"),
    "kstack": ("tracing.kallsyms",),
    "ksym": ("tracing.kallsyms",),
    "tracefs": ("tracing.tracefs",),
    "listing": ("tracing.functions",),
    "lockdown": ("kernel.lockdown",),
    "config": ("config.source",),
    "load_modules": ("kernel.modules",),
}
#: Findings, and the options without which they fail on any kernel; what is merely recommended is not here. Each option
#: compiles the part in: kernel/bpf/Makefile (BPF_SYSCALL), kernel/trace/Makefile and Kconfig (BPF_EVENTS, FPROBE,
#: the tracers), check_attach_btf_id in kernel/bpf/verifier.c and kernel/bpf/trampoline.c (DEBUG_INFO_BTF, BPF_JIT),
#: kernel/Makefile (IKHEADERS, KALLSYMS, KPROBES), lib/Kconfig.debug (DEBUG_INFO_BTF_MODULES).
INDISPENSABLE: Mapping[str, tuple[str, ...]] = {
    "bpf.map": ("BPF_SYSCALL",),
    "bpf.prog.tracepoint": ("BPF_SYSCALL", "BPF_EVENTS"),
    "bpf.prog.raw_tracepoint": ("BPF_SYSCALL", "BPF_EVENTS"),
    "bpf.prog.kprobe": ("BPF_SYSCALL", "BPF_EVENTS"),
    "bpf.prog.perf_event": ("BPF_SYSCALL", "BPF_EVENTS"),
    "bpf.fentry": ("BPF_SYSCALL", "BPF_EVENTS", "BPF_JIT", "DEBUG_INFO_BTF"),
    "bpf.iter": ("BPF_SYSCALL", "DEBUG_INFO_BTF"),
    "bpf.kprobe_multi": ("BPF_EVENTS", "FPROBE"),
    "btf.vmlinux": ("DEBUG_INFO_BTF",),
    "btf.modules": ("DEBUG_INFO_BTF_MODULES",),
    "kernel.modules": ("MODULES",),
    "kheaders.archive": ("IKHEADERS",),
    "perf.events": ("PERF_EVENTS",),
    "perf.output": ("PERF_EVENTS",),
    "tracing.functions": ("FUNCTION_TRACER", "DYNAMIC_FTRACE"),
    "tracing.kallsyms": ("KALLSYMS",),
    "tracing.kprobes": ("KPROBES", "KPROBE_EVENTS"),
    "tracing.syscalls": ("FTRACE_SYSCALLS",),
    "tracing.tracefs": ("TRACING",),
    "tracing.uprobes": ("UPROBES", "UPROBE_EVENTS"),
}
#: What a part helps along that can be had in other ways: the archive of headers can become a tree of headers.
_WAYS = {"kheaders": ("headers.tree", "headers.bcc")}


class Option(NamedTuple):
    """One option, its name without CONFIG_.

    accepted: values that will do, best first; () where any value is as good. required_by: tools whose
    documentation requires it. capabilities: what of the kernel needs it. alternatives: options of which one is
    enough. needs: options that must be on for it (`NAME>=6.14`: since that kernel, see `needed`). arch:
    `uname -m` of the only machines that have it, () for all. since: the kernel that first had it, a hint,
    distributions backport; `2.6.12 or older` where no tree before it was read. aliases: other spellings of the name.
    costs: what turning it on costs or weakens; sources: where that is said.
    """

    name: str
    unlocks: str
    accepted: tuple[str, ...] = ("y",)
    required_by: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    arch: tuple[str, ...] = ()
    since: str | None = None
    aliases: tuple[str, ...] = ()
    note: str = ""
    costs: str = ""
    sources: tuple[str, ...] = ()

    def accepts(self, value: str | None) -> bool | None:
        """Whether `value` will do. None for a value that is not known, and for options that are not judged."""
        if value is None or not self.accepted:
            return None
        return value in self.accepted

    def needed(self, version: tuple[int, ...]) -> tuple[str, ...]:
        """The options that must be on for it in a kernel of this version."""
        parted = (need.partition(">=") for need in self.needs)
        return tuple(n for n, _, since in parted if not since or version >= tuple(map(int, since.split("."))))


class _Row(TypedDict, total=False):
    name: str
    unlocks: str
    accepted: str
    required_by: str
    capabilities: str
    alternatives: str
    needs: str
    arch: str
    since: str
    aliases: str
    note: str
    costs: str
    sources: list[str]


@cache
def options() -> tuple[Option, ...]:
    """All options, in the order of explaining: eBPF, probes, tracing, types, symbols, headers, the rest."""
    return tuple(_option(row) for row in cast("list[_Row]", table("options")))


@cache
def by_name() -> Mapping[str, Option]:
    """Options by name, their aliases included."""
    return {name: option for option in options() for name in (option.name, *option.aliases)}


def findings_of(option: Option) -> tuple[str, ...]:
    """The findings about what this option unlocks."""
    return tuple(dict.fromkeys(i for part in option.capabilities for i in _FINDINGS.get(part, ())))


def ways_of(option: Option) -> tuple[str, ...]:
    """The findings about what it helps along, and what can be had without it."""
    return tuple(i for part in option.capabilities for i in _WAYS.get(part, ()))


def _option(row: _Row) -> Option:
    return Option(
        name=row["name"],
        unlocks=row["unlocks"],
        accepted=_ACCEPTED[row.get("accepted", "y")],
        required_by=tuple(row.get("required_by", "").split()),
        capabilities=tuple(row.get("capabilities", "").split()),
        alternatives=tuple(row.get("alternatives", "").split()),
        needs=tuple(row.get("needs", "").split()),
        arch=tuple(row.get("arch", "").split()),
        since=row.get("since"),
        aliases=tuple(row.get("aliases", "").split()),
        note=row.get("note", ""),
        costs=row.get("costs", ""),
        sources=tuple(row.get("sources", ())),
    )
