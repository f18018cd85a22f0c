"""The rpm header: the record of one installed package, as every rpm database stores it.

Format: rpm docs/manual/format_header.md, limits as in lib/header.cc. In a database there is no magic in
front: two big-endian numbers (index entries, bytes of data), the index, the data.
"""

from __future__ import annotations

import struct

from kdiag.parse.errors import ParseError
from kdiag.parse.packages import Package

_NAME, _VERSION, _RELEASE, _EPOCH, _INSTALL_TIME, _ARCH = 1000, 1001, 1002, 1003, 1008, 1022
_PROVIDE_NAME, _PROVIDE_FLAGS, _PROVIDE_VERSION = 1047, 1112, 1113
_TAGS = frozenset(
    {_NAME, _VERSION, _RELEASE, _EPOCH, _INSTALL_TIME, _ARCH, _PROVIDE_NAME, _PROVIDE_FLAGS, _PROVIDE_VERSION}
)

_INT32, _STRING, _STRING_ARRAY, _I18N_STRING = 4, 6, 8, 9

_MAX_ENTRIES = 0xFFFF
_MAX_DATA = 0x0FFFFFFF

#: RPMSENSE_LESS, _GREATER and _EQUAL
_SENSE = {2: "<", 4: ">", 8: "=", 10: "<=", 12: ">="}

#: Tag to (type, offset in the data, number of values).
_Index = dict[int, tuple[int, int, int]]


def name_in(start: bytes) -> str | None:
    """The package's name from the first bytes of a header; None if more bytes are needed to tell."""
    if len(start) < 8:
        return None
    entries, size = _sizes(start)
    data = 8 + entries * 16
    if len(start) < data:
        return None
    index = _index(start, entries, size)
    _, offset, _ = _entry(index, _NAME, (_STRING, _I18N_STRING))
    end = start.find(b"\0", data + offset)
    if end < 0:
        return None
    return start[data + offset : end].decode("utf-8", "replace")


def package(header: bytes) -> Package:
    """The package of a whole header. Raises ParseError, `offset` being that in the header."""
    if len(header) < 8:
        raise ParseError("rpm header: shorter than its two length fields", 0)
    entries, size = _sizes(header)
    data = 8 + entries * 16
    if len(header) < data + size:
        raise ParseError(f"rpm header: {data + size} bytes announced, {len(header)} there", len(header))
    index = _index(header, entries, size)
    body = header[data : data + size]
    version, release = (_text(body, index, tag) or "" for tag in (_VERSION, _RELEASE))
    epoch = _numbers(body, index, _EPOCH)
    since = _numbers(body, index, _INSTALL_TIME)
    return Package(
        name=_text(body, index, _NAME) or "",
        version=(f"{epoch[0]}:" if epoch else "") + f"{version}-{release}",
        arch=_text(body, index, _ARCH),
        provides=_provides(body, index),
        since=since[0] if since else None,
    )


def _sizes(header: bytes) -> tuple[int, int]:
    entries, size = struct.unpack_from(">II", header)
    if not 0 < entries <= _MAX_ENTRIES or size > _MAX_DATA:
        raise ParseError(f"rpm header: {entries} index entries and {size} bytes of data are not credible", 0)
    return entries, size


def _index(header: bytes, entries: int, size: int) -> _Index:
    index: _Index = {}
    for tag, kind, offset, count in struct.iter_unpack(">IIII", header[8 : 8 + entries * 16]):
        if tag in _TAGS:
            # a value has a byte at least, so more values than bytes are a lie
            if offset > size or count > size or count == 0:
                raise ParseError(f"rpm header: tag {tag} points outside of the data", offset)
            index.setdefault(tag, (kind, offset, count))
    return index


def _entry(index: _Index, tag: int, kinds: tuple[int, ...]) -> tuple[int, int, int]:
    entry = index.get(tag)
    if entry is None:
        raise ParseError(f"rpm header: no tag {tag}")
    if entry[0] not in kinds:
        raise ParseError(f"rpm header: tag {tag} has type {entry[0]}", entry[1])
    return entry


def _strings(body: bytes, index: _Index, tag: int) -> tuple[str, ...]:
    if tag not in index:
        return ()
    _, offset, count = _entry(index, tag, (_STRING, _STRING_ARRAY, _I18N_STRING))
    found: list[str] = []
    for _ in range(count):
        end = body.find(b"\0", offset)
        if end < 0:
            raise ParseError(f"rpm header: tag {tag} has a string without an end", offset)
        found.append(body[offset:end].decode("utf-8", "replace"))
        offset = end + 1
    return tuple(found)


def _text(body: bytes, index: _Index, tag: int) -> str | None:
    if tag == _ARCH and tag in index and index[tag][0] != _STRING:
        return None  # very old packages had a number here
    if tag in (_NAME, _VERSION, _RELEASE) and tag not in index:
        raise ParseError(f"rpm header: no tag {tag}")
    values = _strings(body, index, tag)
    return values[0] if values else None


def _numbers(body: bytes, index: _Index, tag: int) -> tuple[int, ...]:
    if tag not in index:
        return ()
    _, offset, count = _entry(index, tag, (_INT32,))
    if offset + 4 * count > len(body):
        raise ParseError(f"rpm header: tag {tag} points outside of the data", offset)
    return struct.unpack_from(f">{count}I", body, offset)


def _provides(body: bytes, index: _Index) -> tuple[str, ...]:
    """`name = version` as rpm -q --provides prints it; old packages have names alone."""
    names = _strings(body, index, _PROVIDE_NAME)
    versions = _strings(body, index, _PROVIDE_VERSION)
    flags = _numbers(body, index, _PROVIDE_FLAGS)
    if not len(names) == len(versions) == len(flags):
        return names
    return tuple(
        f"{name} {_SENSE[flag & 14]} {version}" if version and flag & 14 in _SENSE else name
        for name, version, flag in zip(names, versions, flags, strict=True)
    )
