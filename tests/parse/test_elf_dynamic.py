"""What programs ask of their loader: small files built here, this machine's own against readelf, and hostile ones."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.parse.errors import ParseError
from kdiag.parse.loader.dynamic import dynamic
from tests.support.needs import need_program
from tests.support.programs import GLIBC, elf


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("order", ["<", ">"])
def test_what_is_needed_and_where_it_is_looked_for(bits: int, order: str) -> None:
    data = elf("libbpf.so.1", "libc.so.6", runpath="$ORIGIN/../lib:/opt/lib", bits=bits, order=order)
    found = dynamic(io.BytesIO(data))
    assert found.needed == ("libbpf.so.1", "libc.so.6")
    assert found.paths == ("$ORIGIN/../lib", "/opt/lib")
    assert (found.interpreter, found.bits, found.machine) == (GLIBC, bits, "x86_64")


def test_runpath_is_instead_of_rpath() -> None:
    """ld.so(8): DT_RPATH is used only where there is no DT_RUNPATH."""
    assert dynamic(io.BytesIO(elf("a", rpath="/old"))).paths == ("/old",)
    assert dynamic(io.BytesIO(elf("a", rpath="/old", runpath="/new"))).paths == ("/new",)


def test_a_static_program_asks_for_nothing() -> None:
    found = dynamic(io.BytesIO(elf(interpreter="")))
    assert (found.needed, found.paths, found.interpreter) == ((), (), "")


@pytest.mark.parametrize("name", ["bpftrace", "bpftool", "ls", Path(sys.executable).name])
def test_this_machines_programs_against_readelf(name: str) -> None:
    readelf, program = need_program("readelf"), need_program(name)
    path = Path(program).resolve()
    if path.read_bytes()[:4] != b"\x7fELF":
        path = Path(sys.executable).resolve()
    printed = subprocess.run([readelf, "-dW", path], capture_output=True, text=True, check=True).stdout
    with path.open("rb") as handle:
        found = dynamic(handle)
    assert found.needed == tuple(re.findall(r"\(NEEDED\).*\[(.*)\]", printed))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=64), st.integers(0, 900), st.integers(0, 255))
def test_a_hostile_file_is_an_error_or_an_answer(tail: bytes, at: int, value: int) -> None:
    data = bytearray(elf("libbpf.so.1", "libc.so.6", runpath="/opt/lib") + tail)
    data[at % len(data)] = value
    for hostile in (bytes(data), bytes(data[: at % len(data)])):
        with contextlib.suppress(ParseError):
            dynamic(io.BytesIO(hostile))
