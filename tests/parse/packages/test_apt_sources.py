"""apt's sources in both formats."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.parse.packages.apt_sources import Source, parse

LINES = b"""# deb http://old.invalid/debian buster main
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://mirror.example/debian bookworm main contrib
deb http://security.debian.org/debian-security bookworm-security main # comment
deb-src http://mirror.example/debian trixie main
 deb  http://mirror.example/debian   bookworm-backports main
"""
STANZAS = b"""# this is a comment
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
 bookworm-proposed
Components: main

Types: deb deb-src
URIs: https://esm.ubuntu.com/fips/ubuntu
Suites: focal
Enabled: yes

Enabled: no
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm-backports

Types: deb-src
URIs: http://mirror.example/debian
Suites: sid
"""


def test_lines() -> None:
    assert parse("/etc/apt/sources.list", LINES) == (
        Source("http://mirror.example/debian", ("bookworm",)),
        Source("http://security.debian.org/debian-security", ("bookworm-security",)),
        Source("http://mirror.example/debian", ("bookworm-backports",)),
    )


def test_stanzas() -> None:
    assert parse("debian.sources", STANZAS) == (
        Source("http://mirror.example/debian", ("bookworm", "bookworm-updates", "bookworm-proposed")),
        Source("https://esm.ubuntu.com/fips/ubuntu", ("focal",)),
    )


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(["a.list", "a.sources"]), st.binary(max_size=300))
def test_any_bytes(name: str, data: bytes) -> None:
    parse(name, data)
