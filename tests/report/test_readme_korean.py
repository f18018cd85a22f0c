"""The Korean README keeps step with the English one: the same headings, commands, names and links."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.support.paths import REPOSITORY

_OTHER = {"README.md": "README.ko.md", "README.ko.md": "README.md"}


def read(name: str) -> list[str]:
    """The text by its sections."""
    return re.split(r"^(?=#+ )", (REPOSITORY / name).read_text(encoding="utf-8"), flags=re.MULTILINE)


SECTIONS = list(zip(read("README.md"), read("README.ko.md"), strict=True))


def commands(text: str) -> list[str]:
    return re.findall(r"^    (.+)$", text, re.MULTILINE)


def names(text: str) -> Counter[str]:
    return Counter(re.findall(r"`([^`\n]+)`", text))


def links(text: str) -> Counter[str]:
    return Counter(re.findall(r"\]\(([^)\s]+)\)", text))


def numbers(text: str) -> Counter[str]:
    return Counter(re.findall(r"\d+(?:[.-]\d+)*", text))


@pytest.mark.parametrize(
    "pair", SECTIONS, ids=[english.split("\n")[0].strip("# ") for english, _ in SECTIONS]
)
def test_a_section_says_the_same(pair: tuple[str, str]) -> None:
    english, korean = pair
    assert english.split(" ")[0] == korean.split(" ")[0], "the level of the heading"
    assert commands(english) == commands(korean)
    assert names(english) == names(korean)
    assert {*links(english)} - {*_OTHER} == {*links(korean)} - {*_OTHER}
    assert numbers(english).keys() == numbers(korean).keys()
    assert english.count("\n- ") == korean.count("\n- ") and english.count("\n|") == korean.count("\n|")


def test_each_names_the_other() -> None:
    for name, other in _OTHER.items():
        assert f"]({other})" in (REPOSITORY / name).read_text(encoding="utf-8")


def test_it_is_korean() -> None:
    hangul = [len(re.findall(r"[가-힣]", korean)) for _, korean in SECTIONS[1:]]
    assert all(count >= 20 for count in hangul), hangul


def test_every_link_leads_somewhere() -> None:
    for english, korean in SECTIONS:
        for target in {*links(english), *links(korean)}:
            if not target.startswith("https://"):
                assert (REPOSITORY / target.partition("#")[0]).exists(), target
