"""Source trees: the releases that a clone has tags of, a clone without tags, or a plain directory."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

Release = tuple[int, ...]


class Tree(NamedTuple):
    """One release. files: their names, each with what tells one content from another; read: the content of one."""

    name: str
    release: Release
    files: Mapping[str, str]
    read: Callable[[str], str]


def trees(place: Path, tags: str, wanted: str, oldest: Release) -> Iterator[Tree]:
    """The trees at a place, of files whose path fits; tags: a pattern whose first group is the release."""
    files = re.compile(wanted)
    if not _is_repository(place):
        yield _directory(place, files)
        return
    releases = _releases(place, tags, oldest)
    for release, tag in releases:
        yield _revision(place, tag, release, files)
    if not releases:
        yield _revision(place, "HEAD", (), files)


def release_of(text: str) -> Release:
    """The numbers of a release."""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


def shown(release: Release) -> str:
    """A release as tables have it."""
    return ".".join(map(str, release))


def _releases(place: Path, tags: str, oldest: Release) -> list[tuple[Release, str]]:
    """Those from the oldest on, oldest first."""
    known = {
        tag: release_of(found[1])
        for tag in _git(place, "tag").decode().split()
        if (found := re.fullmatch(tags, tag)) is not None
    }
    return sorted((release, tag) for tag, release in known.items() if release >= oldest)


def _revision(place: Path, tag: str, release: Release, files: re.Pattern[str]) -> Tree:
    found = {}
    for entry in _git(place, "ls-tree", "-r", "-z", tag).decode("utf-8", "replace").split("\0"):
        kind, _, path = entry.partition("\t")
        if files.search(path) and " blob " in kind:
            found[path] = kind.split()[2]

    def read(path: str) -> str:
        return _git(place, "cat-file", "blob", found[path]).decode("utf-8", "replace")

    if not release:
        release = _of_makefile(_git(place, "show", f"{tag}:Makefile").decode("utf-8", "replace"))
    return Tree(tag, release, found, read)


def _directory(place: Path, files: re.Pattern[str]) -> Tree:
    paths = {
        str(path.relative_to(place)): str(path)
        for path in sorted(place.rglob("*"))
        if files.search(str(path.relative_to(place))) and path.is_file()
    }
    makefile = place / "Makefile"
    release = _of_makefile(makefile.read_text(errors="replace")) if makefile.is_file() else ()
    return Tree(
        place.name,
        release or release_of(place.name),
        paths,
        lambda path: (place / path).read_text(errors="replace"),
    )


def _of_makefile(text: str) -> Release:
    """Of Linux."""
    found = dict(re.findall(r"^(VERSION|PATCHLEVEL) *= *(\d+)", text, re.MULTILINE))
    return (int(found["VERSION"]), int(found["PATCHLEVEL"])) if len(found) == 2 else ()


def _is_repository(place: Path) -> bool:
    return (place / ".git").exists() or ((place / "HEAD").is_file() and (place / "objects").is_dir())


def _git(place: Path, *arguments: str) -> bytes:
    done = subprocess.run(["git", "-C", place, *arguments], check=True, capture_output=True)
    return done.stdout
