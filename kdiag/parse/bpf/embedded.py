"""BPF objects inside executables: a skeleton of bpftool's, and Go's embed, put the whole ELF file into the data."""

from __future__ import annotations

import struct
from typing import NamedTuple

from kdiag.parse.bpf.image import EM_BPF, MAGIC

#: A program has one or two; one that tries to exhaust its reader has more.
MOST = 64
_TRIES = 4096


class Embedded(NamedTuple):
    """An object and where in the file it begins."""

    at: int
    data: bytes


def find(data: bytes) -> tuple[Embedded, ...]:
    """The BPF objects in a file that is none itself, in order: an ELF header of a relocatable 64-bit file for BPF whose
    section headers fit in the file. The end of an object is not written down: it is after the last thing that its
    headers speak of. Looks at so many places that begin like an ELF file, and at no more.
    """
    found: list[Embedded] = []
    at = data.find(MAGIC)
    for _ in range(_TRIES):
        if at < 0 or len(found) == MOST:
            break
        size = _size(data, at)
        if size:
            found.append(Embedded(at, data[at : at + size]))
        at = data.find(MAGIC, at + max(size, 4))
    return tuple(found)


def _size(data: bytes, at: int) -> int:
    """How long the object at a place is, 0 if there is none."""
    if len(data) - at < 64 or data[at + 4] != 2 or data[at + 5] not in (1, 2):
        return 0
    order = "<" if data[at + 5] == 1 else ">"
    kind, machine = struct.unpack_from(f"{order}HH", data, at + 16)
    if (kind, machine) != (1, EM_BPF):
        return 0
    (start,) = struct.unpack_from(f"{order}Q", data, at + 40)
    each, count = struct.unpack_from(f"{order}HH", data, at + 58)
    end = start + each * count
    if not start or each != 64 or at + end > len(data):
        return 0
    for nth in range(count):
        kind, place, size = struct.unpack_from(
            f"{order}4x I 16x QQ".replace(" ", ""), data, at + start + nth * each
        )
        if kind not in (0, 8):
            end = max(end, place + size)
    return end if at + end <= len(data) else 0
