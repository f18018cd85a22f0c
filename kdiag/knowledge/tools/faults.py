"""Pairs of a release of bpftrace and a kernel that are known to be broken: `faults.json`, each row with its source.

Read from bpftrace's changelog, all of it from 0.11 on, and from the commits that mended them. What the table of
behaviours has a field for (`kdiag.knowledge.tools.behaviour`) is not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple, cast

from kdiag.knowledge.tables import table
from kdiag.knowledge.tools.behaviour import Version

#: What else has to be true of the machine: `checks.builds` knows how to look.
WHERE = frozenset({"", "kprobe-multi", "kprobe-session", "kasan-arm64", "type-tags", "container"})


class Fault(NamedTuple):
    """since, until: releases of bpftrace that have it. kernel_since, kernel_until: Linux by its first two numbers, None
    for all. where: see `WHERE`. capability: what works less for it, "" for what is no capability of its own; all: it
    does not work at all. says: for people. source: the commit that mended it.
    """

    id: str
    since: Version
    until: Version
    kernel_since: tuple[int, int] | None
    kernel_until: tuple[int, int] | None
    where: str
    capability: str
    all: bool
    says: str
    source: str

    def of(self, release: Version, kernel: tuple[int, ...]) -> bool:
        """Whether this release on this kernel is such a pair, as far as their numbers tell."""
        line = (kernel[0], kernel[1])
        return (
            self.since <= release <= self.until
            and (self.kernel_since is None or line >= self.kernel_since)
            and (self.kernel_until is None or line <= self.kernel_until)
        )


@cache
def faults() -> tuple[Fault, ...]:
    """All rows of the table."""
    rows = cast("Mapping[str, list[Mapping[str, str | bool]]]", table("tools/faults"))["faults"]
    return tuple(_fault(row) for row in rows)


def _fault(row: Mapping[str, str | bool]) -> Fault:
    texts = {key: value for key, value in row.items() if isinstance(value, str)}
    since, until = (_numbers(texts[key]) for key in ("since", "until"))
    lines = [_numbers(texts[key])[:2] if key in texts else None for key in ("kernel_since", "kernel_until")]
    return Fault(
        texts["id"],
        cast("Version", since),
        cast("Version", until),
        cast("tuple[int, int] | None", lines[0]),
        cast("tuple[int, int] | None", lines[1]),
        texts.get("where", ""),
        texts.get("capability", ""),
        bool(row.get("all")),
        texts["says"],
        texts["source"],
    )


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def finding_id(fault: Fault) -> str:
    """The finding that says whether this machine has it."""
    return f"tools.bpftrace-fault.{fault.id}"
