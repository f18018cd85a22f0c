"""/etc/ld.so.cache: where glibc's loader finds a library by its name. Looked up as the loader does, piece by piece.

The format is that of glibc since 2.2 (sysdeps/generic/dl-cache.h, struct cache_file_new), which also follows an older
one in the same file; entries are in descending order of their names, numbers in them compared as numbers
(elf/dl-cache.c, _dl_cache_libcmp).
"""

from __future__ import annotations

import re
import struct
from typing import BinaryIO

from kdiag.parse.errors import ParseError

_MAGIC, _OLD_MAGIC = b"glibc-ld.so.cache1.1", b"ld.so-1.7.0\0"
_HEADER, _OLD_ENTRY = 48, 12
_ENTRIES, _STRING = 200_000, 1024


def lookup(handle: BinaryIO, soname: str) -> tuple[str, ...]:
    """The paths that the cache has for a name, in its order; several where libraries of several kinds are there.

    Raises ParseError.
    """
    base, order, count = _header(handle)
    entry = struct.Struct(f"{order}iIII")

    def at(index: int) -> tuple[str, int]:
        place = base + _HEADER + index * 24
        _, key, value, _ = entry.unpack(_read(handle, place, entry.size))
        return _string(handle, base + key), base + value

    low, high, wanted = 0, count, _key(soname)
    while low < high:
        middle = (low + high) // 2
        if _key(at(middle)[0]) > wanted:
            low = middle + 1
        else:
            high = middle
    found: list[str] = []
    while low < count and len(found) < 16:
        name, value = at(low)
        if name != soname:
            break
        found.append(_string(handle, value))
        low += 1
    return tuple(found)


def _header(handle: BinaryIO) -> tuple[int, str, int]:
    """Where the newer format begins, its byte order, and how many entries it has."""
    base = 0
    if _read(handle, 0, len(_OLD_MAGIC)) == _OLD_MAGIC:
        (old,) = struct.unpack("=I", _read(handle, len(_OLD_MAGIC), 4))
        base = (len(_OLD_MAGIC) + 4 + old * _OLD_ENTRY + 7) & ~7
    head = _read(handle, base, _HEADER)
    if head[: len(_MAGIC)] != _MAGIC:
        raise ParseError("not a loader's cache of glibc 2.2 or newer", base)
    # The byte of flags says the order since 2.33: 2 little, 3 big; before, it is that of whoever wrote it.
    order = {2: "<", 3: ">"}.get(head[28] & 3, "=")
    (count,) = struct.unpack_from(f"{order}I", head, 20)
    if count > _ENTRIES:
        raise ParseError(f"{count} entries", base + 20)
    return base, order, count


def _key(name: str) -> tuple[tuple[int, int | str], ...]:
    """Numbers as numbers; and a digit is after any other character, as _dl_cache_libcmp has it."""
    parts = re.findall(r"\d+|\D", name)
    return tuple((1, int(part)) if part.isdigit() else (0, part) for part in parts)


def _string(handle: BinaryIO, place: int) -> str:
    return _read(handle, place, _STRING, exact=False).partition(b"\0")[0].decode("utf-8", "replace")


def _read(handle: BinaryIO, place: int, size: int, *, exact: bool = True) -> bytes:
    try:
        handle.seek(place)
        data = handle.read(size)
    except (OSError, ValueError, OverflowError) as error:
        raise ParseError(f"cannot read {size} bytes: {error}", place) from None
    if exact and len(data) < size:
        raise ParseError("the loader's cache ends early", place)
    return data
