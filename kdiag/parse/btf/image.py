"""The BTF inside of a kernel's image: what that kernel will provide as /sys/kernel/btf/vmlinux once it runs.

The section .BTF is part of the loaded kernel (include/asm-generic/vmlinux.lds.h, BTF), so that the packed image
holds it as well. x86 packs an ELF file; other machines pack plain memory, where the header of BTF is looked for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from kdiag.parse import elf
from kdiag.parse.compression import identify
from kdiag.parse.errors import ParseError
from kdiag.parse.ikconfig import kernels, payload

#: The magic, version 1, no flags, and the size of the header (include/uapi/linux/btf.h, struct btf_header).
_LITTLE = struct.pack("<HBBI", 0xEB9F, 1, 0, 24)
_BIG = struct.pack(">HBBI", 0xEB9F, 1, 0, 24)
#: A kernel's own BTF has megabytes; what is smaller is BTF that is compiled in for something else.
_SMALLEST = 256 * 1024
_LARGEST = 64 * 1024 * 1024
_KERNEL_LIMIT = 512 << 20


def recover(data: bytes) -> bytes | None:
    """The BTF in a kernel image, packed or not; None when all of the kernel was looked through and has none.

    Raises ParseError for a damaged image, for one that is packed in a way that cannot be read, and for no kernel.
    """
    damage: ParseError | None = None
    seen = False
    if packed_slowly(data):
        raise ParseError("it is packed with lz4, which takes Python a minute to unpack")
    for pieces in kernels(data):
        try:
            kernel = _whole(pieces)
            found = _in(kernel)
        except ParseError as error:
            damage = damage or error
            continue
        if found is not None:
            return found
        seen = seen or b"Linux version " in kernel
    if seen:
        return None
    raise damage or ParseError("no kernel is found in it, packed or not")


def packed_slowly(data: bytes) -> bool:
    """Whether it is a bzImage with lz4 inside (Debian's cloud kernels up to 6.1)."""
    place = payload(data)
    return place is not None and identify(data[place[0] : place[0] + 16]) == "lz4"


def _whole(pieces: Iterable[bytes]) -> bytes:
    kernel = bytearray()
    for piece in pieces:
        kernel += piece
        if len(kernel) > _KERNEL_LIMIT:
            raise ParseError(f"the kernel inside is larger than {_KERNEL_LIMIT} bytes")
    return bytes(kernel)


def _in(kernel: bytes) -> bytes | None:
    if kernel.startswith(b"\x7fELF"):
        found = elf.section(kernel, ".BTF")
        if found:
            return found
    return _scanned(kernel, _LITTLE, "<") or _scanned(kernel, _BIG, ">")


def _scanned(kernel: bytes, header: bytes, order: str) -> bytes | None:
    """The largest stretch that begins as BTF does and whose strings end where its header says."""
    at, best = kernel.find(header), b""
    while at >= 0:
        if at + 24 <= len(kernel):
            type_off, type_len, str_off, str_len = struct.unpack_from(f"{order}4I", kernel, at + 8)
            size = 24 + str_off + str_len
            sound = type_off == 0 and type_len <= str_off and _SMALLEST <= size <= _LARGEST
            if sound and size > len(best) and at + size <= len(kernel) and kernel[at + size - 1] == 0:
                best = kernel[at : at + size]
        at = kernel.find(header, at + 1)
    return best or None
