"""Release files from before os-release: the package `distro` as judge, and where this knows better."""

from __future__ import annotations

from pathlib import Path

import distro
import pytest

from kdiag.parse.releasefile import names, parse

LINES = (
    ("centos-release", "CentOS release 6.10 (Final)"),
    ("centos-release", "CentOS Linux release 7.9.2009 (Core)"),
    ("redhat-release", "Red Hat Enterprise Linux Server release 6.10 (Santiago)"),
    ("redhat-release", "Red Hat Linux release 9 (Shrike)"),
    ("fedora-release", "Fedora release 14 (Laughlin)"),
    ("SuSE-release", "SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4"),
    ("SuSE-release", "openSUSE 11.4 (x86_64)"),
    ("slackware-version", "Slackware 14.1"),
    ("gentoo-release", "Gentoo Base System release 2.6"),
    ("mageia-release", "Mageia release 5 (Official) for x86_64"),
    ("oracle-release", "Oracle Linux Server release 6.10"),
    ("cloudlinux-release", "CloudLinux Server release 6.10 (Anton Podverbny)"),
    ("manjaro-release", "Manjaro Linux"),
    ("vmware-release", "VMware ESX 4.1 (Kandinsky)"),
    ("some-release", "Some Linux release 2016 (Foo) (Bar)"),
    ("some-release", "Some 10.04 LTS (Lucid)"),
    ("some-release", "  Some  release  7rc1 "),
    ("some-release", "som9 9.2-beta1 (x"),
    ("arch-release", ""),
    ("system-release", "Amazon Linux AMI release 2018.03"),
    ("debian_version", "6.0.10"),
)


@pytest.mark.parametrize(("name", "text"), LINES)
def test_distro_agrees(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / name).write_text(text)
    judge = distro.LinuxDistribution(include_lsb=False, include_uname=False, root_dir=str(tmp_path))
    mine = parse(name, text.encode()) if names([name]) else None
    assert (mine or ("", "", "")) == (judge.id(), judge.version(), judge.name(pretty=True))


def test_a_file_that_has_nothing_but_the_version() -> None:
    """Alpine's; `distro` 1.9 takes it apart: "3. 5.0", version 5.0."""
    assert parse("alpine-release", b"3.5.0\n") == ("alpine", "3.5.0", "alpine 3.5.0")
    assert parse("alpine-release", b"3.21.0_alpha20240807\n") == (
        "alpine",
        "3.21.0_alpha20240807",
        "alpine 3.21.0_alpha20240807",
    )


def test_which_files_count_and_in_which_order() -> None:
    assert names(
        ["redhat-release", "os-release", "passwd", "centos-release", "x-release.rpmnew", "-release"]
    ) == [
        "centos-release",
        "redhat-release",
    ]


@pytest.mark.parametrize(
    "data", [b"", b"\n", b" \t\nCentOS release 6", b"\0" * 9, b"\xff\xfe 9", b"x " * 2000]
)
def test_what_is_no_release_file_is_no_crash(data: bytes) -> None:
    found = parse("x-release", data)
    assert found is None or found[0] == "x"
    assert parse("passwd", data) is None
