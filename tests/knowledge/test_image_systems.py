"""Systems that are images: recognised by os-release, and each says how a program comes onto it."""

from __future__ import annotations

import pytest

from kdiag.knowledge.image_systems import by_kind, image_system
from kdiag.parse.osrelease import OsRelease


@pytest.mark.parametrize(
    ("system", "kind"),
    [
        (OsRelease("steamos", ("arch",), "3.6"), "steamos"),
        (OsRelease("ubuntu-core", version_id="24"), "ubuntu-core"),
        (OsRelease("opensuse-microos", ("suse", "opensuse")), "microos"),
        (OsRelease("sl-micro", ("suse",), "6.1"), "microos"),
        (OsRelease("opensuse-tumbleweed", ("opensuse", "suse"), variant_id="microos"), "microos"),
        (OsRelease("haos", version_id="13.2"), "haos"),
        (OsRelease("bottlerocket", version_id="1.20.0"), "bottlerocket"),
        (OsRelease("debian", version_id="12"), None),
        (OsRelease("opensuse-tumbleweed", ("opensuse", "suse")), None),
        (OsRelease(), None),
        (None, None),
    ],
)
def test_by_os_release(system: OsRelease | None, kind: str | None) -> None:
    found = image_system(system)
    assert (found.kind if found else None) == kind


@pytest.mark.parametrize("kind", ["talos", "flatcar", "cos", "nixos", "steamos", "haos", "microos", "ostree"])
def test_each_says_how(kind: str) -> None:
    for rpm_ostree in (True, False):
        system = by_kind(kind, rpm_ostree=rpm_ostree)
        assert system.kind == kind
        assert "{package}" in system.way
        assert all("{package}" in command or "{" not in command for command in system.commands)


def test_ostree_without_rpm_ostree_layers_nothing() -> None:
    assert by_kind("ostree", rpm_ostree=True).layers
    assert not by_kind("ostree", rpm_ostree=False).commands
