"""dpkg's status file: a real one against dpkg-query, states, damage, speed."""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.parse.errors import ParseError
from kdiag.parse.packages import Package, dpkg

STATUS = Path("/var/lib/dpkg/status")

SAMPLE = b"""Package: linux-headers-6.1.0-50-amd64
Status: install ok installed
Priority: optional
Section: kernel
Maintainer: Debian Kernel Team <debian-kernel@lists.debian.org>
Architecture: amd64
Source: linux (6.1.176-1)
Version: 6.1.176-1
Provides: linux-headers, linux-headers-3.0
Depends: linux-headers-6.1.0-50-common (= 6.1.176-1), linux-kbuild-6.1
Description: Header files for Linux 6.1.0-50-amd64
 Package: this line continues the description
 .
 It provides more text.

Package: linux-headers-6.1.0-49-amd64
Status: deinstall ok config-files
Architecture: amd64
Version: 6.1.170-1

Package: bpftrace
Status: install reinstreq half-installed
Architecture: amd64
Version: 0.17.0-1

Package: linux-kbuild-6.1
Status: purge ok not-installed
Architecture: amd64
"""


def headers(name: str) -> bool:
    return name.startswith("linux-headers-")


def everything(name: str) -> bool:
    return True


def test_installed_and_removed() -> None:
    assert dpkg.installed(SAMPLE, headers) == (
        Package(
            name="linux-headers-6.1.0-50-amd64",
            version="6.1.176-1",
            arch="amd64",
            provides=("linux-headers", "linux-headers-3.0"),
            depends=("linux-headers-6.1.0-50-common", "linux-kbuild-6.1"),
        ),
    )
    states = {found.name: found.state for found in dpkg.packages(SAMPLE, everything)}
    assert states == {
        "linux-headers-6.1.0-50-amd64": "installed",
        "linux-headers-6.1.0-49-amd64": "config-files",
        "bpftrace": "half-installed",
        "linux-kbuild-6.1": "not-installed",
    }


def test_a_package_that_needs_reinstalling_is_not_installed() -> None:
    data = SAMPLE.replace(b"install ok installed", b"install reinstreq installed")
    assert dpkg.installed(data, headers) == ()


@pytest.mark.parametrize("state", ["unpacked", "half-configured", "triggers-awaited", "triggers-pending"])
def test_states_between(state: str) -> None:
    data = SAMPLE.replace(b"install ok installed", f"install ok {state}".encode())
    assert [found.state for found in dpkg.packages(data, headers)] == [state, "config-files"]


def test_distroless_stanza_has_no_status() -> None:
    data = b"Package: base-files\nVersion: 12.4+deb12u5\nArchitecture: amd64\n"
    assert dpkg.installed(data, everything) == (Package("base-files", "12.4+deb12u5", "amd64"),)


def test_package_need_not_be_the_first_field() -> None:
    data = b"Version: 1\nStatus: install ok installed\nPackage: a\n\nVersion: 2\nPackage: b\n"
    assert [(found.name, found.version) for found in dpkg.packages(data, everything)] == [
        ("a", "1"),
        ("b", "2"),
    ]


def test_empty_file_has_no_packages() -> None:
    assert dpkg.packages(b"", everything) == ()
    assert dpkg.packages(b"\n\n", everything) == ()


@pytest.mark.parametrize("data", [b"\x7fELF\0\0", b"hello\n", b"package: lower\n"])
def test_what_is_no_status_file(data: bytes) -> None:
    with pytest.raises(ParseError):
        dpkg.packages(data, everything)


def test_a_cut_stanza_is_an_error_only_if_it_is_wanted() -> None:
    data = SAMPLE[: SAMPLE.index(b"Version: 6.1.176-1")]
    with pytest.raises(ParseError, match="without a version"):
        dpkg.packages(data, headers)
    assert dpkg.packages(data, lambda name: name == "bpftrace") == ()


def test_a_status_that_is_none() -> None:
    with pytest.raises(ParseError, match="is no status"):
        dpkg.packages(SAMPLE.replace(b"install ok installed", b"installed"), headers)


@pytest.mark.skipif(not STATUS.exists() or not shutil.which("dpkg-query"), reason="not a dpkg machine")
def test_this_machine_as_dpkg_query_sees_it() -> None:
    query = ["dpkg-query", "-W", "-f", "${Package}|${Version}|${Architecture}|${db:Status-Status}\\n"]
    lines = subprocess.run(query, check=True, capture_output=True, text=True).stdout.splitlines()
    found = dpkg.packages(STATUS.read_bytes(), everything)
    mine = {f"{package.name}|{package.version}|{package.arch}|{package.state}" for package in found}
    assert mine >= set(lines)
    # dpkg-query leaves out what is not installed at all
    assert all(line.endswith("|not-installed") for line in mine - set(lines))


@pytest.mark.skipif(not STATUS.exists(), reason="not a dpkg machine")
def test_three_megabytes_take_milliseconds() -> None:
    data = STATUS.read_bytes() + b"\n"
    data *= 3_000_000 // len(data) + 1
    best = 1.0
    for _ in range(5):
        start = time.process_time()
        dpkg.packages(data, headers)
        best = min(best, time.process_time() - start)
    assert best < 0.025  # measured 0.003; room for a slow machine


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300), st.integers(0, len(SAMPLE)), st.integers(0, len(SAMPLE)))
def test_any_bytes_give_packages_or_a_parse_error(junk: bytes, start: int, end: int) -> None:
    for data in (junk, SAMPLE[:start] + junk + SAMPLE[end:]):
        with suppress(ParseError):
            for found in dpkg.packages(data, everything):
                assert isinstance(found.name, str)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,30}", fullmatch=True), unique=True, max_size=8))
def test_every_name_is_seen_once(names: list[str]) -> None:
    data = b"\n".join(f"Package: {name}\nVersion: 1\nDescription: x\n more\n".encode() for name in names)
    assert [found.name for found in dpkg.packages(data, everything)] == names
