"""Where a body runs: what `args`, `retval` and `ctx` are at each of a clause's attach points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kdiag.btf.finding import Found
from kdiag.explain.probe import types
from kdiag.explain.script.fields import Context
from kdiag.parse.btf.kinds import Kind
from kdiag.parse.event_format import fields
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.explain.here import Here
    from kdiag.parse.bpftrace.attach import AttachPoint
    from kdiag.parse.bpftrace.script import Probe

#: Attach points of one clause whose types are followed; a body of more has the same fields in all.
_MOST = 16


def of(probe: Probe, here: Here, own: frozenset[str]) -> Iterator[Context]:
    """A context for each attach point whose arguments are known; at least one. Raises NoTypes, BtfError."""
    made = [_context(placed.point, here, own) for placed in probe.points[:_MOST]]
    # A probe that is not there has no arguments to be missing.
    known = [one for one in made if one is not None]
    yield from known or [Context(None, None, None, own, "")]


def _context(point: AttachPoint, here: Here, own: frozenset[str]) -> Context | None:
    bare = Context(None, None, None, own, point.text)
    if point.kind == "tracepoint" and not point.wild:
        return _tracepoint(point, here, bare)
    if point.kind in ("fentry", "fexit") and not point.wild:
        return _function(point, here, bare)
    if point.kind == "iter":
        source = here.types
        struct = source.main.btf.find(f"bpf_iter__{point.parts[0]}", (Kind.STRUCT,))
        return bare._replace(context=Found(source.main, struct) if struct is not None else None)
    return bare


def _tracepoint(point: AttachPoint, here: Here, bare: Context) -> Context | None:
    try:
        text = here.machine.tracing.event_format(*point.parts)
    except Unavailable:
        return bare
    if text is None:
        return None
    found = {one.name: types.by_text(here.types, one.type) for one in fields(text)}
    return bare._replace(arguments=found or None)


def _function(point: AttachPoint, here: Here, bare: Context) -> Context | None:
    *before, name = point.parts
    function = types.function(here.types, name, before[0] if before else "")
    if function is None:
        return None
    graph = function.types.graph
    proto = graph.target(function.type_id)
    found: dict[str, Found | None] = {
        one.name: Found(function.types, one.type_id) for one in graph.params(proto) if one.name
    }
    found["retval"] = Found(function.types, graph.target(proto))
    return bare._replace(arguments=found, returns=found["retval"])
