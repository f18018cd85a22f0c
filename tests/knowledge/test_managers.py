"""Which package manager a distribution has."""

from __future__ import annotations

import pytest

from kdiag.knowledge.managers import family_of
from kdiag.parse.osrelease import OsRelease


@pytest.mark.parametrize(
    ("system", "database", "manager"),
    [
        (OsRelease("debian", version_id="12"), "dpkg", "apt"),
        (OsRelease("pop", ("ubuntu", "debian"), "22.04"), "dpkg", "apt"),
        (OsRelease("fedora", version_id="41"), "rpm", "dnf"),
        (OsRelease("bazzite", ("fedora",), "40"), "rpm", "dnf"),
        (OsRelease("centos", ("rhel", "fedora"), "7"), "rpm", "yum"),
        (OsRelease("rhel", ("fedora",), "7.9"), "rpm", "yum"),
        (OsRelease("centos", ("rhel", "fedora"), "8"), "rpm", "dnf"),
        (OsRelease("amzn", ("centos", "rhel", "fedora"), "2"), "rpm", "yum"),
        (OsRelease("amzn", ("fedora",), "2023"), "rpm", "dnf"),
        (OsRelease("opensuse-slowroll", ("opensuse", "suse")), "rpm", "zypper"),
        (OsRelease("azurelinux", version_id="3.0"), "rpm", "tdnf"),
        (OsRelease("endeavouros", ("arch",)), "pacman", "pacman"),
        (OsRelease("alpine", version_id="3.22"), "apk", "apk"),
        (OsRelease("void"), "xbps", "xbps"),
    ],
)
def test_by_os_release(system: OsRelease, database: str, manager: str) -> None:
    family = family_of(system)
    assert family is not None
    assert (family.database, family.managers[0]) == (database, manager)


@pytest.mark.parametrize("system", [None, OsRelease(), OsRelease("unheardof", ("likewise",))])
def test_unknown(system: OsRelease | None) -> None:
    assert family_of(system) is None
