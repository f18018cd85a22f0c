"""Configurations recovered from images: small ones built here in every packing, and the lab kernel's."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.parse.errors import ParseError
from kdiag.parse.ikconfig import image_release, recover

LAB = Path(__file__).parents[3] / "shared" / "kernels" / "6.12-ikheaders-m"
needs_lab = pytest.mark.skipif(not LAB.exists(), reason="no lab kernel beside this tree")

CONFIG = b"# Linux/x86 6.1.99 Kernel Configuration\n" + b"".join(b"CONFIG_O%d=y\n" % n for n in range(500))
BANNER = b"\0Linux version 6.1.99-test+ (me@host) (gcc 12) #1 SMP\n\0"
MARKED = b"IKCFG_ST" + gzip.compress(CONFIG) + b"IKCFG_ED"
MODULE = b"\x7fELF\2\1\1" + bytes(9) + b"\1\0" + bytes(100)
NOISE = random.Random(1).randbytes(10_000)


def kernel(marked: bytes = MARKED, *, before: int = 300_000) -> bytes:
    """An unpacked kernel: `before` bytes of something, a banner, something, the configuration."""
    return bytes(before) + BANNER + bytes(5000) + marked + bytes(5000)


def bzimage(
    payload: bytes, *, release: bytes = b"6.1.99-test+ (me@host) #1 SMP", version: int = 0x020F
) -> bytes:
    """Documentation/arch/x86/boot.rst: two setup sectors, the packed kernel 0x40 bytes into the protected
    part.
    """
    head = bytearray(3 * 512)
    head[0x1F1] = 2
    head[0x1FE:0x206] = b"\x55\xaa\xeb\x6aHdrS"
    head[0x206:0x208] = version.to_bytes(2, "little")
    if release:
        head[0x20E:0x210] = (0x200).to_bytes(2, "little")
        head[0x400 : 0x400 + len(release)] = release
    head[0x248:0x250] = (0x40).to_bytes(4, "little") + len(payload).to_bytes(4, "little")
    return bytes(head) + b"\xcc" * 0x40 + payload + b"\xcc" * 5000


def zboot(payload: bytes) -> bytes:
    head = b"MZ\0\0zimg" + (0x100).to_bytes(4, "little") + len(payload).to_bytes(4, "little")
    return (head + bytes(8) + b"gzip").ljust(0x100, b"\0") + payload + NOISE


def zstd(data: bytes) -> bytes:
    return bytes(pytest.importorskip("zstandard").ZstdCompressor().compress(data))


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "bzip2": bz2.compress,
    "zstd": zstd,
}
SHAPES: dict[str, Callable[[bytes], bytes]] = {
    "packed file": lambda packed: packed,
    "bzImage": lambda packed: bzimage(packed + b"\x12\x34\x56\x00"),
    "zboot": zboot,
    "unknown wrapper": lambda packed: NOISE + packed + NOISE,
}


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_packing(packing: str, shape: str) -> None:
    image = SHAPES[shape](PACKERS[packing](kernel()))
    assert recover(image) == CONFIG
    assert image_release(image) == "6.1.99-test+"


@pytest.mark.parametrize("shape", SHAPES)
def test_packed_kernels_without_a_configuration(shape: str) -> None:
    assert recover(SHAPES[shape](gzip.compress(kernel(b"")))) is None


def test_plain_kernels() -> None:
    assert recover(kernel()) == CONFIG
    assert recover(kernel(b"")) is None
    assert image_release(kernel()) == "6.1.99-test+"
    assert recover(b"\x7fELF\2\1\1" + bytes(9) + b"\2\0" + kernel()) == CONFIG


def test_modules() -> None:
    assert recover(MODULE + MARKED) == CONFIG
    assert recover(lzma.compress(MODULE + MARKED)) == CONFIG
    assert recover(MODULE) is None
    assert recover(lzma.compress(MODULE)) is None
    assert recover(MODULE + lzma.compress(bytes(300_000))) is None, (
        "an archive in a module is not its configuration"
    )
    assert image_release(MODULE) is None


@pytest.mark.parametrize("before", range((1 << 20) - 5100, (1 << 20) - 4900, 17))
def test_a_marker_across_the_pieces_of_unpacking(before: int) -> None:
    assert recover(gzip.compress(kernel(before=before), 1)) == CONFIG
    image = gzip.compress(bytes(before + 4950) + BANNER, 1)
    assert image_release(image) == "6.1.99-test+"


def lz4_keeping_the_marker() -> bytes:
    """An lz4 frame in which the kernel stands as it is, but for four bytes inside the gzip data.

    They are written as a match with the same four bytes 600 further up, where nothing else matters.
    """
    data = bytearray(kernel())
    at = data.index(MARKED) + 12
    data[at - 600 : at - 596] = data[at : at + 4]
    first, rest = bytes(data[:at]), bytes(data[at + 4 :])

    def literals(text: bytes) -> bytes:
        return b"\xf0" + b"\xff" * ((len(text) - 15) // 255) + bytes([(len(text) - 15) % 255]) + text

    block = literals(first) + (600).to_bytes(2, "little") + literals(rest)
    return b"\x02\x21\x4c\x18" + len(block).to_bytes(4, "little") + block


@pytest.mark.parametrize("shape", SHAPES)
def test_a_marker_that_the_packing_kept_is_not_taken(shape: str) -> None:
    packed = lz4_keeping_the_marker()
    assert MARKED[:12] in packed
    assert MARKED not in packed
    assert recover(SHAPES[shape](packed)) == CONFIG


def test_an_old_boot_protocol_is_searched() -> None:
    image = bzimage(gzip.compress(kernel()), version=0x0206, release=b"")
    assert recover(image) == CONFIG
    assert image_release(image) == "6.1.99-test+"


def test_an_unpacked_payload() -> None:
    assert recover(bzimage(kernel())) == CONFIG


def test_the_release_in_the_header_needs_no_unpacking() -> None:
    image = bzimage(gzip.compress(kernel()))
    assert image_release(image[:2000]) == "6.1.99-test+"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"# Linux/x86 6.1.99 Kernel Configuration\nCONFIG_A=y\n",
        b"IKCFG_ST and IKCFG_ED in a text",
        gzip.compress(CONFIG, mtime=0),
        lzma.compress(NOISE),
        NOISE,
        b"\x7fELF\2\1\1" + bytes(9) + b"\2\0" + bytes(100),
    ],
)
def test_what_is_no_kernel(data: bytes) -> None:
    with pytest.raises(ParseError):
        recover(data)
    assert image_release(data) is None


def test_damage() -> None:
    image = bzimage(gzip.compress(kernel()))
    broken = bytearray(MARKED)
    broken[len(broken) // 2] ^= 0xFF
    for data in (
        image[:-6000],  # the file is cut inside the packed kernel
        bzimage(gzip.compress(kernel())[:-50]),  # the packed kernel itself is cut
        zboot(gzip.compress(kernel()))[:600],
        kernel(bytes(broken)),
        kernel(MARKED[:-200])[:-5000],
        gzip.compress(kernel(bytes(broken))),
    ):
        with pytest.raises(ParseError):
            recover(data)


def test_a_configuration_bomb() -> None:
    with pytest.raises(ParseError, match="larger"):
        recover(kernel(b"IKCFG_ST" + gzip.compress(bytes(20 << 20)) + b"IKCFG_ED"))


@needs_lab
def test_the_lab_kernel() -> None:
    image = (LAB / "bzImage").read_bytes()
    assert recover(image) == (LAB / "config").read_bytes()
    assert image_release(image) == "6.12.107-kdiaglab"
    headless = bytes(0x400) + image[0x400:]
    assert recover(headless) == (LAB / "config").read_bytes()
    assert image_release(headless) == "6.12.107-kdiaglab"
    assert recover((LAB / "kheaders.ko").read_bytes()) is None


SEED = bzimage(gzip.compress(kernel(before=1000)))


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from([SEED, kernel(before=100), zboot(lzma.compress(kernel(before=100)))]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6),
    st.integers(0, 12_000),
)
def test_damage_gives_the_text_or_parse_errors(seed: bytes, hits: list[tuple[int, int]], keep: int) -> None:
    data = bytearray(seed)
    for place, value in hits:
        data[place % len(data)] = value
    for blob in (bytes(data), bytes(data[:keep])):
        with contextlib.suppress(ParseError):
            assert recover(blob) in (CONFIG, None)
        with contextlib.suppress(ParseError):
            release = image_release(blob)
            assert release is None or release
