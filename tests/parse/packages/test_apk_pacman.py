"""The databases of apk and pacman."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.parse.errors import ParseError
from kdiag.parse.packages import Package, apk, pacman

INSTALLED = b"""C:Q1ZuxxVqSGGkBx+ZAKE+mCHkrLWJk=
P:linux-lts-dev
V:6.6.100-r0
A:x86_64
S:11640217
I:93138944
T:Headers and script for third party modules
U:https://www.kernel.org
L:GPL-2.0-only
o:linux-lts
t:1753367033
D:perl gmp-dev
p:linux-lts-dev-abi=6.6.100
F:lib
F:lib/modules
R:build
P:not-a-package-but-a-file-entry

C:Q1abc
P:linux-headers
V:6.14.2-r0
A:x86_64

"""

DESC = b"""%NAME%
linux-headers

%VERSION%
6.8.1.arch1-1

%BASE%
linux

%ARCH%
x86_64

%PROVIDES%
LINUX-HEADERS=6.8.1
"""


def everything(name: str) -> bool:
    return True


def test_apk() -> None:
    assert apk.installed(INSTALLED, everything) == (
        Package("linux-lts-dev", "6.6.100-r0", "x86_64", provides=("linux-lts-dev-abi=6.6.100",)),
        Package("linux-headers", "6.14.2-r0", "x86_64"),
    )
    (found,) = apk.installed(INSTALLED, lambda name: name == "linux-headers")
    assert found.version == "6.14.2-r0"


def test_apk_package_first_in_its_stanza() -> None:
    assert apk.installed(b"P:a\nV:1-r0\n\nP:b\nV:2-r0", everything) == (
        Package("a", "1-r0"),
        Package("b", "2-r0"),
    )


def test_apk_empty_and_strange() -> None:
    assert apk.installed(b"\n", everything) == ()
    with pytest.raises(ParseError):
        apk.installed(b"\x7fELF", everything)
    with pytest.raises(ParseError, match="no version"):
        apk.installed(b"C:Q1\nP:cut", everything)


def test_pacman_directories() -> None:
    names = [
        "ALPM_DB_VERSION",
        "linux-headers-6.8.1.arch1-1",
        "linux-6.8.1.arch1-1",
        "python-typing_extensions-4.12-1",
    ]
    assert pacman.installed(names, everything) == (
        Package("linux-headers", "6.8.1.arch1-1"),
        Package("linux", "6.8.1.arch1-1"),
        Package("python-typing_extensions", "4.12-1"),
    )
    assert pacman.installed(names, lambda name: name == "linux-zen-headers") == ()


def test_pacman_epoch_stays() -> None:
    assert pacman.installed(["dbus-1:1.14-2"], everything) == (Package("dbus", "1:1.14-2"),)


def test_pacman_description() -> None:
    assert pacman.description(DESC) == Package(
        "linux-headers", "6.8.1.arch1-1", "x86_64", provides=("LINUX-HEADERS=6.8.1",)
    )


@pytest.mark.parametrize("data", [b"", b"hello", b"%NAME%\nlinux\n", b"\0\1\2"])
def test_pacman_description_of_nothing(data: bytes) -> None:
    with pytest.raises(ParseError):
        pacman.description(data)


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=200), st.integers(0, len(INSTALLED)))
def test_any_bytes_give_packages_or_a_parse_error(junk: bytes, at: int) -> None:
    with suppress(ParseError):
        apk.installed(INSTALLED[:at] + junk, everything)
    with suppress(ParseError):
        pacman.description(DESC[:at] + junk)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text(max_size=30)))
def test_any_directory_names(names: list[str]) -> None:
    for found in pacman.installed(names, everything):
        assert f"{found.name}-{found.version}" in names
