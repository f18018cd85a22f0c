"""xbps: Void Linux's list of packages."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.parse.errors import ParseError
from kdiag.parse.packages import Package, xbps

HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0">\n<dict>\n'


def entry(name: str, version: str, state: str = "installed") -> bytes:
    return (
        f"<key>{name}</key>\n<dict>\n\t<key>architecture</key>\n\t<string>x86_64</string>\n"
        f"\t<key>pkgver</key>\n\t<string>{name}-{version}</string>\n"
        "\t<key>run_depends</key>\n\t<array><string>linux6.12-headers&gt;=6.12_1</string></array>\n"
        f"\t<key>state</key>\n\t<string>{state}</string>\n</dict>\n"
    ).encode()


def test_packages_and_their_versions() -> None:
    data = (
        HEAD + entry("linux6.12-headers", "6.12.52_1") + entry("linux-headers", "6.12_1") + b"</dict></plist>"
    )
    assert xbps.installed(data, lambda name: name == "linux6.12-headers") == (
        Package("linux6.12-headers", "6.12.52_1"),
    )


def test_what_is_not_whole_is_not_installed() -> None:
    data = HEAD + entry("linux6.6", "6.6.99_1", "half-unpacked") + entry("linux6.12", "6.12.52_1")
    assert [p.name for p in xbps.installed(data, lambda _: True)] == ["linux6.12"]


@pytest.mark.parametrize("data", [b"", b"Package: bash\n", b"\0" * 100])
def test_something_else_is_said_to_be(data: bytes) -> None:
    with pytest.raises(ParseError):
        xbps.installed(data, lambda _: True)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    xbps.installed(HEAD + data, lambda _: True)
