"""What a comparison must have to be drawn as a page (`kdiag.compare.html`), and the page's content as values.

Protocols, so that the comparison need not import this module: frozen dataclasses with these fields fit as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from kdiag.compare.naming import in_words, machine_names
from kdiag.report.faces.html_view import STATUSES, WORKS, Mark
from kdiag.report.faces.plain import line

#: Names of machines or columns that one place shows; the rest are counted.
_NAMES = 20


class ComparisonColumn(Protocol):
    """Machines that answered alike. key: a short name; name: a telling one; machines: all, or the first few;
    values: of each property (release, ...), the values that occur with the number of machines.
    """

    @property
    def key(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def count(self) -> int: ...
    @property
    def machines(self) -> Sequence[str]: ...
    @property
    def values(self) -> Sequence[tuple[str, Sequence[tuple[str, int]]]]: ...


class ComparisonCell(Protocol):
    """What one column says. status: of `Works` (for capabilities) or `Status` (for findings), empty where it was
    not asked; because: in a line; cause: id of the finding at the root; worse: it was better in the baseline.
    """

    @property
    def status(self) -> str: ...
    @property
    def because(self) -> str: ...
    @property
    def cause(self) -> str: ...
    @property
    def worse(self) -> bool: ...


class ComparisonRow(Protocol):
    """A capability or a finding (`kind`); a cell for every column, in their order."""

    @property
    def kind(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def cells(self) -> Sequence[ComparisonCell]: ...


class ComparisonGroup(Protocol):
    """Rows that differ for the same reason. id: of the finding at the root; cause: that in words; machines: on how
    many. A row may be in several groups.
    """

    @property
    def id(self) -> str: ...
    @property
    def cause(self) -> str: ...
    @property
    def machines(self) -> int: ...
    @property
    def rows(self) -> Sequence[ComparisonRow]: ...


class ComparisonLink(Protocol):
    """A finding in a chain of causes."""

    @property
    def id(self) -> str: ...
    @property
    def summary(self) -> str: ...


class ComparisonChange(Protocol):
    """What became of a capability since the baseline. kind: `lost`, `unknown`, `worse` or `gained`; was and now:
    of `Works`; columns: keys; chain: from what decides to the root; next: a command.
    """

    @property
    def kind(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def was(self) -> str: ...
    @property
    def now(self) -> str: ...
    @property
    def machines(self) -> int: ...
    @property
    def columns(self) -> Sequence[str]: ...
    @property
    def because(self) -> str: ...
    @property
    def chain(self) -> Sequence[ComparisonLink]: ...
    @property
    def next(self) -> str: ...


class Comparison(Protocol):
    """Machines side by side. summary: the answer in one line; same: how many rows do not differ and are left out;
    baseline: the index of the column that the others are held against, or None; total: machines without it; hidden:
    columns that are left out, and their machines; skipped: inputs that could not be read, with the reason.
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
    def changes(self) -> Sequence[ComparisonChange]: ...
    @property
    def same(self) -> int: ...
    @property
    def baseline(self) -> int | None: ...
    @property
    def total(self) -> int: ...
    @property
    def hidden(self) -> tuple[int, int]: ...
    @property
    def skipped(self) -> Sequence[tuple[str, str]]: ...
    @property
    def information(self) -> Sequence[str]: ...


