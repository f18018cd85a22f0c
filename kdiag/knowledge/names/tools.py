"""Names of tools, and the collections that have one of this name; the table is tools.json."""

from __future__ import annotations

from functools import cache
from typing import cast

from kdiag.knowledge.tables import table

COLLECTIONS = ("bpftrace", "bcc", "libbpf-tools")


@cache
def collections() -> dict[str, tuple[str, ...]]:
    """The collections that have a tool, by its name."""
    rows = cast("dict[str, str]", table("names/tools"))
    found: dict[str, tuple[str, ...]] = {}
    for collection in COLLECTIONS:
        for name in rows[collection].split():
            found[name] = (*found.get(name, ()), collection)
    return found
