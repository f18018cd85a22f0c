"""os-release: real files, quoting, the package `distro` as judge, and garbage."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import distro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.parse.errors import ParseError
from kdiag.parse.osrelease import OsRelease, parse

DEBIAN = b"""PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
HOME_URL="https://www.example.org/"
"""
UBUNTU = b"""PRETTY_NAME="Ubuntu 24.04.1 LTS"
NAME="Ubuntu"
VERSION_ID="24.04"
ID=ubuntu
ID_LIKE=debian
UBUNTU_CODENAME=noble
"""
ROCKY = b"""NAME="Rocky Linux"
VERSION="9.4 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.4"
PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"
"""
COREOS = b"""NAME="Fedora Linux"
ID=fedora
VERSION_ID=43
PRETTY_NAME="Fedora CoreOS 43.20251110.3.1"
VARIANT="CoreOS"
VARIANT_ID=coreos
"""
COS = b"""NAME="Container-Optimized OS"
ID=cos
PRETTY_NAME="Container-Optimized OS from Google"
VERSION_ID=113
BUILD_ID=18244.151.27
"""
ALPINE = b'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME="Alpine Linux v3.22"\n'
ARCH = b'NAME="Arch Linux"\nPRETTY_NAME="Arch Linux"\nID=arch\nBUILD_ID=rolling\n'
SAMPLES = {
    "debian": DEBIAN,
    "ubuntu": UBUNTU,
    "rocky": ROCKY,
    "coreos": COREOS,
    "cos": COS,
    "alpine": ALPINE,
    "arch": ARCH,
}


def test_fields() -> None:
    assert parse(COREOS) == OsRelease(
        id="fedora",
        version_id="43",
        name="Fedora Linux",
        pretty_name="Fedora CoreOS 43.20251110.3.1",
        variant_id="coreos",
    )
    assert parse(ROCKY).id_like == ("rhel", "centos", "fedora")
    assert parse(COS).build_id == "18244.151.27"
    assert parse(UBUNTU).descends_from("debian")
    assert parse(DEBIAN).descends_from("debian")
    assert not parse(DEBIAN).descends_from("ubuntu")


@pytest.mark.parametrize("name", SAMPLES)
def test_distro_agrees(name: str, tmp_path: Path) -> None:
    path = tmp_path / "os-release"
    path.write_bytes(SAMPLES[name])
    judge = distro.LinuxDistribution(include_lsb=False, include_uname=False, os_release_file=str(path))
    mine = parse(SAMPLES[name])
    assert mine.id == judge.os_release_attr("id")
    assert (mine.version_id or "") == judge.os_release_attr("version_id")
    assert mine.pretty_name == judge.os_release_attr("pretty_name")
    assert " ".join(mine.id_like) == judge.os_release_attr("id_like")
    assert (mine.variant_id or "") == judge.os_release_attr("variant_id")


@pytest.mark.skipif(not Path("/etc/os-release").exists(), reason="no os-release here")
def test_this_machine() -> None:
    mine = parse(Path("/etc/os-release").read_bytes())
    assert mine.id == distro.os_release_attr("id")
    assert mine.pretty_name == distro.os_release_attr("pretty_name")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"NAME=plain", "plain"),
        (b"NAME='single $HOME \\n'", "single $HOME \\n"),
        (b'NAME="double \\"q\\" \\$ \\` \\\\ \\n"', 'double "q" $ ` \\ \\n'),
        (b'NAME="with # hash"  # comment', "with # hash"),
        (b"NAME=plain # comment", "plain"),
        (b"NAME=not quoted as it should be", "not quoted as it should be"),
        (b"  NAME=indented", "indented"),
        (b"NAME=\r", None),
        (b"NAME=dos\r", "dos"),
        (b"NAME=", None),
        (b'NAME=""', None),
        (b"NAME=first\nNAME=second", "second"),
        ("NAME=Größe".encode(), "Größe"),
        (b"NAME=\xff", "\ufffd"),
        (b"\xef\xbb\xbfNAME=bom", "bom"),
    ],
)
def test_quoting(line: bytes, expected: str | None) -> None:
    assert parse(line + b"\n").name == expected


def test_empty_says_nothing() -> None:
    assert parse(b"") == OsRelease()
    assert parse(b"# only a comment\n\n") == OsRelease()


def test_strange_lines_beside_assignments_are_passed_over() -> None:
    assert parse(b"hello\nID=debian\n!!\n").id == "debian"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"#!/bin/sh\necho hello\n", 2),
        (b'ID=debian\nNAME="no end\n', 2),
        (b"NAME='no end\n", 1),
        (b'NAME="a"b\n', 1),
        (b"<html>\n", 1),
    ],
)
def test_errors_name_the_line(data: bytes, line: int) -> None:
    with pytest.raises(ParseError) as error:
        parse(data)
    assert error.value.offset == line


def test_a_bad_line_that_nobody_asks_for_does_no_harm() -> None:
    assert parse(b'ID=debian\nHOME_URL="no end\n').id == "debian"


def test_binary_and_huge() -> None:
    with pytest.raises(ParseError, match="NUL"):
        parse(b"ID=debian\n\0")
    with pytest.raises(ParseError, match="credible"):
        parse(b"#" * (1024 * 1024 + 1))


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_give_fields_or_a_parse_error(data: bytes) -> None:
    with suppress(ParseError):
        parse(data)
    with suppress(ParseError):
        parse(b"ID=debian\nNAME=" + data)


@settings(deadline=None, max_examples=200)
@given(st.text(st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=40))
def test_what_is_quoted_comes_back(value: str) -> None:
    quoted = value
    for special in ("\\", '"', "$", "`"):
        quoted = quoted.replace(special, "\\" + special)
    assert parse(f'NAME="{quoted}"\n'.encode()).name == (value or None)
