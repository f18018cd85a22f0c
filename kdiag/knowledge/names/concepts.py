"""Concepts: what stands behind the names of checks and capabilities, a screen each.

The table is concepts.json, every row with the documents or source files that say so.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple, TypedDict, cast

from kdiag.knowledge.tables import table


class Concept(NamedTuple):
    """One concept. aliases: other words for it. findings, capabilities: ids of what shows how it stands on a machine.
    behind: the capabilities that are examples of it. to_try: commands.
    """

    name: str
    title: str
    text: tuple[str, ...]
    findings: tuple[str, ...]
    capabilities: tuple[str, ...]
    to_try: tuple[str, ...]
    sources: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()


_Row = TypedDict(
    "_Row",
    {
        "name": str,
        "title": str,
        "text": list[str],
        "findings": str,
        "capabilities": str,
        "try": list[str],
        "sources": list[str],
        "aliases": str,
        "behind": str,
    },
)


@cache
def concepts() -> tuple[Concept, ...]:
    """All of them, in the order in which they build on each other."""
    return tuple(
        Concept(
            row["name"],
            row["title"],
            tuple(row["text"]),
            tuple(row["findings"].split()),
            tuple(row["capabilities"].split()),
            tuple(row["try"]),
            tuple(row["sources"]),
            tuple(row.get("aliases", "").split()),
            tuple(row.get("behind", "").split()),
        )
        for row in cast("list[_Row]", table("names/concepts"))
    )


def of_capability(capability: str) -> Concept | None:
    """The concept that a capability is an example of; None for those that are examples of none."""
    return next((concept for concept in concepts() if capability in concept.behind), None)
