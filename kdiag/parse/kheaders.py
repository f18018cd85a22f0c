"""The kernel headers archive of IKHEADERS kernels: /sys/kernel/kheaders.tar.xz, or the same bytes in
kheaders.ko.

kernel/gen_kheaders.sh of the kernel's source makes it: an xz-compressed tar, members sorted by name, `*.h`
below include/ and arch/ARCH/include. Three questions at three prices (6.12: 4.3 MB packed, 34 MB unpacked):
`peek` looks at the packed ends only, `quick` unpacks as much as the answer needs, `inspect` reads
everything. Nothing is extracted.
"""

from __future__ import annotations

import re
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING, NamedTuple

from kdiag.parse import compression, elf, tarstream, utsrelease
from kdiag.parse.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterator

XZ_MAGIC = b"\xfd7zXZ\x00"
_ARCHIVE_LIMIT = 512 << 20  # unpacked; 6.12's has 34 MB
_SCAN_TRIES = 64  # the kernel's own xz unpacker holds the magic number too, and firmware may
_QUICK_BUDGET = 16 << 20
_QUICK_STEP = 256 << 10

_VERSION = "include/generated/uapi/linux/version.h"
_READ = frozenset((utsrelease.PATH, _VERSION))
_KCONFIG, _AUTOCONF, _TYPES = (
    "include/linux/kconfig.h",
    "include/generated/autoconf.h",
    "include/linux/types.h",
)
_NOTED = frozenset((_KCONFIG, _AUTOCONF, _TYPES))


class Peek(NamedTuple):
    """What the packed archive alone shows: sizes in bytes, of the xz stream and of the tar inside."""

    compressed: int
    uncompressed: int


class ArchiveInfo(NamedTuple):
    """What is in the archive.

    `whole` says whether all of it was read. If not, None means "not seen so far", the numbers count what
    was read, and `archs` may lack some. If it is True, None for `release` or `version_code` means that the
    archive does not say.

    `archs`: the entries below arch/ (`x86`, `arm64`: the kernel's source names). `release`: UTS_RELEASE.
    `version_code`: LINUX_VERSION_CODE. `size`: bytes of all files. `unsafe`: names or link targets that
    would leave the directory when extracted, at most ten of them.
    """

    whole: bool
    members: int
    files: int
    dirs: int
    links: int
    others: int
    size: int
    archs: tuple[str, ...]
    release: str | None
    version_code: int | None
    kconfig_h: bool | None
    autoconf_h: bool | None
    types_h: bool | None
    unsafe: tuple[str, ...]


def from_module(data: bytes) -> bytes:
    """The archive inside an unpacked kheaders.ko, or inside a vmlinux with IKHEADERS=y.

    Its ends are the symbols that kernel/kheaders.c declares; without a symbol table the xz streams in the
    file are tried. ParseError when there is none.
    """
    found = None
    if data.startswith(b"\x7fELF"):
        found = elf.symbol_bytes(data, "kernel_headers_data", "kernel_headers_data_end")
    if found is not None:
        if not found.startswith(XZ_MAGIC):
            raise ParseError("what the symbol kernel_headers_data points to is not xz data")
        return found
    at = data.find(XZ_MAGIC)
    for _ in range(_SCAN_TRIES):
        if at < 0:
            break
        if size := _xz_tar_size(data, at):
            return data[at : at + size]
        at = data.find(XZ_MAGIC, at + 1)
    raise ParseError("no kernel headers archive inside: neither its symbols nor an xz-compressed tar")


def peek(archive: bytes) -> Peek:
    """Sizes from the xz footer and index, without unpacking (the xz file format, sections 2.1 and 4).

    ParseError when it is not one whole xz stream; damage inside is not noticed.
    """
    if not archive.startswith(XZ_MAGIC):
        raise ParseError("not an xz archive: no magic number", 0)
    end = len(archive)
    if end < 32 or archive[-2:] != b"YZ":
        raise ParseError("the xz archive ends early: no footer", end)
    footer = archive[-12:]
    index_size = (int.from_bytes(footer[4:8], "little") + 1) * 4
    index = archive[max(end - 12 - index_size, 0) : end - 12]
    if _crc(footer[4:10]) != footer[:4] or index[:1] != b"\0" or _crc(index[:-4]) != index[-4:]:
        raise ParseError("the xz archive is damaged: bad footer or index", end - 12)
    records, at = _xz_number(index, 1)
    packed = unpacked = 0
    for _ in range(min(records, len(index))):
        block, at = _xz_number(index, at)
        size, at = _xz_number(index, at)
        packed += (block + 3) & ~3
        unpacked += size
    if 12 + packed + index_size + 12 != end:
        raise ParseError(
            f"not one whole xz stream: its parts add up to {24 + packed + index_size} of {end} bytes"
        )
    return Peek(end, unpacked)


