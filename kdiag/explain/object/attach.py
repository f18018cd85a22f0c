"""Where a program attaches after it was loaded: tracepoints and functions that have to be there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kdiag.explain.object.trouble import Trouble, unknown
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.explain.object.kernel import KernelFacts
    from kdiag.knowledge.bpf.tables import Section

_KPROBES = ("kprobe+", "kretprobe+")


def attach_point(section: Section, what: str, kernel: KernelFacts) -> Iterator[Trouble]:
    """Whether the place is there. Those that loading looks up are judged with the program's type."""
    if not what:
        return
    if section.program == "TRACEPOINT":
        group, _, name = what.partition("/")
        if group and name and "/" not in name and ".." not in what:
            yield from _tracepoint(group, name, kernel)
    elif section.name in _KPROBES:
        yield from _function(what.partition("+")[0], kernel)


def _tracepoint(group: str, name: str, kernel: KernelFacts) -> Iterator[Trouble]:
    tracing = kernel.machine.tracing
    try:
        if tracing.root is None:
            # src/libbpf.c, determine_tracepoint_id()
            text = f"tracefs is not mounted, where libbpf looks up the number of tracepoint {group}:{name}"
            yield Trouble(text, finding="tracing.tracefs", attach=True)
        elif tracing.event(group, name) is None:
            yield Trouble(f"the kernel has no tracepoint {group}:{name}", attach=True)
    except Unavailable as gap:
        text = f"whether there is a tracepoint {group}:{name} cannot be seen: {gap.reason}"
        yield unknown(text, "tracing.tracefs")._replace(attach=True)


def _function(name: str, kernel: KernelFacts) -> Iterator[Trouble]:
    try:
        there = name in kernel.machine.tracing.probeable({name})
    except Unavailable:
        yield from _symbol(name, kernel)
        return
    if not there:
        yield Trouble(f"the kernel has no function {name} that can be probed", attach=True)


def _symbol(name: str, kernel: KernelFacts) -> Iterator[Trouble]:
    """Where the kernel's list of functions cannot be had, or does not decide."""
    try:
        # The list of symbols is long; what the kernel's types describe needs no look at it.
        if not (kernel.has_types and kernel.function(name)) and not kernel.symbol(name):
            yield Trouble(f"the kernel has no function {name} to probe", attach=True)
    except Unavailable as gap:
        text = f"whether there is a function {name} to probe cannot be seen: {gap.reason}"
        yield unknown(text)._replace(attach=True)
