"""From which release to which each text stands in a tool's sources."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.support.message_sources.template import Template
from tests.support.message_sources.tools import TOOLS
from tests.support.message_sources.trees import Release, Tree, trees


class Stands(NamedTuple):
    """first: the oldest release that was read and has it; last: the newest, None where that is the newest of all;
    place: where the newest that has it says so.
    """

    text: str
    first: Release
    last: Release | None
    place: str


class Sources(NamedTuple):
    """What was read: the releases, oldest first, and the texts."""

    releases: tuple[Release, ...]
    texts: tuple[Stands, ...]


def sources(tool: str, places: Iterable[Path]) -> Sources:
    """The texts of all trees at these places."""
    how = TOOLS[tool]
    opened = [tree for place in places for tree in trees(place, how.tags, how.files, how.oldest)]
    opened.sort(key=lambda tree: tree.release)
    first: dict[str, Release] = {}
    last: dict[str, Release] = {}
    place: dict[str, str] = {}
    known: dict[tuple[str, str], tuple[Template, ...]] = {}
    for tree in opened:
        for template in _in_tree(tool, tree, known):
            first.setdefault(template.text, tree.release)
            if last.get(template.text) != tree.release:
                place[template.text] = template.place
            last[template.text] = tree.release
    newest = opened[-1].release if opened else ()
    return Sources(
        tuple(dict.fromkeys(tree.release for tree in opened)),
        tuple(
            Stands(text, first[text], None if last[text] == newest else last[text], place[text])
            for text in sorted(first)
        ),
    )


def _in_tree(tool: str, tree: Tree, known: dict[tuple[str, str], tuple[Template, ...]]) -> Iterable[Template]:
    """Most files of a release are those of the one before."""
    for path, content in sorted(tree.files.items()):
        if (path, content) not in known:
            known[path, content] = tuple(TOOLS[tool].read(tree.read(path), path))
        yield from known[path, content]
