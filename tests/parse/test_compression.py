"""Bounded decompression: round trips, everything cut or damaged, and bombs."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import sys
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.parse.compression import Unsupported, decompress, identify, stream
from kdiag.parse.errors import ParseError

TEXT = b"".join(b"line %d of some text that packs well\n" % (number * number) for number in range(3000))


def _zstd(data: bytes) -> bytes:
    return bytes(pytest.importorskip("zstandard").ZstdCompressor().compress(data))


def _lz4_length(count: int) -> bytes:
    return b"" if count < 15 else b"\xff" * ((count - 15) // 255) + bytes([(count - 15) % 255])


def _lz4(data: bytes) -> bytes:
    """The legacy frame with literals only, and one block per 8 MiB."""
    packed = b"\x02\x21\x4c\x18"
    for start in range(0, len(data), 8 << 20):
        block = data[start : start + (8 << 20)]
        body = bytes([min(len(block), 15) << 4]) + _lz4_length(len(block)) + block
        packed += len(body).to_bytes(4, "little") + body
    return packed


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "bzip2": bz2.compress,
    "zstd": _zstd,
    "lz4": _lz4,
}
each_kind = pytest.mark.parametrize("kind", PACKERS)


@each_kind
def test_round_trip(kind: str) -> None:
    packed = PACKERS[kind](TEXT)
    assert identify(packed) == kind
    assert decompress(packed, limit=len(TEXT)) == TEXT
    assert b"".join(stream(packed, limit=len(TEXT), chunk=1000)) == TEXT


@each_kind
def test_of_nothing(kind: str) -> None:
    assert decompress(PACKERS[kind](b""), limit=0) == b""


@each_kind
def test_the_size_appended_in_kernel_images_is_ignored(kind: str) -> None:
    assert decompress(PACKERS[kind](TEXT) + len(TEXT).to_bytes(4, "little"), limit=1 << 20) == TEXT


@pytest.mark.parametrize("kind", ["gzip", "xz", "bzip2", "zstd", "lz4"])
def test_concatenated_streams(kind: str) -> None:
    packed = PACKERS[kind](b"one ") + PACKERS[kind](b"two")
    assert decompress(packed, limit=7) == b"one two"


def test_padding_between_xz_streams() -> None:
    assert decompress(lzma.compress(b"a") + bytes(8) + lzma.compress(b"b") + bytes(4), limit=2) == b"ab"


def test_plain_data_comes_back() -> None:
    assert decompress(b"\x7fELF and so on", limit=20) == b"\x7fELF and so on"
    with pytest.raises(ParseError, match="limit"):
        decompress(b"\x7fELF and so on", limit=5)
    with pytest.raises(ParseError):
        list(stream(b"\x7fELF", limit=100))


@each_kind
def test_the_limit_is_exact(kind: str) -> None:
    packed = PACKERS[kind](TEXT)
    with pytest.raises(ParseError, match="limit"):
        decompress(packed, limit=len(TEXT) - 1)


@each_kind
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.999])
def test_cut_data(kind: str, keep: float) -> None:
    packed = PACKERS[kind](TEXT)
    with pytest.raises(ParseError):
        decompress(packed[: int(len(packed) * keep)], limit=1 << 20)


@pytest.mark.parametrize("kind", ["gzip", "xz", "bzip2", "zstd"])
def test_every_cut_of_a_small_stream(kind: str) -> None:
    packed = PACKERS[kind](b"hello hello hello")
    for length in range(8, len(packed)):
        with pytest.raises(ParseError):
            decompress(packed[:length], limit=100)


@pytest.mark.parametrize("kind", ["gzip", "xz", "bzip2"])
def test_damaged_data_is_noticed(kind: str) -> None:
    packed = bytearray(PACKERS[kind](TEXT))
    packed[len(packed) // 2] ^= 0x55
    with pytest.raises(ParseError):
        decompress(bytes(packed), limit=1 << 20)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gzip", "xz", "bzip2", "zstd"])
def test_a_bomb_takes_no_memory(kind: str) -> None:
    packed = PACKERS[kind](bytes(100 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(ParseError, match="limit"):
            decompress(packed, limit=2 << 20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < (40 << 20)


def test_too_many_streams() -> None:
    with pytest.raises(ParseError, match="streams"):
        decompress(gzip.compress(b"") * 5000, limit=10)


def test_lz4_matches_near_overlapping_and_long() -> None:
    # "abcd", then 4 + 15 + 255 + 1 bytes from 4 back, then "xy": worked out by hand from the format's
    # description.
    block = b"\x4f" + b"abcd" + b"\x04\x00" + b"\xff\x01" + b"\x20" + b"xy"
    packed = b"\x02\x21\x4c\x18" + len(block).to_bytes(4, "little") + block
    assert decompress(packed, limit=1000) == (b"abcd" * 100)[: 4 + 275] + b"xy"


@pytest.mark.parametrize(
    "block",
    [
        b"\x10a\x02\x00\x00",  # a match from before the beginning
        b"\x10a\x00\x00\x00",  # a match at distance zero
        b"\x50abc",  # five literals promised, three there
        b"\xf0\xff\xff",  # a length that does not end
        b"\x1fa\x01\x00" + b"\xff" * 40_000 + b"\x00",  # a block of more than 8 MiB
    ],
)
def test_hostile_lz4(block: bytes) -> None:
    with pytest.raises(ParseError, match="lz4"):
        decompress(b"\x02\x21\x4c\x18" + len(block).to_bytes(4, "little") + block, limit=1 << 30)


@pytest.mark.parametrize("magic", [b"\x04\x22\x4d\x18", b"\x89LZO\x00\r\n\x1a\n"])
def test_known_but_not_supported(magic: bytes) -> None:
    with pytest.raises(Unsupported, match="not supported"):
        decompress(magic + bytes(100), limit=1000)


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("zstandard", "compression", "compression.zstd"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Unsupported, match="zstandard") as error:
        decompress(b"\x28\xb5\x2f\xfd" + bytes(20), limit=1000)
    assert error.value.package == "zstandard"


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(sorted(PACKERS)),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4),
    st.binary(max_size=40),
)
def test_damage_gives_the_data_or_a_parse_error(kind: str, hits: list[tuple[int, int]], tail: bytes) -> None:
    packed = bytearray(PACKERS[kind](TEXT[:2000]))
    for place, value in hits:
        packed[place % len(packed)] = value
    with contextlib.suppress(ParseError):
        assert len(decompress(bytes(packed) + tail, limit=100_000)) <= 100_000
