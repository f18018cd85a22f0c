"""What bpftrace was seen to do, or must do by its source: `tests/observations`, a table for each situation.

A cell is a word of `CELLS`; "-" is a cell that was not looked at, or that ended without an answer (killed after minutes
of compiling). The machine is described as `tests/support/machine_data.py` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from kdiag.model import Works
from tests.support import machine_data, toml
from tests.support.description import Description
from tests.support.paths import REPOSITORY

PLACE = REPOSITORY / "tests" / "observations"

Cell = frozenset[Works]
CELLS: dict[str, Cell | None] = {
    "yes": frozenset({Works.WORKS}),
    "no": frozenset({Works.FAILS}),
    # Part of what the capability means works: some headers compile, some of the stock tools run.
    "partly": frozenset({Works.CAVEAT}),
    # It worked, with complaints, or the part that does not work is beside the point.
    "mostly": frozenset({Works.WORKS, Works.CAVEAT}),
    # Nothing works, or only what needs nothing of what is missing.
    "little": frozenset({Works.FAILS, Works.CAVEAT}),
    "-": None,
}


class Observation(NamedTuple):
    """One cell: in this situation this release of bpftrace did this for a capability, or a letter for one."""

    situation: str
    machine: dict[str, Any]
    version: str
    name: str
    seen: Cell

    def build(self) -> Description:
        """The machine of the situation."""
        return machine_data.machine(self.machine)


def observations(table: str) -> Iterator[Observation]:
    """The cells of a table: for each situation a row for each capability, with a column for each release."""
    data = toml.read(PLACE / f"{table}.toml")
    for situation in data["situation"]:
        versions = data.get("bpftrace") or [situation["bpftrace"]]
        for name, row in situation["seen"].items():
            for version, word in zip(versions, row.split(), strict=True):
                if (cell := CELLS[word]) is not None:
                    yield Observation(situation["name"], situation["machine"], version, name, cell)


def decided_by_source() -> Iterator[Observation]:
    """What follows for releases on both sides of a change in bpftrace's source."""
    for rule in toml.read(PLACE / "source.toml")["situation"]:
        for version, word in rule["follows"].items():
            cell = CELLS[word]
            assert cell is not None, rule["name"]
            yield Observation(rule["name"], rule["machine"], version, rule["capability"], cell)
