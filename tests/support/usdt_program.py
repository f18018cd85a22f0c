"""ELF files with symbol tables and the notes of USDT probes, made for tests."""

from __future__ import annotations

import struct

#: (name, address, defined in the file)
Functions = tuple[tuple[str, int, bool], ...]


def note(provider: str, name: str, address: int, semaphore: int = 0, arguments: str = "") -> bytes:
    """A note of sys/sdt.h."""
    desc = struct.pack("<QQQ", address, 0, semaphore)
    desc += b"".join(text.encode() + b"\0" for text in (provider, name, arguments))
    padded = desc + bytes(-len(desc) % 4)
    return struct.pack("<III", 8, len(desc), 3) + b"stapsdt\0" + padded


def program(
    symtab: Functions = (),
    dynsym: Functions = (),
    notes: bytes = b"",
    build_id: bytes = b"",
    dwarf: bool = False,
) -> bytes:
    """A program of 64 bits."""
    sections: list[tuple[str, int, bytes]] = []
    for name, strings, functions in ((".symtab", ".strtab", symtab), (".dynsym", ".dynstr", dynsym)):
        if functions:
            sections += [(name, 2, _rows(functions)), (strings, 3, _names(functions))]
    if notes:
        sections.append((".note.stapsdt", 7, notes))
    if build_id:
        sections.append(
            (".note.gnu.build-id", 7, struct.pack("<III", 4, len(build_id), 3) + b"GNU\0" + build_id)
        )
    if dwarf:
        sections.append((".debug_info", 1, b"\1"))
    sections.append((".shstrtab", 3, b""))
    table = b"\0" + b"".join(name.encode() + b"\0" for name, _, _ in sections)
    sections[-1] = (".shstrtab", 3, table)
    body, headers = b"", bytes(64)
    for name, kind, content in sections:
        at = table.index(name.encode() + b"\0")
        headers += struct.pack("<IIQQQQIIQQ", at, kind, 0, 0, 64 + len(body), len(content), 0, 0, 1, 0)
        body += content
    head = b"\x7fELF\2\1\1" + bytes(9)
    count = len(sections)
    where = (64 + len(body), 0, 64, 0, 0, 64, count + 1, count)
    head += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, *where)
    return head + body + headers


def _names(functions: Functions) -> bytes:
    return b"\0" + b"".join(name.encode() + b"\0" for name, _, _ in functions)


def _rows(functions: Functions) -> bytes:
    strings = _names(functions)
    rows = bytes(24)
    for name, address, inside in functions:
        rows += struct.pack("<IBBHQQ", strings.index(name.encode() + b"\0"), 2, 0, int(inside), address, 16)
    return rows
