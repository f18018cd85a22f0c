"""Programs and libraries as far as their loader reads them, and the cache of glibc's loader."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable

GLIBC = "/lib64/ld-linux-x86-64.so.2"
_NEEDED, _STRTAB, _RPATH, _RUNPATH = 1, 5, 15, 29
_BASE = 0x400000


def elf(
    *needed: str,
    runpath: str = "",
    rpath: str = "",
    interpreter: str = GLIBC,
    bits: int = 64,
    order: str = "<",
    machine: int = 62,
) -> bytes:
    """An ELF file that needs these libraries; with no interpreter it is a library, with nothing at all a static one."""
    wide = bits == 64
    head, entry = (64, 56) if wide else (52, 32)
    strings = b"\0"
    tags: list[tuple[int, int]] = []
    for tag, text in [*((_NEEDED, n) for n in needed), (_RUNPATH, runpath), (_RPATH, rpath)]:
        if text:
            tags.append((tag, len(strings)))
            strings += text.encode() + b"\0"
    named = interpreter.encode() + b"\0" if interpreter else b""
    at_named = head + 3 * entry
    at_strings = at_named + len(named)
    at_dynamic = at_strings + len(strings)
    tags += [(_STRTAB, _BASE + at_strings), (0, 0)] if tags else []
    table = b"".join(struct.pack(f"{order}{'qQ' if wide else 'iI'}", *tag) for tag in tags)
    end = at_dynamic + len(table)

    def part(kind: int, offset: int, size: int) -> bytes:
        where = (offset, _BASE + offset, _BASE + offset, size, size)
        if wide:
            return struct.pack(f"{order}IIQQQQQQ", kind, 4, *where, 8)
        return struct.pack(f"{order}IIIIIIII", kind, *where, 4, 8)

    parts = [part(1, 0, end)]
    if named:
        parts.append(part(3, at_named, len(named)))
    if tags:
        parts.append(part(2, at_dynamic, len(table)))
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    fields = (3, machine, 1, 0, head, 0, 0, head, entry, len(parts), 0, 0, 0)
    header = ident + struct.pack(f"{order}HHI{'QQQ' if wide else 'III'}IHHHHHH", *fields)
    return header + b"".join(parts).ljust(3 * entry, b"\0") + named + strings + table


def cache(entries: Iterable[tuple[str, str]], *, order: str = "<") -> bytes:
    """/etc/ld.so.cache of glibc 2.33 or newer with (name, path) in the order of those who wrote it."""

    def key(name: str) -> list[tuple[int, int | str]]:
        return [
            (1, int(part)) if part.isdigit() else (0, part) for part in re.findall(r"[0-9]+|[^0-9]", name)
        ]

    listed = sorted(entries, key=lambda pair: key(pair[0]), reverse=True)
    start = 48 + 24 * len(listed)
    strings, rows = b"", b""
    for name, path in listed:
        rows += struct.pack(
            f"{order}iIIIQ", 0x303, start + len(strings), start + len(strings) + len(name) + 1, 0, 0
        )
        strings += name.encode() + b"\0" + path.encode() + b"\0"
    header = b"glibc-ld.so.cache1.1" + struct.pack(f"{order}II", len(listed), len(strings))
    return header + bytes([2 if order == "<" else 3]) + bytes(19) + rows + strings
