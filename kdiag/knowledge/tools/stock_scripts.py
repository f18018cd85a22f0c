"""The stock scripts of bpftrace that probe functions which some kernels do not have, by release.

A function that is static may be inlined, renamed or gone in the next kernel; its probe then has nothing to attach to.
The table is in `stock_scripts.json`; `python -m tests.support.bpftrace_sources CLONE` holds it against each release.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import NamedTuple, cast

from kdiag.knowledge.tables import table
from kdiag.knowledge.tools.behaviour import Version


class Script(NamedTuple):
    """clauses: of each, one function is enough. until: the last release that has it so, None for the newest known."""

    name: str
    since: Version
    until: Version | None
    clauses: tuple[tuple[str, ...], ...]

    def of(self, release: Version) -> bool:
        """Whether this release has the script so."""
        return self.since <= release and (self.until is None or release <= self.until)

    def lacking(self, functions: Collection[str]) -> tuple[str, ...]:
        """The functions of the first clause that has none in this kernel; () where each has one."""
        return next((clause for clause in self.clauses if not set(clause) & set(functions)), ())


def version(text: str) -> Version:
    """`0.17.1` as numbers."""
    major, minor, patch = (int(part) for part in text.split("."))
    return major, minor, patch


@cache
def scripts() -> tuple[Script, ...]:
    """All rows of the table."""
    rows = cast("Mapping[str, list[Mapping[str, object]]]", table("tools/stock_scripts"))["scripts"]
    return tuple(_script(row) for row in rows)


def _script(row: Mapping[str, object]) -> Script:
    until = cast("str | None", row.get("until"))
    return Script(
        cast("str", row["script"]),
        version(cast("str", row["since"])),
        None if until is None else version(until),
        tuple(tuple(clause) for clause in cast("list[list[str]]", row["clauses"])),
    )


def of(release: Version) -> Iterator[Script]:
    """The scripts of one release."""
    return (script for script in scripts() if script.of(release))


def functions() -> tuple[str, ...]:
    """All functions that are asked for, each once."""
    return tuple(dict.fromkeys(name for script in scripts() for clause in script.clauses for name in clause))
