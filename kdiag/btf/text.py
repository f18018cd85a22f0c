"""Answers about types as text: where members lie, prototypes, what a pattern finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.btf.declare import Declarer, keyword
from kdiag.btf.listing import listing
from kdiag.console.printable import line
from kdiag.parse.btf.kinds import COMPOSITES, BtfError, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kdiag.btf.finding import Found, Step
    from kdiag.btf.sources import Types
    from kdiag.parse.btf.graph import Graph

_EXTERN = 2  # BTF_FUNC_EXTERN; of the others pahole says static, whatever they are (btf_encoder.c)


def definition(found: Found) -> str:
    """A type as C with offsets, and what a name that is not a struct stands for."""
    graph, type_id = found.types.graph, found.type_id
    head = f"/* of the module {found.types.module} */\n" if found.types.module else ""
    text = head + listing(graph, type_id)
    kind = graph.kind(type_id)
    if kind == Kind.FWD:
        return f"{text}/* only declared here: its members are not in this BTF */\n"
    if kind in COMPOSITES:
        return text
    plain = graph.plain(type_id)
    stands_for = ""
    if plain != type_id:
        name = Declarer(graph).declare(plain)
        stands_for = f", is: {name}"
    return f"{text}/* size: {graph.size(type_id)}{stands_for} */\n"


def places(graph: Graph, paths: Sequence[Sequence[Step]]) -> str:
    """A line for each member: what it is in, its offset, size and type; behind a pointer a line for each struct."""
    rows = [row for steps in paths for row in rows_of(graph, steps)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "".join(
        f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]}\n" for row in rows
    )


def rows_of(graph: Graph, steps: Sequence[Step]) -> list[tuple[str, str, str, str]]:
    """The name of a place, its offset, its size and its type, in words."""
    rows = []
    for nth, step in enumerate(steps):
        name = graph.name(step.owner) or keyword(graph, step.owner)
        arrow = "-> " if nth else ""
        byte, bit = divmod(step.at, 8)
        offset = f"offset {byte}" + (f", bit {bit}" if step.bits else "")
        size = f"{step.bits} bit{'s' * (step.bits != 1)}" if step.bits else f"size {step.size}"
        rows.append((f"{arrow}{name}.{step.text}", offset, size, Declarer(graph).declare(step.type_id)))
    return rows


def prototype(types: Types, type_id: int) -> str:
    """`int do_exit(long code);`"""
    graph = types.graph
    return f"{Declarer(graph).prototype(graph.target(type_id), graph.name(type_id))};"


def function(types: Types, type_id: int, tags: Sequence[str]) -> str:
    """A function's prototype, and below it where it is."""
    where = f"the module {types.module}" if types.module else types.place
    extern = ", only declared" if types.graph.count(type_id) == _EXTERN else ""
    tagged = f", tagged {', '.join(tags)}" if tags else ""
    return f"{prototype(types, type_id)}\n    in {where}{extern}{tagged}\n"


def found_line(types: Types, type_id: int, name: str) -> str:
    """What a pattern found: `struct task_struct  3264 bytes, 248 members`."""
    where = f"  [{types.module}]" if types.module else ""
    return f"{head_line(types.graph, type_id, line(name))}{where}\n"


def head_line(graph: Graph, type_id: int, name: str) -> str:
    """A type in one line; what is damaged in it, in the place of what it is."""
    kind = graph.kind(type_id)
    try:
        if kind in COMPOSITES:
            count, size = graph.count(type_id), graph.own_size(type_id)
            return f"{keyword(graph, type_id)} {name}  {size} bytes, {count} member{'s' * (count != 1)}"
        if kind in (Kind.ENUM, Kind.ENUM64):
            count = graph.count(type_id)
            return f"enum {name}  {count} constant{'s' * (count != 1)}"
        if kind == Kind.FUNC:
            return f"func {Declarer(graph).prototype(graph.target(type_id), name)}"
        if kind == Kind.TYPEDEF:
            return f"typedef {Declarer(graph).declare(graph.target(type_id), name)}"
        if kind == Kind.VAR:
            return f"var {Declarer(graph).declare(graph.target(type_id), name)}"
        if kind == Kind.FWD:
            return f"{keyword(graph, type_id)} {name}  only declared"
        return f"{Kind(kind).name.lower()} {name}  {graph.size(type_id)} bytes"
    except BtfError as error:
        return f"{Kind(kind).name.lower()} {name}  damaged: {error}"
