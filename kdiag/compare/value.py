"""A comparison as a value: columns of machines that answered alike, rows of what differs, grouped by cause.

The fields that `kdiag.compare.view` asks for are all here; renderers only read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

#: A machine's properties in the order in which they are told (fields of kdiag.model.MachineInfo).
PROPERTIES = ("release", "arch", "kernel", "distribution", "container", "vm", "bpftrace", "user")


@dataclass(frozen=True, slots=True)
class Column:
    """Machines that answered alike. key: a short name; name: a telling one; values: of each property, the values
    that occur with the number of machines, most frequent first.
    """

    key: str
    name: str
    count: int
    machines: tuple[str, ...]
    values: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]


class Cell(NamedTuple):
    """What a column says about a row. status: of Works or Status, empty where it was not asked; because: in a line;
    cause: id of the finding at the root of it; worse: it was better in the baseline.
    """

    status: str
    because: str = ""
    cause: str = ""
    worse: bool = False


class Row(NamedTuple):
    """A capability or a finding (`kind`) with a cell for every column. machines: how many it does not (fully) work
    on, or are not as they should be, the columns that are not shown included.
    """

    kind: str
    id: str
    title: str
    cells: tuple[Cell, ...]
    machines: int


class Group(NamedTuple):
    """Rows that differ for the same reason. id: of the finding at the root, empty if none explains it; cause: that
    in words; machines: on how many.
    """

    id: str
    cause: str
    machines: int
    rows: tuple[Row, ...]


class Link(NamedTuple):
    """A finding in a chain of causes."""

    id: str
    summary: str


class Change(NamedTuple):
    """What became of a capability since the baseline.

    kind: `lost` (worked, fails), `unknown` (worked, cannot be told), `worse` (works with a caveat only now) or
    `gained`. columns: keys; because and chain: the new cause, from what decides to the root; next: a command for it.
    """

    kind: str
    id: str
    title: str
    was: str
    now: str
    machines: int
    columns: tuple[str, ...]
    because: str
    chain: tuple[Link, ...]
    next: str


class Comparison(NamedTuple):
    """Machines side by side. total: machines without the baseline; hidden: columns that are left out, and their
    machines; alike: rows that are the same in every column; baseline: the index of its column, or None; skipped:
    inputs that could not be read, with the reason; information: whether what the kernels say of themselves is the same
    (kdiag.compare.information), in sentences.
    """

    title: str
    summary: str
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    alike: tuple[Row, ...]
    baseline: int | None
    changes: tuple[Change, ...]
    total: int
    kinds: int
    hidden: tuple[int, int]
    skipped: tuple[tuple[str, str], ...] = ()
    information: tuple[str, ...] = ()

    @property
    def same(self) -> int:
        """How many rows do not differ."""
        return len(self.alike)