def inspect(archive: bytes, *, limit: int = _ARCHIVE_LIMIT) -> ArchiveInfo:
    """Read the whole archive, which also checks it: ParseError for damage, for hostile tar headers and for
    more than `limit` bytes unpacked.
    """
    return _inspect(compression.stream(archive, limit=limit), None)


def quick(archive: bytes, *, budget: int = _QUICK_BUDGET) -> ArchiveInfo:
    """Unpack until architecture, release and version code are known, at most about `budget` bytes.

    The first member below arch/ comes at once (a budget of 64 KiB tells the architecture); include/generated/
    at about 8 of 34 MB. Damage further on is not noticed.
    """
    step = max(1, min(_QUICK_STEP, budget))
    return _inspect(compression.stream(archive, limit=_ARCHIVE_LIMIT, chunk=step), budget)


def _inspect(pieces: Iterator[bytes], budget: int | None) -> ArchiveInfo:
    """Count and note the members; with a budget, stop there or as soon as the release is known."""
    tape = tarstream.Tape(pieces)
    counts = {"file": 0, "dir": 0, "link": 0, "other": 0}
    noted: set[str] = set()
    archs: dict[str, None] = {}
    texts: dict[str, bytes] = {}
    unsafe: list[str] = []
    size = 0
    whole = True
    for member in tarstream.members(tape, _READ):
        name = member.name
        counts[member.kind] += 1
        size += member.size
        if name in _NOTED and member.kind == "file":
            noted.add(name)
        if member.text is not None:
            texts[name] = member.text
        if name.startswith("arch/") and (member.kind == "dir" or name.count("/") > 1):
            archs.setdefault(name.split("/", 2)[1])
        if (member.target or ".." in name or name.startswith("/")) and len(unsafe) < 10 and _leaves(member):
            unsafe.append(f"{name} -> {member.target}" if member.target else name)
        if budget is not None and (len(texts) == len(_READ) or tape.position >= budget):
            whole = False
            break
    else:
        tape.drain()
    unseen = False if whole else None
    return ArchiveInfo(
        whole=whole,
        members=sum(counts.values()),
        files=counts["file"],
        dirs=counts["dir"],
        links=counts["link"],
        others=counts["other"],
        size=size,
        archs=tuple(archs),
        release=utsrelease.release(texts.get(utsrelease.PATH, b"")),
        version_code=_version_code(texts.get(_VERSION, b"")),
        kconfig_h=_KCONFIG in noted or unseen,
        autoconf_h=_AUTOCONF in noted or unseen,
        types_h=_TYPES in noted or unseen,
        unsafe=tuple(unsafe),
    )


def _version_code(text: bytes) -> int | None:
    found = re.search(rb"^\s*#\s*define\s+LINUX_VERSION_CODE\s+(\d{1,10})\b", text, re.MULTILINE)
    return int(found[1]) if found else None


def _leaves(member: tarstream.Member) -> bool:
    """Would this member, or what it links to, lie outside the directory that the archive is extracted to?"""
    places = [member.name]
    if member.target:
        places.append(member.target if member.hard else join(dirname(member.name), member.target))
    return any(place.startswith("/") or f"{normpath(place)}/".startswith("../") for place in places)


def _crc(data: bytes) -> bytes:
    import zlib

    return zlib.crc32(data).to_bytes(4, "little")


def _xz_number(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer of the xz format (its section 1.2) and the position after it."""
    value = 0
    for shift in range(0, 63, 7):
        if at >= len(data):
            break
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
    raise ParseError("the xz archive is damaged: bad number in its index")


def _xz_tar_size(data: bytes, at: int) -> int | None:
    """Length of the xz stream that starts there if it unpacks without error and holds a tar; None if not."""
    import lzma

    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=256 << 20)
    view = memoryview(data)
    start, made = at, 0
    try:
        while not unpacker.eof:
            piece = b""
            if unpacker.needs_input:
                piece = bytes(view[at : at + (64 << 10)])
                at += len(piece)
                if not piece:
                    return None
            output = unpacker.decompress(piece, 1 << 20)
            if output and not made and output[257:262] != b"ustar":
                return None
            made += len(output)
            if made > _ARCHIVE_LIMIT:
                return None
    except (lzma.LZMAError, EOFError, MemoryError):
        return None
    return at - len(unpacker.unused_data) - start
