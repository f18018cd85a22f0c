"""A recognised environment."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A recognised environment. kind: stable word; name: for people; signs: (path, what was seen)."""

    kind: str
    name: str
    signs: tuple[tuple[str, str], ...]
