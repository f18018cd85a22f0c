"""A struct, union, enum or typedef of the kernel by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.btf.declare import Declarer
from kdiag.btf.finding import find_type
from kdiag.btf.sources import NoTypes
from kdiag.explain.probe import types
from kdiag.explain.value import Answer, Section
from kdiag.parse.btf import BtfError
from kdiag.parse.btf.kinds import COMPOSITES, Kind

if TYPE_CHECKING:
    from kdiag.btf.finding import Found
    from kdiag.explain.here import Here

#: Members that a page has room for.
_SHOWN = 20
_NAMES = {Kind.ENUM64: "enum"}


def explain(word: str, here: Here) -> Answer | None:
    """What is said of a type, None if the kernel's BTF has none of this name."""
    if ":" in word or "(" in word:
        return None
    try:
        found = find_type(here.types, word)
        return None if found is None else _about(word, found)
    except (NoTypes, BtfError):
        return None


def _about(word: str, found: Found) -> Answer | None:
    graph, type_id = found.types.graph, found.type_id
    kind = Kind(graph.kind(type_id))
    name, what = graph.name(type_id), _NAMES.get(kind, kind.name.lower())
    if kind in COMPOSITES:
        text, section = _members(found)
    elif kind == Kind.TYPEDEF:
        text, section = f"It stands for `{Declarer(graph).declare(graph.target(type_id))}`.", Section("")
    elif kind in (Kind.ENUM, Kind.ENUM64):
        constants = graph.enumerators(type_id)
        rows = tuple((one.name, str(one.value)) for one in constants[:_SHOWN])
        text = f"It has {len(constants)} constants" + _first(len(constants)) + "."
        section = Section("Its constants", (), ("name", "value"), rows)
    else:
        return None
    spelt = f"{what} {name}" if what in ("struct", "union", "enum") else name
    commands = [f"kdiag btf struct {name}"]
    if what == "struct":
        commands.append(f"bpftrace -lv 'struct {name}'")
    where = Section("", (f"{found.types.place}: {text}",))
    article = "an" if what[0] in "aeiou" else "a"
    title = f"{article} {what} of the kernel" if word == spelt else f"{spelt}, {article} {what} of the kernel"
    return Answer(
        *(word, "type", title, "told", ""),
        (where, section, Section("See it yourself", commands=tuple(commands))),
    )


def _members(found: Found) -> tuple[str, Section]:
    members = types.members(found.types, found.type_id)
    size = found.types.graph.size(found.type_id)
    rows = tuple((one.name or "-", one.type, str(one.at), str(one.size)) for one in members[:_SHOWN])
    text = f"{size} bytes, {len(members)} members" + _first(len(members)) + "."
    return text, Section("Its members", (), ("member", "type", "offset", "size"), rows)


def _first(number: int) -> str:
    return f", the first {_SHOWN} of which are shown" if number > _SHOWN else ""
