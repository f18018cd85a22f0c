"""The maps of an object: those that BTF describes (`.maps`), those of old (`maps`), and the data of the program, which
libbpf makes into arrays (src/libbpf.c, bpf_object__init_maps()).
"""

from __future__ import annotations

import struct
from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

from kdiag.parse.bpf.image import Image, Section
from kdiag.parse.btf import Kind

if TYPE_CHECKING:
    from kdiag.parse.btf.graph import Graph

#: enum libbpf_map_type's sections: .data.* and the like are maps of their own.
_DATA = (".data", ".rodata", ".bss")
_ARRAY = 2
_MOST = 4096
_IS_DATASEC = bytes(byte == Kind.DATASEC for byte in range(256))


class Map(NamedTuple):
    """A map. kind: a number of enum bpf_map_type, 0 where the object leaves it to the program
    that loads it; max_entries: 0 likewise; section: `.maps`, `maps` or the data's.
    """

    name: str
    kind: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int
    section: str
    pinned: bool = False


def maps(image: Image, graph: Graph | None) -> tuple[Map, ...]:
    """All maps, the program's data last. graph: the object's own BTF. Raises ParseError."""
    found: list[Map] = []
    for section in image.sections:
        if section.name == "maps":
            found += _of_old(image, section)
    if graph is not None:
        for type_id in datasecs(graph, ".maps"):
            found += (_described(graph, one) for one in variables(graph, type_id))
    for section in image.sections:
        if section.size and any(
            section.name == name or section.name.startswith(f"{name}.") for name in _DATA
        ):
            found.append(Map(section.name, _ARRAY, 4, section.size, 1, 0, section.name))
    return tuple(found)


def datasecs(graph: Graph, name: str) -> list[int]:
    """The types that describe the section of a name."""
    btf = graph.btf
    ids = range(btf.first_id, btf.first_id + btf.n_types)
    chosen = compress(ids, btf.records.kinds.translate(_IS_DATASEC))
    return [type_id for type_id in chosen if graph.name(type_id) == name]


def variables(graph: Graph, type_id: int) -> list[int]:
    """The variables, or functions, of a section."""
    return [variable for variable, _ in placed(graph, type_id)]


def placed(graph: Graph, type_id: int) -> list[tuple[int, int]]:
    """The variables, or functions, of a section, each with the byte that it begins at."""
    words, at = graph.btf.record(type_id)
    count = graph.count(type_id)
    if count > _MOST:
        raise graph.error(type_id, f"describes {count} variables, kdiag reads {_MOST}")
    rows = words[at + 2 : at + 2 + 3 * count]
    return list(zip(rows[::3], rows[1::3], strict=True))


def _of_old(image: Image, section: Section) -> list[Map]:
    """struct bpf_map_def of libbpf before 1.0: five numbers each, whatever follows."""
    placed = [one for one in image.symbols if one.section == section.number and one.name and one.kind != 3]
    if len(placed) > _MOST:
        raise image.error(f"{len(placed)} maps, kdiag reads {_MOST}", section.at)
    found = []
    for one in placed:
        if one.value + 20 > section.size:
            raise image.error(f"map {one.name} reaches beyond the end of section maps", section.at)
        numbers = struct.unpack_from(f"{image.order}5I", image.data, section.at + one.value)
        kind, key, value, entries, flags = numbers
        found.append(Map(one.name, kind, key, value, entries, flags, section.name))
    return found


def _described(graph: Graph, variable: int) -> Map:
    """A map by the members of its struct: `__uint(type, N)` is a pointer to an array of N, `__type(key, T)` one to T
    (src/libbpf.c, parse_btf_map_def()).
    """
    name = graph.name(variable)
    if graph.kind(variable) != Kind.VAR:
        raise graph.error(variable, "is in section .maps and no variable")
    struct_id = graph.plain(graph.target(variable))
    if graph.kind(struct_id) != Kind.STRUCT:
        raise graph.error(variable, f"map {name} is no struct")
    numbers: dict[str, int] = {}
    for member in graph.members(struct_id):
        plain = graph.plain(member.type_id)
        if graph.kind(plain) != Kind.PTR:
            continue
        target = graph.target(plain)
        if member.name in ("key", "value"):
            numbers[f"{member.name}_size"] = graph.size(target)
        elif target and graph.kind(graph.plain(target)) == Kind.ARRAY:
            numbers[member.name] = graph.array(graph.plain(target)).length
    return Map(
        name,
        numbers.get("type", 0),
        numbers.get("key_size", 0),
        numbers.get("value_size", 0),
        numbers.get("max_entries", 0),
        numbers.get("map_flags", 0),
        ".maps",
        pinned=bool(numbers.get("pinning")),
    )
