"""The cache of glibc's loader: this machine's against ldconfig, ones built here, and hostile ones."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.parse.errors import ParseError
from kdiag.parse.loader.cache import lookup
from tests.support.needs import need
from tests.support.programs import cache

NAMES = [
    f"lib{name}.so.{number}"
    for name in ("a", "bpf", "bpf2", "z", "LLVM-9", "LLVM-14")
    for number in (0, 1, 9, 10)
]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_found(name: str, order: str) -> None:
    data = cache([(n, f"/lib/{n}") for n in NAMES], order=order)
    assert lookup(io.BytesIO(data), name) == (f"/lib/{name}",)


def test_all_of_one_name_in_their_order() -> None:
    """Directories of ld.so.conf come first, and so does what they have."""
    data = cache(
        [("libbpf.so.1", "/usr/local/lib/libbpf.so.1"), ("libbpf.so.1", "/lib/libbpf.so.1"), ("z", "/z")]
    )
    assert lookup(io.BytesIO(data), "libbpf.so.1") == ("/usr/local/lib/libbpf.so.1", "/lib/libbpf.so.1")
    assert lookup(io.BytesIO(data), "libbpf.so.0") == ()


def test_after_the_older_format() -> None:
    old = b"ld.so-1.7.0\0" + (3).to_bytes(4, "little") + bytes(3 * 12)
    inner = cache([("libbpf.so.1", "/lib/libbpf.so.1")])
    padded = old + bytes(-len(old) % 8)
    assert lookup(io.BytesIO(padded + inner), "libbpf.so.1") == ("/lib/libbpf.so.1",)


def test_this_machines_against_ldconfig() -> None:
    path = Path("/etc/ld.so.cache")
    ldconfig = next((p for p in ("/sbin/ldconfig", "/usr/sbin/ldconfig") if Path(p).exists()), "")
    need(path.exists() and ldconfig, "a cache of glibc's loader, and ldconfig")
    printed = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=True).stdout
    listed = re.findall(r"^\t(\S+) \(.*\) => (.*)$", printed, re.MULTILINE)
    assert listed
    with path.open("rb") as handle:
        assert [pair for pair in listed if pair[1] not in lookup(handle, pair[0])] == []
        assert lookup(handle, "libof-no-library.so.77") == ()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 3000), st.integers(0, 255), st.sampled_from(NAMES))
def test_a_hostile_cache_is_an_error_or_an_answer(at: int, value: int, name: str) -> None:
    data = bytearray(cache([(n, f"/lib/{n}") for n in NAMES]))
    data[at % len(data)] = value
    for hostile in (bytes(data), bytes(data[: at % len(data)])):
        with contextlib.suppress(ParseError):
            lookup(io.BytesIO(hostile), name)
