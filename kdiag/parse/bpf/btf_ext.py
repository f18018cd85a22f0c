"""The CO-RE relocations of `.BTF.ext`: struct btf_ext_header, btf_ext_info_sec and bpf_core_relo of libbpf
(src/libbpf_internal.h, include/uapi/linux/bpf.h). Function and line information is passed over.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from kdiag.parse.bpf.image import Image
from kdiag.parse.bpf.instructions import SIZE

_MAGIC = 0xEB9F
_HEADER, _WITH_RELOCATIONS = 24, 32
_RECORD = 16
_MOST = 200_000


class CoreKind(IntEnum):
    """enum bpf_core_relo_kind."""

    FIELD_BYTE_OFFSET = 0
    FIELD_BYTE_SIZE = 1
    FIELD_EXISTS = 2
    FIELD_SIGNED = 3
    FIELD_LSHIFT_U64 = 4
    FIELD_RSHIFT_U64 = 5
    TYPE_ID_LOCAL = 6
    TYPE_ID_TARGET = 7
    TYPE_EXISTS = 8
    TYPE_SIZE = 9
    ENUMVAL_EXISTS = 10
    ENUMVAL_VALUE = 11
    TYPE_MATCHES = 12

    @property
    def of_field(self) -> bool:
        """Whether it is about a field."""
        return self <= CoreKind.FIELD_RSHIFT_U64

    @property
    def of_enumerator(self) -> bool:
        """Whether it is about a constant of an enum."""
        return self in (CoreKind.ENUMVAL_EXISTS, CoreKind.ENUMVAL_VALUE)

    @property
    def asks(self) -> bool:
        """Whether the program asks if a thing is there, and goes another way if it is not."""
        return self in _QUESTIONS


_QUESTIONS = (CoreKind.FIELD_EXISTS, CoreKind.TYPE_EXISTS, CoreKind.ENUMVAL_EXISTS, CoreKind.TYPE_MATCHES)


class CoreRelocation(NamedTuple):
    """A relocation. section: its name; instruction: counted from the section's start; type_id: of the object's own
    BTF; access: such as `0:1:2`; kind: a CoreKind, or a number that kdiag does not know.
    """

    section: str
    instruction: int
    type_id: int
    access: str
    kind: int


def core_relocations(image: Image) -> tuple[CoreRelocation, ...]:
    """All of them, in order. Raises ParseError with the offset in the file."""
    ext, btf = image.named(".BTF.ext"), image.named(".BTF")
    if ext is None or btf is None or not ext.size:
        return ()
    data, at = image.content(ext), ext.at
    if len(data) < _HEADER:
        raise image.error(f".BTF.ext: {len(data)} bytes, a header has at least {_HEADER}", at)
    magic, version, _, length = struct.unpack_from(f"{image.order}HBBI", data)
    if magic != _MAGIC or version != 1:
        raise image.error(
            f".BTF.ext: begins with {magic:#06x} and version {version}, not {_MAGIC:#06x} and 1", at
        )
    if length < _HEADER or length > len(data):
        raise image.error(f".BTF.ext: a header of {length} bytes in a section of {len(data)}", at + 4)
    if length < _WITH_RELOCATIONS:
        return ()
    offset, size = struct.unpack_from(f"{image.order}II", data, _HEADER)
    if not size:
        return ()
    begin, end = length + offset, length + offset + size
    if end > len(data) or size < 4:
        raise image.error(
            f".BTF.ext: relocations at {begin}-{end} of a section of {len(data)} bytes", at + _HEADER
        )
    return tuple(_records(image, data[:end], begin, _strings(image)))


def _strings(image: Image) -> tuple[int, int]:
    """Where the strings of the object's BTF are in the file: names of sections, and ways to fields."""
    btf = image.named(".BTF")
    if btf is None or btf.size < _HEADER:
        raise image.error(".BTF is shorter than its header", btf.at if btf else 0)
    (length,) = struct.unpack_from(f"{image.order}I", image.data, btf.at + 4)
    offset, size = struct.unpack_from(f"{image.order}II", image.data, btf.at + 16)
    begin = btf.at + length + offset
    if begin + size > btf.at + btf.size:
        raise image.error(".BTF: its strings reach beyond its end", btf.at + 16)
    return begin, begin + size


def _records(image: Image, data: bytes, at: int, strings: tuple[int, int]) -> list[CoreRelocation]:
    base = (image.named(".BTF.ext") or image.sections[0]).at
    (each,) = struct.unpack_from(f"{image.order}I", data, at)
    if each < _RECORD or each > len(data):
        raise image.error(f".BTF.ext: relocations of {each} bytes, they have {_RECORD}", base + at)
    head, record = struct.Struct(f"{image.order}II"), struct.Struct(f"{image.order}IIII")
    found: list[CoreRelocation] = []
    at += 4
    while at < len(data):
        if at + head.size > len(data):
            raise image.error(".BTF.ext: ends within the head of a section's relocations", base + at)
        name, count = head.unpack_from(data, at)
        at += head.size
        if at + count * each > len(data) or len(found) + count > _MOST:
            raise image.error(f".BTF.ext: {count} relocations do not fit", base + at)
        section = image.text(strings, name)
        for _ in range(count):
            place, type_id, access, kind = record.unpack_from(data, at)
            if place % SIZE:
                raise image.error(
                    f".BTF.ext: a relocation for byte {place}, where no instruction begins", base + at
                )
            known = CoreKind(kind) if kind <= CoreKind.TYPE_MATCHES else kind
            found.append(CoreRelocation(section, place // SIZE, type_id, image.text(strings, access), known))
            at += each
    return found
