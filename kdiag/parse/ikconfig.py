"""The configuration that a kernel built with IKCONFIG carries, recovered from its image or from configs.ko.

kernel/configs.c puts the gzipped text between the markers IKCFG_ST and IKCFG_ED; scripts/extract-ikconfig
finds it by them. The image around it may be compressed: x86 bzImage, EFI zboot, Image.gz and the like are
unpacked first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kdiag.parse import compression
from kdiag.parse.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_START = b"IKCFG_ST\x1f\x8b\x08"  # the marker and the gzip header right behind it
_BANNER = re.compile(rb"Linux version ([0-9]+\.[0-9][^ \0]{0,100}) \(")
_OVERLAP = 256  # kept from one piece to the next, so that a marker or banner across the cut is seen
_CONFIG_LIMIT = 16 << 20
_KERNEL_LIMIT = 512 << 20

# Where the x86 boot protocol (Documentation/arch/x86/boot.rst) puts its fields.
_SETUP_SECTS, _HDRS, _VERSION, _KERNEL_VERSION, _PAYLOAD = 0x1F1, 0x202, 0x206, 0x20E, 0x248

_COMPRESSED = re.compile(
    rb"\x1f\x8b\x08|\xfd7zXZ\x00|\x28\xb5\x2f\xfd|\x02\x21\x4c\x18|BZh[1-9]1AY&SY"
    rb"|\x5d\x00\x00[\x00-\xff][\x00-\x08]\xff{8}"  # lzma of unknown size, as it comes out of a pipe
)
_SCAN_TRIES = 64
_SCAN_PROOF = 256 << 10  # a hit that unpacks to less is an accident or the initramfs of a small image


def recover(data: bytes) -> bytes | None:
    """The configuration's text from a kernel image (packed or not) or a module (packed or not).

    None when the whole of a kernel or module was looked through and no configuration is in it. ParseError
    when the file is damaged, is packed in a way that cannot be read, or is no kernel or module at all.
    """
    seen: list[str] = []
    damage: ParseError | None = None
    for kernel in kernels(data):
        try:
            found = _find_config(_noting(kernel, seen))
        except ParseError as error:
            damage = damage or error
            continue
        if found is not None or "module" in seen:
            return found
    if damage:
        raise damage
    if not seen:
        raise ParseError("neither a kernel image nor a module: no banner and no module header, packed or not")
    return None


def image_release(data: bytes) -> str | None:
    """The release (as `uname -r` prints it) of a kernel image, from a bzImage's header or from the banner
    "Linux version ..." of the unpacked kernel; None when there is none. ParseError when unpacking fails.
    """
    if release := _bzimage_release(data):
        return release
    return next((release for kernel in kernels(data) if (release := _find_release(kernel))), None)


def kernels(data: bytes) -> Iterator[Iterable[bytes]]:
    """What may be the unpacked kernel, in pieces, the likeliest first.

    Packed data is not searched as it stands: zstd and lz4 keep stretches of text as they are, so that the
    beginning of a marker's data, or a banner, can show there.
    """
    packed = _unpacked(data)
    if packed is not None:
        yield packed
        return
    is_elf = data.startswith(b"\x7fELF")
    if is_elf:
        yield [data]
    if (inner := _scan(data)) is not None:
        yield inner
    if not is_elf:
        yield [data]


def _find_config(pieces: Iterable[bytes]) -> bytes | None:
    """The first configuration in a kernel that comes in pieces; reads no further than needed."""
    import zlib

    rest = b""
    inflate = None
    text = bytearray()
    try:
        for piece in pieces:
            rest += piece
            if inflate is None:
                at = rest.find(_START)
                if at < 0:
                    rest = rest[-_OVERLAP:]
                    continue
                inflate = zlib.decompressobj(wbits=31)
                rest = rest[at + len(b"IKCFG_ST") :]
            text += inflate.decompress(rest, _CONFIG_LIMIT + 1 - len(text))
            if len(text) > _CONFIG_LIMIT:
                raise ParseError(f"the configuration inside is larger than {_CONFIG_LIMIT} bytes")
            if inflate.eof:
                return bytes(text)
            rest = b""
    except zlib.error as error:
        raise ParseError(f"the configuration inside is damaged: {error}") from None
    if inflate is not None:
        raise ParseError("the configuration inside ends early")
    return None


def _find_release(pieces: Iterable[bytes]) -> str | None:
    rest = b""
    for piece in pieces:
        rest += piece
        if found := _BANNER.search(rest):
            return found[1].decode("latin-1")
        rest = rest[-_OVERLAP:]
    return None


def _unpacked(data: bytes) -> Iterator[bytes] | None:
    """The kernel in a compressed file or in an image whose header tells the place, in pieces; else None."""
    if compression.identify(data):
        return compression.stream(data, limit=_KERNEL_LIMIT)
    place = payload(data)
    if place:
        start, size = place
        if start + size > len(data):
            raise ParseError(
                f"the image ends early: its kernel should reach to byte {start + size}", len(data)
            )
        packed = data[start : start + size]
        if compression.identify(packed):
            return compression.stream(packed, limit=_KERNEL_LIMIT)
        return iter([packed])
    return None


def payload(data: bytes) -> tuple[int, int] | None:
    """Start and size of the packed kernel in an image whose header tells the place."""
    return _bzimage_payload(data) or _zboot_payload(data)


def _noting(pieces: Iterable[bytes], seen: list[str]) -> Iterator[bytes]:
    """Pass the pieces on, and note when they turn out to be a module's or a kernel's, packed ones excluded.

    An ELF executable is not enough: powerpc's zImage is one, holds a packed kernel, and shows no banner.
    """
    rest = b""
    for piece in pieces:
        if not rest and piece.startswith(b"\x7fELF") and piece[16:18] in (b"\1\0", b"\0\1"):
            seen.append("module")
        rest += piece
        if not seen and _BANNER.search(rest):
            seen.append("kernel")
        rest = rest[-_OVERLAP:]
        yield piece


def _is_bzimage(data: bytes) -> bool:
    return data[_HDRS : _HDRS + 4] == b"HdrS" and data[0x1FE:0x200] == b"\x55\xaa"


def _bzimage_payload(data: bytes) -> tuple[int, int] | None:
    """Start and size of the packed kernel; None if this is no bzImage, or one from before protocol 2.08
    (2.6.26).
    """
    if not _is_bzimage(data) or _number(data, _VERSION, 2) < 0x0208:
        return None
    setup = (data[_SETUP_SECTS] or 4) + 1  # zero means four, for historical reasons
    start = setup * 512 + _number(data, _PAYLOAD, 4)
    return start, _number(data, _PAYLOAD + 4, 4)


def _bzimage_release(data: bytes) -> str | None:
    """The first word of the string that the header's kernel_version points to."""
    pointer = _number(data, _KERNEL_VERSION, 2) if _is_bzimage(data) else 0
    words = data[pointer + 0x200 : pointer + 0x300].partition(b"\0")[0].split() if pointer else []
    return words[0].decode("latin-1") if words else None


def _zboot_payload(data: bytes) -> tuple[int, int] | None:
    """Start and size of the packed kernel in an EFI zboot image
    (drivers/firmware/efi/libstub/zboot-header.S).
    """
    if data[:2] != b"MZ" or data[4:8] != b"zimg":
        return None
    return _number(data, 8, 4), _number(data, 12, 4)


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _scan(data: bytes) -> Iterator[bytes] | None:
    """The first place that unpacks well, as scripts/extract-vmlinux looks for it: for self-extracting
    images of other machines (arm's zImage, s390, powerpc), whose headers do not tell.
    """
    for tries, hit in enumerate(_COMPRESSED.finditer(data)):
        if tries == _SCAN_TRIES:
            break
        payload = data[hit.start() :]
        made = 0
        try:
            for piece in compression.stream(payload, limit=_KERNEL_LIMIT, chunk=_SCAN_PROOF):
                made += len(piece)
                if made >= _SCAN_PROOF:
                    return compression.stream(payload, limit=_KERNEL_LIMIT)
        except ParseError:
            continue
    return None