_MARKS = {
    "": Mark("dash", "not asked", "none"),
    **{status.value: mark for status, mark in STATUSES.items()},
    **{works.value: mark for works, mark in WORKS.items()},
}
#: The words of capabilities come first.
_WORDS = {mark.word: -1 for mark in WORKS.values()}
_TONES = ("good", "care", "bad", "open", "none")
_KINDS = {
    "lost": Mark("no", "worked before, fails now", "bad"),
    "unknown": Mark("ask", "worked before, cannot be told now", "open"),
    "worse": Mark("part", "works with a caveat only now", "care"),
    "gained": Mark("yes", "works now", "good"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column's head. title: the machine, or what several have in common; name: the input; about: its properties in
    words; more: machines that are not named.
    """

    key: str
    title: str
    name: str
    count: int
    about: str
    machines: tuple[str, ...]
    more: int
    baseline: bool


class Cell(NamedTuple):
    """A cell. faded: its reason is another one than that of the group it is shown in."""

    mark: Mark
    worse: bool
    faded: bool = False


class Row(NamedTuple):
    """A row; reasons: each different reason with the columns that have it."""

    id: str
    title: str
    cells: tuple[Cell, ...]
    reasons: tuple[tuple[Mark, str, str], ...]


class Cause(NamedTuple):
    """Why things differ: the findings that it shows in, and the capabilities that it decides."""

    id: str
    cause: str
    machines: int
    rows: tuple[Row, ...]
    affects: tuple[str, ...]


class Change(NamedTuple):
    """What became of some capabilities, for the same reason and in the same columns."""

    mark: Mark
    titles: tuple[str, ...]
    where: str
    because: str
    chain: tuple[tuple[str, str], ...]
    next: str


class Matrix(NamedTuple):
    """The page's content; legend: the marks that occur; worse: whether something is; rest: what is not shown."""

    title: str
    summary: str
    information: tuple[str, ...]
    tone: str
    total: int
    columns: tuple[Column, ...]
    capabilities: tuple[Row, ...]
    causes: tuple[Cause, ...]
    changes: tuple[Change, ...]
    legend: tuple[Mark, ...]
    worse: bool
    same: int
    rest: str
    skipped: tuple[tuple[str, str], ...]


def matrix(comparison: Comparison) -> Matrix:
    """The comparison as what the template shows. Raises ValueError if a row has not a cell for every column."""
    called = iter(machine_names([c.name for c in comparison.columns if c.count == 1]))
    titles = [next(called) if c.count == 1 else c.name for c in comparison.columns]
    columns = tuple(
        _column(c, title, index == comparison.baseline)
        for index, (c, title) in enumerate(zip(comparison.columns, titles, strict=True))
    )
    every = {(row.kind, row.id): row for group in comparison.groups for row in group.rows}
    capabilities = tuple(_row(row, columns) for (kind, _), row in every.items() if kind == "capability")
    causes = tuple(_cause(group, columns) for group in comparison.groups)
    shown = [cell for row in (*capabilities, *(r for c in causes for r in c.rows)) for cell in row.cells]
    marks = {cell.mark for cell in shown}
    kinds = {change.kind for change in comparison.changes}
    hidden, machines = comparison.hidden
    return Matrix(
        title=line(comparison.title),
        summary=line(comparison.summary),
        information=tuple(line(sentence) for sentence in comparison.information),
        tone="bad" if "lost" in kinds else "open" if "unknown" in kinds else "none",
        total=comparison.total,
        columns=columns,
        capabilities=capabilities,
        causes=causes,
        changes=tuple(_changes(comparison)),
        legend=_legend(marks),
        worse=any(cell.worse for cell in shown),
        same=comparison.same,
        rest=f"{hidden:,} more columns ({machines:,} machines) are not shown" if hidden else "",
        skipped=tuple((line(name, 300), line(why)) for name, why in comparison.skipped),
    )


def _legend(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """Each sign once, with all words that stand for it: a capability `works`, a finding is `ok`."""
    words: dict[tuple[str, str], list[str]] = {}
    for mark in sorted(
        marks, key=lambda mark: (_TONES.index(mark.tone), _WORDS.get(mark.word, 0), mark.word)
    ):
        words.setdefault((mark.icon, mark.tone), []).append(mark.word)
    return tuple(Mark(icon, ", ".join(said), tone) for (icon, tone), said in words.items())


def _column(column: ComparisonColumn, title: str, baseline: bool) -> Column:
    names = tuple(line(name, 200) for name in column.machines[:_NAMES])
    told = []
    for name, values in column.values:
        if values and values[0][0]:
            first = in_words(name, values[0][0])
            others = len(values) - 1
            told.append(line(first, 200) + (f" (and {others} more)" if others else ""))
    return Column(
        line(column.key, 40),
        line(title, 100),
        line(column.name, 200),
        column.count,
        " · ".join(told),
        names,
        max(0, column.count - len(names)),
        baseline,
    )


def _cause(group: ComparisonGroup, columns: Sequence[Column]) -> Cause:
    return Cause(
        line(group.id),
        line(group.cause),
        group.machines,
        tuple(_row(row, columns, group.id) for row in group.rows if row.kind != "capability"),
        tuple(line(row.title) for row in group.rows if row.kind == "capability"),
    )


def _row(row: ComparisonRow, columns: Sequence[Column], cause: str = "") -> Row:
    if len(row.cells) != len(columns):
        raise ValueError(f"{row.id}: {len(row.cells)} cells for {len(columns)} columns")
    cells = tuple(
        Cell(_mark(cell.status), cell.worse, bool(cause and cell.cause and cell.cause != cause))
        for cell in row.cells
    )
    reasons: dict[tuple[Mark, str], list[str]] = {}
    for cell, shown, column in zip(row.cells, cells, columns, strict=True):
        if cell.because:
            reasons.setdefault((shown.mark, line(cell.because)), []).append(column.key)
    told = tuple((mark, because, _listed(keys)) for (mark, because), keys in reasons.items())
    return Row(line(row.id), line(row.title), cells, told)


def _changes(comparison: Comparison) -> Iterable[Change]:
    """What has the same reason in the same columns is told together."""
    together: dict[tuple[object, ...], list[ComparisonChange]] = {}
    for change in comparison.changes:
        chain = tuple((link.id, link.summary) for link in change.chain)
        key = (change.kind, tuple(change.columns), change.because, chain, change.next)
        together.setdefault(key, []).append(change)
    for first, *others in together.values():
        where = (
            f"{_listed([line(key, 40) for key in first.columns])} ({first.machines} of {comparison.total})"
        )
        yield Change(
            mark=_KINDS.get(first.kind) or Mark("ask", line(first.kind, 40), "open"),
            titles=tuple(line(change.title) for change in (first, *others)),
            where=where,
            because=line(first.because),
            chain=tuple((line(link.id), line(link.summary)) for link in first.chain),
            next=line(first.next),
        )


def _mark(status: str) -> Mark:
    """A status of either kind; one that this version does not know is shown by its name."""
    return _MARKS.get(status) or Mark("ask", line(status, 40), "open")


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {more} more" if more > 0 else "")
