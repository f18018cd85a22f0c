"""What a dynamically linked ELF file asks of its loader: libraries by name, where to look first, and which loader.

A few small pieces of a large file are read, from the open file: its header, its program headers, its dynamic section
and the strings that this names. Nothing is executed, as ldd(1) would.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, NamedTuple

from kdiag.parse.elf import machine
from kdiag.parse.errors import ParseError

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 5, 14, 15, 29
_HEADERS, _DYNAMIC, _STRING = 200, 65536, 1024


class Dynamic(NamedTuple):
    """needed: sonames, in order; empty and `interpreter` empty for a static program. bits and machine as in ElfIdent.

    paths: of DT_RUNPATH, or of DT_RPATH where there is none; `$ORIGIN` is not replaced.
    """

    bits: int
    machine: str
    needed: tuple[str, ...]
    paths: tuple[str, ...]
    interpreter: str


def dynamic(handle: BinaryIO) -> Dynamic:
    """The dynamic section of an open ELF file. Raises ParseError."""
    head = _at(handle, 0, 64)
    ident = machine(head)
    order, wide = "<" if ident.byteorder == "little" else ">", ident.bits == 64
    if len(head) < (64 if wide else 52):
        raise ParseError("the ELF header ends early", len(head))
    (start,) = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", head, 32 if wide else 28)
    size, count = struct.unpack_from(f"{order}HH", head, 54 if wide else 42)
    shape = struct.Struct(f"{order}{'IIQQQQQQ' if wide else 'IIIIIIII'}")
    if not 0 < count <= _HEADERS or size < shape.size:
        raise ParseError(f"{count} program headers of {size} bytes")
    loaded: list[tuple[int, int, int]] = []
    pieces: dict[int, tuple[int, int]] = {}
    table = _at(handle, start, size * count)
    for at in range(0, len(table) - shape.size + 1, size):
        fields = shape.unpack_from(table, at)
        kind = fields[0]
        offset, address, length = (fields[i] for i in ((2, 3, 5) if wide else (1, 2, 4)))
        if kind == _PT_LOAD:
            loaded.append((address, offset, length))
        elif kind in (_PT_DYNAMIC, _PT_INTERP):
            pieces[kind] = (offset, length)
    interpreter = ""
    if _PT_INTERP in pieces:
        offset, length = pieces[_PT_INTERP]
        interpreter = _text(_at(handle, offset, min(length, _STRING)))
    entries = _entries(handle, pieces.get(_PT_DYNAMIC, (0, 0)), f"{order}{'qQ' if wide else 'iI'}")
    strings = next((value for tag, value in entries if tag == _DT_STRTAB), None)

    def named(tag: int) -> tuple[str, ...]:
        if strings is None:
            return ()
        where = _offset(loaded, strings)
        return tuple(_text(_at(handle, where + value, _STRING)) for at, value in entries if at == tag)

    paths = named(_DT_RUNPATH) or named(_DT_RPATH)
    directories = tuple(path for one in paths for path in one.split(":") if path)
    return Dynamic(ident.bits, ident.machine, named(_DT_NEEDED), directories, interpreter)


def _entries(handle: BinaryIO, piece: tuple[int, int], shape: str) -> list[tuple[int, int]]:
    offset, length = piece
    if length > _DYNAMIC:
        raise ParseError(f"a dynamic section of {length} bytes", offset)
    data = _at(handle, offset, length)
    pair = struct.Struct(shape)
    return [pair.unpack_from(data, at) for at in range(0, len(data) - pair.size + 1, pair.size)]


def _offset(loaded: list[tuple[int, int, int]], address: int) -> int:
    for start, offset, length in loaded:
        if start <= address < start + length:
            return offset + address - start
    raise ParseError(f"no part of the file is loaded at {address:#x}")


def _at(handle: BinaryIO, offset: int, size: int) -> bytes:
    try:
        handle.seek(offset)
        return handle.read(size) if size else b""
    except (OSError, ValueError, OverflowError) as error:
        raise ParseError(f"cannot read {size} bytes: {error}", offset) from None


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "replace")
