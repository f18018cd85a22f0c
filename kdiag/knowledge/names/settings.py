"""Capabilities and sysctls: what each one unlocks for tracing, and what it weakens. The table is settings.json,
every row with the documents or source files that say so.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, NamedTuple, TypedDict, cast

from kdiag.knowledge.tables import table

Sort = Literal["capability", "sysctl"]


class Setting(NamedTuple):
    """One capability (CAP_BPF) or sysctl (kernel.kptr_restrict).

    since: the kernel that first had it, where tracing tools meet older ones. values: each value of a sysctl and its
    meaning. findings: ids of what kdiag finds out about it. weakens: what is given away with it; empty for nothing.
    """

    name: str
    kind: Sort
    what: str
    unlocks: str
    findings: tuple[str, ...]
    sources: tuple[str, ...]
    since: str | None = None
    values: tuple[tuple[str, str], ...] = ()
    default: str = ""
    weakens: str = ""
    note: str = ""


class _Row(TypedDict, total=False):
    name: str
    kind: Sort
    what: str
    unlocks: str
    findings: str
    sources: list[str]
    since: str
    values: list[list[str]]
    default: str
    weakens: str
    note: str


@cache
def settings() -> tuple[Setting, ...]:
    """All of them, capabilities first."""
    return tuple(
        Setting(
            name=row["name"],
            kind=row["kind"],
            what=row["what"],
            unlocks=row["unlocks"],
            findings=tuple(row["findings"].split()),
            sources=tuple(row["sources"]),
            since=row.get("since"),
            values=tuple((value, meaning) for value, meaning in row.get("values", ())),
            default=row.get("default", ""),
            weakens=row.get("weakens", ""),
            note=row.get("note", ""),
        )
        for row in cast("list[_Row]", table("names/settings"))
    )
