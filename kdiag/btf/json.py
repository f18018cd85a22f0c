"""Answers about types as one stable JSON document, `kdiag.btf/1`: additions keep the number.

`about` says which answer it is: `type`, `members`, `function`, `find`, `sizes` or `diff`.
"""

from __future__ import annotations

import json
import pkgutil
from typing import TYPE_CHECKING

from kdiag import __version__
from kdiag.btf.declare import Declarer, base_of, keyword
from kdiag.btf.layout import Place, lay_out
from kdiag.btf.text import head_line
from kdiag.console.printable import in_json
from kdiag.parse.btf.graph import DEEPEST, Graph
from kdiag.parse.btf.kinds import COMPOSITES, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kdiag.btf.diff import Difference, Spot
    from kdiag.btf.finding import Step
    from kdiag.btf.sizes import Debug, Sizes
    from kdiag.btf.sources import Source, Types

SCHEMA = "kdiag.btf/1"
#: Members in one document.
_MOST = 50_000


def render(source: Source, about: str, answer: dict[str, object]) -> str:
    """The document, ending in a newline; all text in it is printable and can be encoded as UTF-8."""
    whole = {
        "schema": SCHEMA,
        "kdiag": __version__,
        "about": about,
        "source": {"name": source.name, "release": source.release},
        **answer,
    }
    return in_json(json.dumps(whole, indent=2, ensure_ascii=False)) + "\n"


def schema_text() -> str:
    """The JSON Schema (draft 2020-12) of the document, as shipped."""
    return (pkgutil.get_data(__package__, "btf.schema.json") or b"").decode()


def type_value(types: Types, type_id: int) -> dict[str, object]:
    """A type: its members, constants, or what it stands for."""
    return _Values(types.graph).type_value(type_id) | {"module": types.module, "id": type_id}


class _Values:
    """Types as values; counts what it has written, as anonymous members of anonymous members multiply."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._left = _MOST

    def type_value(self, type_id: int, level: int = 0) -> dict[str, object]:
        """One type. level: how many anonymous ones it is in."""
        graph, kind = self._graph, self._graph.kind(type_id)
        if level > DEEPEST:
            raise graph.error(type_id, f"is nested more than {DEEPEST} types deep")
        value: dict[str, object] = {
            "kind": Kind(kind).name.lower(),
            "name": graph.name(type_id),
            "size": graph.size(type_id),
        }
        if kind in COMPOSITES:
            layout = lay_out(graph, type_id)
            value["packed"] = kind == Kind.STRUCT and graph.is_packed(type_id)
            value["padding"] = layout.padding
            value["members"] = [self._member(place, level) for place in layout.places]
        elif kind in (Kind.ENUM, Kind.ENUM64):
            constants = graph.enumerators(type_id)
            self._spend(type_id, len(constants))
            value["constants"] = [{"name": one.name, "value": one.value} for one in constants]
        elif kind == Kind.TYPEDEF:
            value["type"] = Declarer(graph).declare(graph.target(type_id))
            plain = graph.plain(type_id)
            if keyword(graph, plain) and not graph.name(plain):
                value["definition"] = self.type_value(plain, level + 1)
        return value

    def _member(self, place: Place, level: int) -> dict[str, object]:
        graph = self._graph
        self._spend(place.type_id, 1)
        value: dict[str, object] = {
            "name": place.name,
            "type": Declarer(graph).declare(place.type_id),
            **_lies(place),
            "hole_after": place.hole,
            "bit_hole_after": place.bit_hole,
        }
        inner, _ = base_of(graph, place.type_id)
        if keyword(graph, inner) and not graph.name(inner):
            value["definition"] = self.type_value(inner, level + 1)
        return value

    def _spend(self, type_id: int, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise self._graph.error(type_id, f"is in a document of more than {_MOST} members")


def members_value(graph: Graph, asked: Sequence[str], paths: Sequence[Sequence[Step]]) -> dict[str, object]:
    """Where members lie: for each path that was asked for, the structs on the way to it."""
    return {
        "members": [
            {"path": path, "steps": [_step(graph, step) for step in steps]}
            for path, steps in zip(asked, paths, strict=True)
        ]
    }


def _step(graph: Graph, step: Step) -> dict[str, object]:
    return {
        "in": graph.name(step.owner),
        "member": step.text,
        "type": Declarer(graph).declare(step.type_id),
        **_lies(step),
    }


def function_value(types: Types, type_id: int, prototype: str, tags: Sequence[str]) -> dict[str, object]:
    """A function: its prototype and its parameters."""
    graph = types.graph
    proto = graph.target(type_id)
    declare = Declarer(graph).declare
    params = [
        {"name": param.name, "type": declare(param.type_id) if param.type_id else "..."}
        for param in graph.params(proto)
    ]
    return {
        "name": graph.name(type_id),
        "prototype": prototype,
        "returns": declare(graph.target(proto)),
        "parameters": params,
        "module": types.module,
        "id": type_id,
        "tags": list(tags),
    }


def sizes_value(sizes: Sizes, debug: Debug | None) -> dict[str, object]:
    """What BTF takes, and what DWARF does."""
    return {
        "place": sizes.place,
        "size": sizes.size,
        "header": sizes.other,
        "kinds": [kind._asdict() for kind in sizes.kinds],
        "names": sizes.names._asdict(),
        "modules": [module._asdict() for module in sizes.modules],
        "debug": None
        if debug is None
        else {
            "place": debug.place,
            "size": debug.size,
            "units": debug.units,
            "sections": [one._asdict() for one in debug.sections],
        },
    }


def diff_value(found: Difference, second: Source) -> dict[str, object]:
    """What changed; `source` of the document is the first one."""
    return {
        "second": {"name": second.name, "release": second.release},
        "structs_compared": found.structs,
        "functions_compared": found.functions,
        "structs": [
            {
                "name": change.name,
                "size_before": change.before,
                "size_after": change.after,
                "problem": change.problem,
                "members": [
                    {
                        "name": one.name,
                        "what": one.what,
                        "before": _spot(one.before),
                        "after": _spot(one.after),
                    }
                    for one in change.members
                ],
            }
            for change in found.changed
        ],
        "functions": [one._asdict() for one in found.prototypes],
        "absent": list(found.absent),
    }


def _spot(spot: Spot | None) -> dict[str, object] | None:
    if spot is None:
        return None
    return {"type": spot.type, **_lies(spot)}


def _lies(one: Place | Step | Spot) -> dict[str, object]:
    """Where a member lies: its byte and size, and of a bit field its bit in that byte and how many it has."""
    return {
        "offset": one.at // 8,
        "bit": one.at % 8 if one.bits else 0,
        "bits": one.bits,
        "size": one.size,
    }


def found_value(types: Types, type_id: int, name: str) -> dict[str, object]:
    """What a pattern found, in short."""
    kind = types.graph.kind(type_id)
    return {
        "kind": Kind(kind).name.lower(),
        "name": name,
        "module": types.module,
        "id": type_id,
        "line": head_line(types.graph, type_id, name),
    }
