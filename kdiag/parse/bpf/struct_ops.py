"""The operations that an object gives to the kernel (struct_ops): variables whose type is a struct of the kernel's,
with programs in its members (src/libbpf.c of libbpf, init_struct_ops_maps() and bpf_object__collect_st_ops_relos()).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kdiag.parse.bpf.core.names import essential
from kdiag.parse.bpf.maps import datasecs, placed
from kdiag.parse.btf import Kind

if TYPE_CHECKING:
    from kdiag.parse.bpf.image import Image
    from kdiag.parse.bpf.program import Function
    from kdiag.parse.btf.graph import Graph

_SECTIONS = (".struct_ops", ".struct_ops.link")


class Operations(NamedTuple):
    """A variable. struct: the kernel's struct, without a flavour; programs: by member, the function that is put there;
    values: other members that are not zero; asked: made only on request (`?` before the section's name).
    """

    name: str
    struct: str
    programs: dict[str, str]
    values: tuple[str, ...]
    asked: bool


def operations(image: Image, graph: Graph | None, functions: tuple[Function, ...]) -> tuple[Operations, ...]:
    """All of an object. graph: its BTF. Raises ParseError, BtfError."""
    if graph is None:
        return ()
    named = {(one.home, one.start * 8): one.name for one in functions}
    found = []
    for section in image.sections:
        plain = section.name.removeprefix("?")
        if plain not in _SECTIONS:
            continue
        data = image.content(section)
        at_offset = {
            one.offset: image.symbol(one, section) for one in image.relocations.get(section.number, ())
        }
        put = {
            offset: named[symbol.section, symbol.value]
            for offset, symbol in at_offset.items()
            if (symbol.section, symbol.value) in named
        }
        for type_id in datasecs(graph, section.name):
            for variable, start in placed(graph, type_id):
                here = {offset - start: name for offset, name in put.items()}
                one = _one(graph, variable, data[start:], here)
                found.append(one._replace(asked=plain != section.name))
    return tuple(found)


def _one(graph: Graph, variable: int, data: bytes, put: dict[int, str]) -> Operations:
    """A variable by its bytes, and by the functions that are put at some of them."""
    struct = graph.plain(graph.target(variable))
    if graph.kind(struct) != Kind.STRUCT:
        raise graph.error(variable, "is in section .struct_ops and no struct")
    programs: dict[str, str] = {}
    values: list[str] = []
    for member in graph.members(struct):
        at = member.bit_offset // 8
        if at in put:
            programs[member.name] = put[at]
        elif any(data[at : at + graph.size(member.type_id)]):
            values.append(member.name)
    return Operations(
        graph.name(variable), essential(graph.name(struct)), programs, tuple(values), asked=False
    )
