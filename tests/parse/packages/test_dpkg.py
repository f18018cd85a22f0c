"""dpkg's status file: a real one against dpkg-query, states, damage, the growth of the work."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.parse.errors import ParseError
from kdiag.parse.packages import Package, dpkg
from tests.support.patterns import count_patterns
from tests.support.steps import Scanned, calls, linear

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


def test_only_what_is_wanted_is_taken_apart() -> None:
    """The file has megabytes: a stanza that is not wanted costs a look at its name."""
    unwanted = b"Package: other\nStatus: install ok installed\nVersion: 1\n" + b"Long: x\n" * 500 + b"\n"
    alone = calls(lambda: dpkg.packages(SAMPLE, headers))
    among = calls(lambda: dpkg.packages(unwanted * 100 + SAMPLE, headers))
    assert among - alone < 100 * 10


@pytest.mark.parametrize(
    "unit",
    [
        b"Package: linux-headers-1\nVersion: 1\n\n",
        b"Package: linux-headers-1\nVersion: 1\n",
        b"Package: linux-headers-1\n",
        b"Package:" + b" " * 50,
        b"\n",
    ],
    ids=["stanzas", "no empty lines", "no versions", "spaces", "empty lines"],
)
def test_the_work_grows_with_the_size(unit: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    patterns = count_patterns(dpkg, monkeypatch.setattr)

    def steps(units: int) -> int:
        data = Scanned(b"Package: first\nVersion: 1\n\n" + unit * units)
        before = sum(pattern.steps for pattern in patterns)

        def work() -> None:
            with suppress(ParseError):
                dpkg.packages(data, headers)

        return calls(work) + data.scanned + sum(pattern.steps for pattern in patterns) - before

    linear(steps, 100)


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
