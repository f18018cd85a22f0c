"""Releases of tools as numbers, and in words."""

from __future__ import annotations

import re

Version = tuple[int, int, int]

_RELEASE = re.compile(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?")


def version(text: str | None) -> Version | None:
    """The numbers of a release, None for none. Raises ValueError for what is none."""
    if text is None:
        return None
    found = _RELEASE.fullmatch(text)
    if found is None:
        raise ValueError(f"not a release: {text}")
    return (int(found[1]), int(found[2] or 0), int(found[3] or 0))


def shown(release: Version) -> str:
    """As people write it: without a last number that is 0."""
    major, minor, patch = release
    return f"{major}.{minor}.{patch}" if patch else f"{major}.{minor}"


def contains(since: Version | None, until: Version | None, release: Version) -> bool:
    """Whether a release lies between two, inclusive; None is unbounded."""
    return (since is None or since <= release) and (until is None or release <= until)


def which(since: Version | None, until: Version | None) -> str:
    """The releases between two in words, empty for all: `0.21 and newer`."""
    if since is None:
        return "" if until is None else f"{shown(until)} and older"
    if until is None:
        return f"{shown(since)} and newer"
    return shown(since) if since == until else f"{shown(since)} to {shown(until)}"
