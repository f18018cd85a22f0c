"""Config fragments: how they are read and merged, and that those of the repository say what their names say."""

from __future__ import annotations

import pytest

from . import build
from .errors import LabError


def test_the_last_word_on_an_option_stands() -> None:
    merged = build.merge(["CONFIG_A=y\nCONFIG_B=m\n# why\n", "# CONFIG_A is not set\nCONFIG_C=3\n"])
    assert merged == "# CONFIG_A is not set\nCONFIG_B=m\nCONFIG_C=3\n"


def test_a_comment_is_not_an_option() -> None:
    assert build.parse_fragment("# CONFIG_EXPERT off makes what is needed stay on\n\n") == {}


def test_nonsense_is_refused() -> None:
    with pytest.raises(LabError):
        build.parse_fragment("KPROBES=y\n")


def test_what_a_config_does_not_follow_is_named() -> None:
    wanted = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=m\n"
    assert build.unmet(wanted, "CONFIG_A=y\nCONFIG_C=m\n") == []
    assert build.unmet(wanted, "CONFIG_B=y\nCONFIG_C=m\n") == ["CONFIG_A=y", "# CONFIG_B is not set"]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("nobtf-ikheaders-m", ["CONFIG_DEBUG_INFO_NONE=y", "CONFIG_IKHEADERS=m"]),
        ("btf-ikheaders-m", ["CONFIG_DEBUG_INFO_BTF=y", "CONFIG_IKHEADERS=m"]),
        ("btf-ikheaders-y", ["CONFIG_DEBUG_INFO_BTF=y", "CONFIG_IKHEADERS=y"]),
        ("nokprobes", ["# CONFIG_KPROBES is not set"]),
        ("nomodules", ["# CONFIG_MODULES is not set"]),
    ],
)
def test_variants_are_what_they_are_called(name: str, lines: list[str]) -> None:
    fragment = build.fragment(build.VARIANTS[name]).splitlines()
    assert set(lines) <= set(fragment)
    assert f'CONFIG_LOCALVERSION="-lab-{name}"' in fragment


def test_a_familys_members_differ_only_where_switching_is_cheap() -> None:
    families: dict[str, list[dict[str, str]]] = {}
    for variant in build.VARIANTS.values():
        lines = build.parse_fragment(build.fragment(variant))
        for cheap in ("CONFIG_IKHEADERS", "CONFIG_LOCALVERSION"):
            lines.pop(cheap, None)
        families.setdefault(variant.family, []).append(lines)
    for members in families.values():
        assert all(lines == members[0] for lines in members)
