"""USDT probes of a program: the notes of SystemTap's sys/sdt.h in `.note.stapsdt`, as its wiki describes them
(https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from kdiag.parse.btf.sections import content, sections
from kdiag.parse.elf import machine, notes
from kdiag.parse.errors import ParseError

if TYPE_CHECKING:
    from kdiag.parse.elf import ElfIdent

_SECTION = ".note.stapsdt"
_STAPSDT = 3
#: libjvm.so has 700 probes in 60 kB.
_LIMIT = 16 * 1024 * 1024
_LONGEST = 512


class Probe(NamedTuple):
    """A place of a probe. address: as the file says; semaphore: its address, 0 without one; arguments: as the note
    writes them, `8@%rdi -4@$1`.
    """

    provider: str
    name: str
    address: int
    semaphore: int
    arguments: tuple[str, ...]


def probes(file: BinaryIO) -> tuple[Probe, ...]:
    """All places of all probes, none where the program has none. Raises ParseError for a damaged file, OSError."""
    file.seek(0)
    ident = machine(file.read(64))
    section = next((one for one in sections(file) if one.name == _SECTION), None)
    if section is None:
        return ()
    found = notes(content(file, section, _LIMIT), ident.byteorder)
    return tuple(_probe(ident, one.desc) for one in found if one.name == "stapsdt" and one.type == _STAPSDT)


def _probe(ident: ElfIdent, desc: bytes) -> Probe:
    width = ident.bits // 8
    texts = desc[3 * width :].split(b"\0")
    if len(texts) < 3:
        raise ParseError("a note of a USDT probe without its three texts")
    address, _, semaphore = (
        int.from_bytes(desc[at : at + width], ident.byteorder) for at in (0, width, 2 * width)
    )
    provider, name, arguments = (text[:_LONGEST].decode("utf-8", "replace") for text in texts[:3])
    return Probe(provider, name, address, semaphore, tuple(arguments.split()))
