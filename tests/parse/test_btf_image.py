"""BTF in the images of kernels: in an ELF file, in plain memory, and in what has none."""

from __future__ import annotations

import gzip
import struct

import pytest

from kdiag.parse.btf.image import recover
from kdiag.parse.errors import ParseError

BANNER = b"\0Linux version 6.1.99-test (me@host) #1 SMP\n\0"


def btf(types: int = 200_000, strings: int = 100_000) -> bytes:
    """What has the outline of a kernel's BTF: a header, records, strings that end in a zero byte."""
    return (
        struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, types, types, strings)
        + b"t" * types
        + b"s" * (strings - 1)
        + b"\0"
    )


def test_it_is_found_in_plain_memory_packed_or_not() -> None:
    kernel = bytes(300_000) + BANNER + btf() + bytes(1000)
    assert recover(kernel) == btf()
    assert recover(gzip.compress(kernel)) == btf()


def test_the_largest_one_is_the_kernels() -> None:
    kernel = bytes(1000) + BANNER + btf(types=200_000, strings=65_000) + b"x" * 77 + btf()
    assert recover(kernel) == btf()


def test_small_ones_and_torn_ones_are_none() -> None:
    assert recover(bytes(1000) + BANNER + btf(types=1000, strings=100)) is None
    assert recover(bytes(1000) + BANNER + btf()[:-5]) is None


def test_what_is_no_kernel_is_said() -> None:
    with pytest.raises(ParseError, match="no kernel"):
        recover(b"hello" * 1000)


def test_lz4_is_left_to_the_configuration() -> None:
    head = bytearray(3 * 512)
    head[0x1F1] = 2
    head[0x1FE:0x206] = b"\x55\xaa\xeb\x6aHdrS"
    head[0x206:0x208] = (0x020F).to_bytes(2, "little")
    payload = b"\x02\x21\x4c\x18" + bytes(5000)
    head[0x248:0x250] = (0x40).to_bytes(4, "little") + len(payload).to_bytes(4, "little")
    with pytest.raises(ParseError, match="lz4"):
        recover(bytes(head) + b"\xcc" * 0x40 + payload)
