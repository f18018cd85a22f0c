"""Types of the kernel that a probe's arguments have: prototypes, the fields of structs, the record of an event."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from kdiag.btf.declare import Declarer
from kdiag.btf.finding import find_type
from kdiag.btf.searching import matching
from kdiag.parse.btf import BtfError
from kdiag.parse.btf.kinds import Kind
from kdiag.words import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kdiag.btf.finding import Found
    from kdiag.btf.sources import Source, Types
    from kdiag.parse.btf.graph import Graph
    from kdiag.parse.event_format import Field

#: Of a whole kernel's BTF: the smallest kernels that were seen have 40,000 types, what a recording keeps has few.
_WHOLE = 5000
#: Of all events, a record begins with struct trace_entry: 8 bytes (include/linux/trace_events.h).
_COMMON = "common_"


class Member(NamedTuple):
    """A member of a struct: at and size in bytes."""

    name: str
    type: str
    at: int
    size: int


def whole(source: Source) -> bool:
    """Whether it is all of a kernel's BTF, so that what is not in it is not in the kernel."""
    return source.main.btf.n_types >= _WHOLE


def function(source: Source, name: str, module: str = "") -> Found | None:
    """A function by its name, in the kernel or else in its modules. Raises NoTypes, BtfError."""
    return find_type(source, name, "" if module == "vmlinux" else module, (Kind.FUNC,))


def prototype(found: Found, name: str) -> str:
    """A function as C declares it. Raises BtfError."""
    graph = found.types.graph
    return Declarer(graph).prototype(graph.target(found.type_id), name) + ";"


def parameters(found: Found) -> list[tuple[str, str]]:
    """Name and type of each parameter of a function. Raises BtfError."""
    return _parameters(found.types, found.types.graph.target(found.type_id))


def returned(found: Found) -> str:
    """The type that a function returns. Raises BtfError."""
    graph = found.types.graph
    return Declarer(graph).declare(graph.target(graph.target(found.type_id)))


def _parameters(types: Types, proto: int) -> list[tuple[str, str]]:
    declarer = Declarer(types.graph)
    params = types.graph.params(proto)
    return [(one.name, declarer.declare(one.type_id) if one.type_id else "...") for one in params]


def event(source: Source, name: str) -> Found | None:
    """The typedef `btf_trace_NAME`, which the kernel has for each tracepoint (include/trace/bpf_probe.h). Raises
    NoTypes, BtfError.
    """
    return find_type(source, f"btf_trace_{name}", kinds=(Kind.TYPEDEF,))


def event_parameters(found: Found) -> list[tuple[str, str]]:
    """What a raw tracepoint gets: the parameters of btf_trace_NAME but for the first, which is the kernel's own. Raises
    BtfError.
    """
    graph = found.types.graph
    pointer = graph.plain(found.type_id)
    proto = graph.plain(graph.target(pointer)) if graph.kind(pointer) == Kind.PTR else 0
    if graph.kind(proto) != Kind.FUNC_PROTO:
        raise BtfError(f"type {found.type_id} is no pointer to a function")
    own = _parameters(found.types, proto)[1:]
    # The typedef has no names; the function that calls the probes has (include/linux/tracepoint.h, 5.10).
    name = found.types.graph.name(found.type_id).removeprefix("btf_trace_")
    caller = found.types.btf.find(f"__traceiter_{name}", (Kind.FUNC,))
    named = _parameters(found.types, graph.target(caller))[1:] if caller is not None else []
    if len(named) != len(own):
        return own
    return [(theirs[0], kind) for theirs, (_, kind) in zip(named, own, strict=True)]


def events(types: Types) -> Iterator[str]:
    """The tracepoints of a BTF by name."""
    for _, name in matching(types, "btf_trace_*", (Kind.TYPEDEF,)):
        yield name.removeprefix("btf_trace_")


def near_struct(source: Source, name: str) -> str:
    """A hint at a struct that may be meant; empty without one near."""
    word, _, own = name.partition(" ")
    kinds = (Kind.UNION,) if word == "union" else (Kind.STRUCT,)
    found = (one for _, one in matching(source.main, f"{own[:3]}*", kinds))
    hint = did_you_mean(own, found)
    return hint.replace("mean ", f"mean {word} ") if hint else ""


def constant(source: Source, name: str) -> bool:
    """Whether an enum of the kernel has a constant of this name. Raises NoTypes, BtfError."""
    types = source.main
    if b"\0" + name.encode("utf-8", "surrogateescape") + b"\0" not in types.data:
        return False
    return name in _constants(types.graph)


@lru_cache(maxsize=1)
def _constants(graph: Graph) -> frozenset[str]:
    """The constants of all enums of a kernel, some 20,000: a script asks for one after the other."""
    kinds, first = graph.btf.records.kinds, graph.btf.first_id
    every = (at + first for at, kind in enumerate(kinds) if kind in (Kind.ENUM, Kind.ENUM64))
    return frozenset(one.name for type_id in every for one in graph.enumerators(type_id))


def by_text(source: Source, text: str) -> Found | None:
    """The type that C's words name, `struct sk_buff *` or `pid_t`; None for one that is not found, or not of a struct.
    Raises NoTypes, BtfError.
    """
    words = text.replace("*", " * ").replace("const", " ").split()
    if len(words) < 2 or words[0] not in ("struct", "union") or words.count("*") > 1 or "[" in text:
        return None
    return find_type(source, f"{words[0]} {words[1]}")


def members(types: Types, type_id: int) -> list[Member]:
    """The members of a struct, those of anonymous ones in their place. Raises BtfError."""
    declarer, graph = Declarer(types.graph), types.graph
    return [
        Member(
            one.name,
            declarer.declare(one.type_id, flexible=True),
            one.bit_offset // 8,
            graph.size(one.type_id),
        )
        for one in types.btf.members(type_id, flatten=True)
    ]


def record(source: Source, name: str, fields: Sequence[Field]) -> tuple[str, list[Member]] | None:
    """The struct of an event's record, `trace_event_raw_CLASS`, with its members. BTF does not say which class an event
    is of (DECLARE_EVENT_CLASS, include/trace/stages/): it is the one with the same fields in the same places.
    """
    wanted = {(_member_name(one), one.at) for one in fields if not one.name.startswith(_COMMON)}
    if not wanted:
        return None
    types = source.main
    own = types.btf.find(f"trace_event_raw_{name}", (Kind.STRUCT,))
    candidates = [(own, f"trace_event_raw_{name}")] if own is not None else []
    for type_id, struct in (*candidates, *matching(types, "trace_event_raw_*", (Kind.STRUCT,))):
        try:
            places = {
                (one.name, one.bit_offset // 8) for one in types.btf.members(type_id) if one.name != "__data"
            }
            if places - {("ent", 0)} == wanted:
                return struct, members(types, type_id)
        except BtfError:
            continue
    return None


def _member_name(one: Field) -> str:
    if not one.located:
        return one.name
    return f"__rel_loc_{one.name}" if "__rel_loc" in one.type else f"__data_loc_{one.name}"


def member_of(one: Field, found: Sequence[Member]) -> Member | None:
    """The member that a field of the format is."""
    return next((member for member in found if member.name == _member_name(one)), None)
