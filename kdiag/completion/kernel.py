"""Names out of this machine's kernel: probes, functions, types, modules. What cannot be read offers nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING

from kdiag.btf.finding import DEFINITIONS, NAMED, NoMember, find_type, follow
from kdiag.btf.searching import named
from kdiag.btf.sources import Damaged, NoTypes, Source, of_kernel
from kdiag.completion.many import offered
from kdiag.completion.value import Candidate
from kdiag.knowledge.scripts.probes import HARDWARE, SOFTWARE
from kdiag.machine import Machine
from kdiag.parse.bpftrace.attach import ALONE, KINDS
from kdiag.parse.btf.kinds import COMPOSITES, Kind
from kdiag.system import Unavailable
from kdiag.system.live import Live

if TYPE_CHECKING:
    from kdiag.parse.btf.graph import Graph

_FUNCTIONS = ("kprobe", "kretprobe", "fentry", "fexit")
_TIMED = {"profile": ("hz:99", "ms:100", "s:1", "us:100"), "interval": ("s:1", "ms:100", "hz:10", "us:100")}
_ITERATOR = "bpf_iter__"


def types(start: str, _before: tuple[str, ...]) -> Iterable[Candidate]:
    """Structs, unions, enums and typedefs."""
    return offered(_named(start, NAMED), start)


def functions(start: str, _before: tuple[str, ...]) -> Iterable[Candidate]:
    """Functions that BTF names."""
    return offered(_named(start, (Kind.FUNC,)), start)


def names(start: str, before: tuple[str, ...]) -> Iterable[Candidate]:
    """Whatever has a name in BTF."""
    return chain(types(start, before), functions(start, before))


def modules(start: str, _before: tuple[str, ...]) -> Iterable[Candidate]:
    """The modules that provide BTF."""
    source = _source()
    return offered(source.modules(), start) if source is not None else ()


def releases(start: str, _before: tuple[str, ...]) -> Iterable[Candidate]:
    """The kernels that are installed."""
    try:
        return offered(Live().listdir("/lib/modules") or (), start)
    except Unavailable:
        return ()


def members(start: str, before: tuple[str, ...]) -> Iterable[Candidate]:
    """Members of the struct that is named before, behind a dot those of the member's own type."""
    source = _source()
    if source is None or not before:
        return ()
    way, _, last = start.rpartition(".")
    lead = f"{way}." if way else ""
    with suppress(NoMember, NoTypes, Damaged):
        found = find_type(source, before[0], kinds=(*DEFINITIONS, Kind.TYPEDEF))
        if found is not None:
            graph = found.types.graph
            owner = follow(graph, found.type_id, way)[-1].type_id if way else found.type_id
            return offered(_member_names(graph, owner), last, lead)
    return ()


def probes(start: str) -> Iterable[Candidate]:
    """Probes of bpftrace, part by part: the kind, the group or the function, the event."""
    spelled, colon, rest = start.partition(":")
    if not colon:
        return tuple(
            Candidate(name if name in ALONE else f"{name}:", "probe", name not in ALONE)
            for name in KINDS
            if len(name) > 2 and name.startswith(start)
        )
    kind = KINDS.get(spelled, "")
    if kind in _FUNCTIONS:
        return offered(_traceable(rest), rest, f"{spelled}:")
    if kind == "tracepoint":
        return _events(spelled, rest)
    if kind == "rawtracepoint":
        return offered((event.partition(":")[2] for event in _available()), rest, f"{spelled}:")
    if kind == "iter":
        found = _named(_ITERATOR + rest, (Kind.STRUCT,))
        return offered((name.removeprefix(_ITERATOR) for name in found), rest, f"{spelled}:")
    fixed = {"software": tuple(SOFTWARE), "hardware": tuple(HARDWARE), **_TIMED}
    return offered(fixed.get(kind, ()), rest, f"{spelled}:")


def _events(spelled: str, rest: str) -> Iterable[Candidate]:
    """Groups of events, and the events of one of them."""
    group, colon, name = rest.partition(":")
    events = _available()
    if colon:
        own = (event.partition(":")[2] for event in events if event.startswith(f"{group}:"))
        return offered(own, name, f"{spelled}:{group}:")
    groups = {event.partition(":")[0] for event in events}
    return tuple(
        Candidate(f"{spelled}:{one}:", "group of tracepoints", True)
        for one in sorted(groups)
        if one.startswith(rest)
    )


def _available() -> tuple[str, ...]:
    try:
        return Machine(Live()).tracing.available_events
    except Unavailable:
        return ()


def _traceable(start: str) -> Iterator[str]:
    """The kernel's own list of functions that can be traced; without it (it is root's to read), BTF's."""
    try:
        data = Machine(Live()).tracing.function_list
    except Unavailable:
        data = None
    if data:
        line = re.compile(
            rb"^" + re.escape(start.encode("utf-8", "surrogateescape")) + rb"[^\s]*", re.MULTILINE
        )
        return (found[0].decode("utf-8", "replace") for found in line.finditer(data))
    return _named(start, (Kind.FUNC,))


def _member_names(graph: Graph, type_id: int) -> list[str]:
    """The members of a struct, also of one behind a pointer."""
    plain = graph.plain(type_id)
    if graph.kind(plain) == Kind.PTR:
        plain = graph.plain(graph.target(plain))
    return [one.name for one in graph.flat_members(plain)] if graph.kind(plain) in COMPOSITES else []


def _source() -> Source | None:
    try:
        return of_kernel(Live(), "this kernel")
    except (NoTypes, Unavailable):
        return None


def _named(start: str, kinds: tuple[Kind, ...]) -> Iterator[str]:
    """The kernel's types of these kinds that begin so."""
    source = _source()
    if source is None:
        return
    pattern = re.compile(re.escape(start) + ".*", re.DOTALL)
    with suppress(Damaged):
        first = start.encode("utf-8", "surrogateescape")
        yield from (name for _, name in named(source.main.btf, pattern, kinds, first))
