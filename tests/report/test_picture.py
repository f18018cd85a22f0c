"""The picture that the README opens with is what kdiag prints today; made anew by `python -m tests.support.picture`."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tests.support.paths import REPOSITORY
from tests.support.picture import IMAGES, SHOWN, Run, picture, runs, svg

_SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", SHOWN)
def test_a_picture_is_what_is_printed(name: str) -> None:
    assert (IMAGES / f"{name}.svg").read_text(encoding="utf-8") == picture(name)


def test_the_readme_opens_with_it() -> None:
    for path in ("README.md", "README.ko.md"):
        shown = re.findall(r"!\[(.+?)\]\((docs/images/[a-z]+\.svg)\)", (REPOSITORY / path).read_text("utf-8"))
        assert shown and all(told and (REPOSITORY / image).is_file() for told, image in shown)


def test_colours_and_places_are_kept() -> None:
    assert list(runs("\x1b[1;31m✗\x1b[0m  a c    d \x1b[2mb\x1b[0m")) == [
        Run(0, "✗", "31", True),
        Run(3, "a c", "", False),
        Run(10, "d", "", False),
        Run(12, "b", "2", False),
    ]


def test_a_text_is_a_text() -> None:
    page = ElementTree.fromstring(svg(["<a> & \x1b[32mb\x1b[0m", "", "c"], 'told & "so"'))
    assert [t.text for t in page.iter(f"{_SVG}text")] == ["<a> &", "b", "c"]
    assert [t.text for t in page.iter(f"{_SVG}title")] == ['told & "so"']
    assert not list(page.iter(f"{_SVG}script"))
