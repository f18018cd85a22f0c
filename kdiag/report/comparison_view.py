"""What a comparison must have to be drawn as a matrix (`html.render_comparison`), and the matrix as values.

Protocols, so that whoever compares need not know this module: frozen dataclasses with these fields fit as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from kdiag.report.html_view import STATUSES, WORKS, Mark
from kdiag.report.plain import line

#: Names of machines that one column tells; the rest are counted.
_NAMES = 20


class ComparisonColumn(Protocol):
    """Machines that answered alike: a name for all of them, how many, and theirs (all, or the first few)."""

    @property
    def name(self) -> str: ...
    @property
    def count(self) -> int: ...
    @property
    def machines(self) -> Sequence[str]: ...


class ComparisonCell(Protocol):
    """What one column says. status: of `Works` (for capabilities) or `Status` (for findings); empty where it was
    not asked. because: the reason in a line. worse: it was better in the baseline.
    """

    @property
    def status(self) -> str: ...
    @property
    def because(self) -> str: ...
    @property
    def worse(self) -> bool: ...


class ComparisonRow(Protocol):
    """A capability or a finding; a cell for every column, in their order."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def cells(self) -> Sequence[ComparisonCell]: ...


class ComparisonGroup(Protocol):
    """Rows that differ for the same reason; cause: that reason in words."""

    @property
    def cause(self) -> str: ...
    @property
    def rows(self) -> Sequence[ComparisonRow]: ...


class Comparison(Protocol):
    """Machines side by side. summary: the answer in one line; same: how many rows do not differ and are left out;
    baseline: the index of the column that the others are held against, None where there is none.
    """

    @property
    def title(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def columns(self) -> Sequence[ComparisonColumn]: ...
    @property
    def groups(self) -> Sequence[ComparisonGroup]: ...
    @property
    def same(self) -> int: ...
    @property
    def baseline(self) -> int | None: ...


_MARKS = {
    "": Mark("dash", "not asked", "none"),
    **{status.value: mark for status, mark in STATUSES.items()},
    **{works.value: mark for works, mark in WORKS.items()},
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column's head. machines: names, as many as are told; more: how many are not."""

    name: str
    count: int
    machines: tuple[str, ...]
    more: int
    baseline: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its mark, and whether it got worse."""

    mark: Mark
    worse: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A row; reasons: each different reason with the names of the columns that have it."""

    id: str
    title: str
    cells: tuple[Cell, ...]
    reasons: tuple[tuple[Mark, str, str], ...]
    worse: bool


@dataclass(frozen=True, slots=True)
class Matrix:
    """The page's content; legend: the marks that occur."""

    title: str
    summary: str
    machines: int
    columns: tuple[Column, ...]
    groups: tuple[tuple[str, tuple[Row, ...]], ...]
    legend: tuple[Mark, ...]
    same: int
    worse: int


def matrix(comparison: Comparison) -> Matrix:
    """The comparison as what the template shows. Raises ValueError if a row has not a cell for every column."""
    columns = tuple(_column(c, index == comparison.baseline) for index, c in enumerate(comparison.columns))
    groups = tuple((line(g.cause), tuple(_row(r, columns) for r in g.rows)) for g in comparison.groups)
    every = [row for _, rows in groups for row in rows]
    return Matrix(
        title=line(comparison.title),
        summary=line(comparison.summary),
        machines=sum(column.count for column in columns),
        columns=columns,
        groups=groups,
        legend=tuple(sorted({cell.mark for row in every for cell in row.cells}, key=_in_legend)),
        same=comparison.same,
        worse=sum(cell.worse for row in every for cell in row.cells),
    )


def _column(column: ComparisonColumn, baseline: bool) -> Column:
    names = tuple(line(name, 200) for name in column.machines[:_NAMES])
    return Column(line(column.name, 200), column.count, names, max(0, column.count - len(names)), baseline)


def _row(row: ComparisonRow, columns: Sequence[Column]) -> Row:
    if len(row.cells) != len(columns):
        raise ValueError(f"{row.id}: {len(row.cells)} cells for {len(columns)} columns")
    cells = tuple(Cell(_mark(cell.status), cell.worse) for cell in row.cells)
    reasons: dict[tuple[Mark, str], list[str]] = {}
    for cell, shown, column in zip(row.cells, cells, columns, strict=True):
        if cell.because:
            reasons.setdefault((shown.mark, line(cell.because)), []).append(column.name)
    told = tuple((mark, because, _listed(names)) for (mark, because), names in reasons.items())
    return Row(line(row.id), line(row.title), cells, told, any(cell.worse for cell in cells))


def _mark(status: str) -> Mark:
    """A status of either kind; one that this version does not know is shown by its name."""
    return _MARKS.get(status) or Mark("ask", line(status, 40), "open")


def _in_legend(mark: Mark) -> tuple[int, str]:
    return ("good", "care", "bad", "open", "none").index(mark.tone), mark.word


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {more} more" if more > 0 else "")
