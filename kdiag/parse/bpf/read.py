"""An object as a whole: what its ELF file and its BTF say."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kdiag.parse.bpf.btf_ext import CoreRelocation, core_relocations
from kdiag.parse.bpf.image import MAGIC, Image
from kdiag.parse.bpf.maps import Map, maps
from kdiag.parse.bpf.program import Function, functions
from kdiag.parse.bpf.struct_ops import Operations, operations
from kdiag.parse.btf import BtfError, parse
from kdiag.parse.btf.graph import Graph
from kdiag.parse.errors import ParseError

if TYPE_CHECKING:
    from kdiag.parse.bpf.embedded import Embedded


class Object(NamedTuple):
    """An object. at: where in the file it begins; license: "" for none; graph: its BTF, None without; externs: what it
    expects of the kernel by name, `.ksyms` (functions and variables) and `.kconfig`, weak ones with True; operations:
    what it gives to the kernel (struct_ops).
    """

    at: int
    image: Image
    license: str
    functions: tuple[Function, ...]
    maps: tuple[Map, ...]
    relocations: tuple[CoreRelocation, ...]
    graph: Graph | None
    externs: dict[str, bool]
    operations: tuple[Operations, ...] = ()

    @property
    def programs(self) -> tuple[Function, ...]:
        """The functions that the kernel is to call."""
        return tuple(one for one in self.functions if one.is_program)

    def function_at(self, section: str, instruction: int) -> Function | None:
        """The function that has an instruction of a section."""
        for one in self.functions:
            if one.section == section and one.start <= instruction < one.start + len(one.code):
                return one
        return None


def read(data: bytes, at: int = 0) -> Object:
    """Read an object. at: where in the file it was found. Raises ParseError with the offset in the file."""
    image = Image(data, at)
    found = functions(image)
    graph = _graph(image)
    try:
        kept, given = maps(image, graph), operations(image, graph, found)
    except BtfError as error:
        raise _placed(image, error) from None
    section = image.named("license")
    text = image.content(section).split(b"\0", 1)[0].decode("latin-1") if section else ""
    externs = {
        one.name: one.bind == 2
        for one in image.symbols
        if one.name and not one.section and one.bind in (1, 2)
    }
    return Object(at, image, text, found, kept, core_relocations(image), graph, externs, given)


def _graph(image: Image) -> Graph | None:
    section = image.named(".BTF")
    if section is None:
        return None
    try:
        return Graph(parse(image.content(section), lazy=True))
    except BtfError as error:
        raise _placed(image, error) from None


def _placed(image: Image, error: BtfError) -> ParseError:
    section = image.named(".BTF")
    at = image.start + (section.at if section else 0) + (error.offset or 0)
    return ParseError(f".BTF: {error.message}", at)


def is_elf(data: bytes) -> bool:
    """Whether a file begins like an ELF file."""
    return data.startswith(MAGIC)


def inner(found: tuple[Embedded, ...]) -> tuple[Object, ...]:
    """The objects in an executable."""
    return tuple(read(one.data, one.at) for one in found)
