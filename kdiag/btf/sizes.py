"""What BTF takes, by kind; what it saves by having each name once; and what the same kernel's DWARF takes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from kdiag.parse.btf.kinds import SHAPES, Kind, info_kind, info_vlen
from kdiag.parse.btf.sections import content, sections
from kdiag.parse.elf import build_id_from_notes
from kdiag.parse.errors import ParseError
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from kdiag.btf.sources import Source
    from kdiag.parse.btf.value import Btf
    from kdiag.system import System


#: What is raised for a file that is not what it claims to be.
Damaged = ParseError
_NOTES = (".notes", ".note.gnu.build-id")
_NOTES_LIMIT = 1 << 20
#: The sections that are about source lines (DWARF 5, 6.2).
LINES = (".debug_line", ".debug_line_str")


class KindSize(NamedTuple):
    """The types of one kind: how many, their elements (members, constants, parameters), and their bytes."""

    kind: str
    types: int
    elements: int
    size: int


class Names(NamedTuple):
    """The string section: its strings and bytes, how often types refer to one, and what that would take unshared."""

    strings: int
    size: int
    references: int
    unshared: int


class Part(NamedTuple):
    """A module's BTF: its name and bytes."""

    name: str
    size: int


class DebugSection(NamedTuple):
    """A section of DWARF: its bytes when it is unpacked, and in the file."""

    name: str
    size: int
    stored: int


class Debug(NamedTuple):
    """Debug information of the same kernel in a file; units: its compile units, 0 where they cannot be counted."""

    place: str
    sections: tuple[DebugSection, ...]
    units: int

    @property
    def size(self) -> int:
        """All of it, unpacked."""
        return sum(one.size for one in self.sections)

    def of(self, *names: str) -> int:
        """The bytes of these sections."""
        return sum(one.size for one in self.sections if one.name in names)


class Sizes(NamedTuple):
    """All of it. other: bytes of the header and of a layout section."""

    place: str
    size: int
    other: int
    kinds: tuple[KindSize, ...]
    names: Names
    modules: tuple[Part, ...]


def measure(source: Source) -> Sizes:
    """The sizes of a source's BTF, and of its modules'."""
    btf = source.main.btf
    kinds = sorted(_kinds(btf), key=lambda one: -one.size)
    names = _names(btf)
    types = btf.type_section[1] - btf.type_section[0]
    return Sizes(
        source.main.place,
        btf.size,
        btf.size - types - names.size,
        tuple(kinds),
        names,
        tuple(_modules(source)),
    )


def _modules(source: Source) -> Iterator[Part]:
    for name in source.modules():
        size = source.module_size(name)
        if size is not None:
            yield Part(name, size)


def _kinds(btf: Btf) -> Iterator[KindSize]:
    infos = Counter(map(btf.records.words.__getitem__, btf.records.infos_at))
    found: dict[int, list[int]] = {}
    for info, count in infos.items():
        kind, shape = info_kind(info), SHAPES.get(info_kind(info))
        if shape is None:
            continue
        elements = info_vlen(info) if shape.element else 0
        size = 4 * (len(shape.fixed) + elements * len(shape.element))
        row = found.setdefault(kind, [0, 0, 0])
        row[0] += count
        row[1] += count * elements
        row[2] += count * size
    for kind, row in found.items():
        yield KindSize(Kind(kind).name.lower(), *row)


def _names(btf: Btf) -> Names:
    begin, end = btf.string_section
    used = Counter(_references(btf))
    del used[0]
    unshared = sum(
        (len(btf.text(offset).encode("utf-8", "surrogateescape")) + 1) * n for offset, n in used.items()
    )
    return Names(max(0, btf.data.count(b"\0", begin, end) - 1), end - begin, used.total(), unshared)


def _references(btf: Btf) -> Iterator[int]:
    """The name offsets in all records: one a record, and one an element of most kinds that have elements."""
    words = btf.records.words
    for at in btf.records.infos_at:
        yield words[at - 1]
        info = words[at]
        shape = SHAPES.get(info_kind(info))
        place = -1 if shape is None else max(shape.element.find("o"), shape.element.find("i"))
        if shape is not None and place >= 0:
            start, step = at - 1 + len(shape.fixed) + place, len(shape.element)
            yield from words[start : start + step * info_vlen(info) : step]


def debug_in(file: BinaryIO, place: str, build: str = "") -> Debug | None:
    """The debug information in an open ELF file, None for a file without, or of another build than this one's id.
    Raises ParseError, OSError.
    """
    every = sections(file)
    found = [one for one in every if one.name.startswith(".debug_")]
    if not any(one.name == ".debug_info" for one in found):
        return None
    notes = [one for one in every if one.name in _NOTES and not one.compressed]
    ids = {build_id_from_notes(content(file, one, _NOTES_LIMIT)) for one in notes} - {None}
    if build and ids and build not in ids:
        return None
    info = next(one for one in found if one.name == ".debug_info")
    units = 0 if info.compressed else _units(file, info.at, info.size)
    return Debug(place, tuple(DebugSection(one.name, one.full, one.size) for one in found), units)


def build_id(system: System) -> str:
    """The GNU build id of the running kernel, "" where it cannot be known."""
    try:
        data = system.read("/sys/kernel/notes", 65536)
        return (build_id_from_notes(data) if data else None) or ""
    except (Unavailable, ParseError):
        return ""


def _units(file: BinaryIO, at: int, size: int) -> int:
    """The units in a .debug_info section: each begins with its length (DWARF 5, 7.4). 0 if they do not fit."""
    end, count = at + size, 0
    while at + 4 <= end:
        file.seek(at)
        length, head = int.from_bytes(file.read(4), "little"), 4
        if length == 0xFFFFFFFF:
            length, head = int.from_bytes(file.read(8), "little"), 12
        at += head + length
        count += 1
        if not length or count > 1_000_000:
            return 0
    return count if at == end else 0
