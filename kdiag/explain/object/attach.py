"""Where a program attaches after it was loaded: events, tracepoints and functions that have to be there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from kdiag.explain.object.trouble import Trouble, unknown
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.explain.object.kernel import KernelFacts
    from kdiag.knowledge.bpf.tables import Section

_KPROBES = ("kprobe+", "kretprobe+")
_DYNAMIC = {
    **dict.fromkeys((*_KPROBES, "ksyscall+", "kretsyscall+"), "kprobe"),
    **dict.fromkeys(("uprobe+", "uretprobe+", "uprobe.s+", "uretprobe.s+", "usdt+", "usdt.s+"), "uprobe"),
}
#: Types of programs that libbpf has a function to attach for, if their sections say where to.
_ATTACHED = ("KPROBE", "TRACEPOINT", "RAW_TRACEPOINT", "RAW_TRACEPOINT_WRITABLE", "TRACING", "EXT", "LSM")
#: What has to follow the slash, for it to be a place (attach_uprobe(), attach_usdt() and attach_tp() of libbpf).
_FORMS = {
    "uprobe": re.compile(r"[^:]+:.+"),
    "usdt": re.compile(r"[^:]+:[^:]+:[^:]+"),
    "TRACEPOINT": re.compile(r"[^/]+/.+"),
}

#: bpf_probe_read_kernel() and bpf_probe_read_kernel_str(): an object that calls them looks into the kernel's memory.
_READ_KERNEL = frozenset((113, 115))


def by_itself(section: Section, what: str) -> bool:
    """Whether libbpf attaches such a program without being told where: its section names a place, and is not of a kind
    for which the program that loads it has to choose one (an interface, a cgroup, a perf event).
    """
    if section.program not in _ATTACHED or section.attach == "LSM_CGROUP" or not what:
        return False
    kind = next(
        (one for one in ("uprobe", "uretprobe", "usdt") if section.name.startswith(one)), section.program
    )
    form = _FORMS.get("uprobe" if kind == "uretprobe" else kind)
    return form is None or bool(form.fullmatch(what))


def attach_point(
    section: Section, what: str, kernel: KernelFacts, *, set_later: bool, calls: Iterable[int]
) -> Iterator[Trouble]:
    """Whether the place is there. Those that loading looks up are judged with the program's type. set_later: a program
    carries the object, and may attach its programs elsewhere than their sections say; calls: the object's helpers.
    """
    kind = _DYNAMIC.get(section.name)
    movable = set_later and _READ_KERNEL.isdisjoint(calls)
    elsewhere = _elsewhere(section, what, kernel) if movable else None
    common = [elsewhere] if elsewhere else list(_events(section, kind, kernel))
    yield from common
    if common or not what:
        return
    if section.program == "TRACEPOINT":
        group, _, name = what.partition("/")
        if group and name and "/" not in name and ".." not in what:
            yield from _placed(_tracepoint(group, name, kernel), set_later=set_later)
    elif section.name in _KPROBES:
        yield from _placed(_function(what.partition("+")[0], kernel), set_later=set_later)


def unnamed(section: Section, name: str, kernel: KernelFacts) -> Iterator[Trouble]:
    """Of a section that is `kprobe` and no more, which libbpf does not attach by itself (its attach_kprobe()): such a
    program has the name of its function, or of one that is called otherwise in some kernels, and the program that
    carries it chooses (libbpf-tools/biotop.c of bcc 0.26: blk_account_io_start, or __blk_account_io_start).
    """
    if section.name in _KPROBES:
        for missing in _function(name, kernel):
            where = f"its section {section.name.rstrip('+')} names no function"
            text = f"{where}, so that the program which loads it decides where it attaches; {missing.text}"
            yield unknown(text)._replace(attach=True)


def _placed(found: Iterator[Trouble], *, set_later: bool) -> Iterator[Trouble]:
    for one in found:
        yield one._replace(attach=True, certain=one.certain and not set_later)


def _elsewhere(section: Section, what: str, kernel: KernelFacts) -> Trouble | None:
    """That a section named for a kprobe names no function of the kernel: the program that carries the object attaches
    it where it likes. Kprobes and uprobes are programs of one type (libbpf-tools/gethostlatency.bpf.c has
    `kprobe/handle_entry`, and gethostlatency.c attaches it to getaddrinfo of libc). What reads the kernel's memory is
    meant for the kernel's functions, whatever this kernel calls them. None where the name decides.
    """
    if section.name not in _KPROBES or list(_symbol(what.partition("+")[0], kernel)) == []:
        return None
    with suppress(Unavailable):
        kinds = [kind for kind in ("kprobe", "uprobe") if _has_dynamic(kind, kernel)]
        if not kinds:
            return None
        only = f"; this kernel has {kinds[0]}s only" if len(kinds) == 1 else ""
        where = f"its section {section.name.rstrip('+')}/{what} names no function of the kernel"
        text = f"{where}, so that the program which carries it decides where it attaches{only}"
        return unknown(text)._replace(attach=True)
    return None


def _events(section: Section, kind: str | None, kernel: KernelFacts) -> Iterator[Trouble]:
    """What libbpf attaches through (src/libbpf.c: perf_event_open_probe(), perf_event_open_tracepoint())."""
    if kind is not None:
        try:
            if not _has_dynamic(kind, kernel):
                text = f"this kernel has no {kind}s (CONFIG_{kind.upper()}_EVENTS)"
                yield Trouble(text, finding=f"tracing.{kind}s", attach=True)
                return
        except Unavailable as gap:
            text = f"whether the kernel has {kind}s cannot be seen: {gap.reason}"
            yield unknown(text, f"tracing.{kind}s")._replace(attach=True)
    if section.program == "TRACEPOINT":
        try:
            if kernel.machine.tracing.root is None:
                # determine_tracepoint_id()
                text = "tracefs is not mounted, where libbpf looks up the numbers of tracepoints"
                yield Trouble(text, finding="tracing.tracefs", attach=True)
        except Unavailable as gap:
            yield unknown(f"where tracefs is cannot be seen: {gap.reason}", "tracing.tracefs")._replace(
                attach=True
            )
    if kind is None and section.program not in ("TRACEPOINT", "PERF_EVENT"):
        return
    try:
        result = kernel.machine.bpf.profile
        if not result.ok:
            text = f"the kernel refuses perf events, by which libbpf attaches it: {result.describe()}"
            yield Trouble(text, finding="perf.events", attach=True, rights=result.refused)
        elif kind == "uprobe":
            yield from _uprobe(kernel)
    except Unavailable as gap:
        text = f"whether perf events, by which libbpf attaches it, are allowed is not known: {gap.reason}"
        yield unknown(text, "perf.events")._replace(attach=True)


def _uprobe(kernel: KernelFacts) -> Iterator[Trouble]:
    """What a kernel asks of who opens a uprobe, beyond other perf events (perf_uprobe_event_init)."""
    if kernel.machine.privileges.has("CAP_SYS_ADMIN"):
        return
    if kernel.machine.bpf.uprobe.refused:
        text = "this kernel requires CAP_SYS_ADMIN for uprobes"
        yield Trouble(text, finding="perf.uprobes", attach=True, rights=True)


def _has_dynamic(kind: str, kernel: KernelFacts) -> bool:
    """Whether the kernel has kprobes or uprobes: as an event source, or in tracefs. Raises Unavailable."""
    tracing = kernel.machine.tracing
    try:
        if kind in tracing.pmus:
            return True
    except Unavailable:
        pass
    try:
        return f"{kind}_events" in tracing.names
    except Unavailable:
        return kernel.option(f"{kind.upper()}_EVENTS") == "y"


def _tracepoint(group: str, name: str, kernel: KernelFacts) -> Iterator[Trouble]:
    try:
        if kernel.machine.tracing.event(group, name) is None:
            yield Trouble(f"the kernel has no tracepoint {group}:{name}")
    except Unavailable as gap:
        text = f"whether there is a tracepoint {group}:{name} cannot be seen: {gap.reason}"
        yield unknown(text, "tracing.tracefs")


def _function(name: str, kernel: KernelFacts) -> Iterator[Trouble]:
    try:
        there = name in kernel.machine.tracing.probeable({name})
    except Unavailable:
        yield from _symbol(name, kernel)
        return
    if not there:
        yield Trouble(f"the kernel has no function {name} that can be probed")


def _symbol(name: str, kernel: KernelFacts) -> Iterator[Trouble]:
    """Where the kernel's list of functions cannot be had, or does not decide."""
    try:
        # The list of symbols is long; what the kernel's types describe needs no look at it.
        if not (kernel.has_types and kernel.function(name)) and not kernel.symbol(name):
            yield Trouble(f"the kernel has no function {name} to probe")
    except Unavailable as gap:
        yield unknown(f"whether there is a function {name} to probe cannot be seen: {gap.reason}")
