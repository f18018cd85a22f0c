"""A comparison for a terminal: who is compared, what was lost, what differs and why, in a matrix of marks."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.compare.naming import common_values, directory_of, names, own_values
from kdiag.compare.value import Cell, Change, Comparison, Group, Row
from kdiag.console.wrap import pad, wrap
from kdiag.model import Status, Works
from kdiag.report.terminal.page import Page

#: Columns of the matrix that fit beside titles; the most frequent machines come first.
_MOST = 14
_TITLE = 30
_NAMES = 2

_CHANGES = {
    "lost": ("bad", "Worked before, fails now"),
    "unknown": ("open", "Worked before, cannot be told now"),
    "worse": ("care", "Works with a caveat now"),
    "gained": ("good", "Failed before, works now"),
}


def render(
    comparison: Comparison,
    *,
    width: int = 80,
    color: bool = False,
    verbose: bool = False,
    unicode: bool = True,
) -> str:
    """The whole text, ending in a newline."""
    page = Page(width, color, verbose, unicode)
    room = max(1, (page.room - _TITLE) // (_key_width(comparison) + 2))
    shown = min(_MOST, room, len(comparison.columns))
    lines = [*page.text(comparison.summary, 0, "bold"), ""]
    lines += _columns(comparison, page, shown)
    for sentence in comparison.information:
        lines += [*page.text(sentence, 0, rest=2), ""]
    lines += _changes(comparison, page)
    lines += _differences(comparison, page, shown)
    lines += _alike(comparison, page)
    lines += [
        line for name, why in comparison.skipped for line in page.text(f"skipped {name}: {why}", 0, rest=2)
    ]
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def _key_width(comparison: Comparison) -> int:
    return max((len(column.key) for column in comparison.columns), default=1)


def _columns(comparison: Comparison, page: Page, shown: int) -> Iterator[str]:
    """The legend: what each column stands for. What all have in common is told once."""
    common = common_values(comparison)
    if common:
        yield from page.text(f"all: {page.dot.join(common)}", 2, rest=4)
        yield ""
    key_width = _key_width(comparison)
    count_width = max((len(str(column.count)) for column in comparison.columns), default=1)
    start = directory_of(comparison)
    for index, column in enumerate(comparison.columns[:shown]):
        base = index == comparison.baseline
        head = f"  {pad(column.key, key_width)}  {'' if base else column.count:>{count_width}}  "
        words = page.dot.join(filter(None, (names(column, start, _NAMES), *own_values(column, common))))
        for number, line in enumerate(wrap(page.clean(words), page.room - len(head))):
            yield (page.paint(head, "bold") if number == 0 else " " * len(head)) + line
    hidden = len(comparison.columns) - shown + comparison.hidden[0]
    if hidden > 0:
        told = sum(c.count for i, c in enumerate(comparison.columns[:shown]) if i != comparison.baseline)
        words = f"and {hidden} kinds more ({comparison.total - told} machines): --format json has all"
        yield from page.text(words, 2)
    yield ""


def _changes(comparison: Comparison, page: Page) -> Iterator[str]:
    """What became of what worked on the baseline."""
    for kind, (style, heading) in _CHANGES.items():
        some = [change for change in comparison.changes if change.kind == kind]
        if not some:
            continue
        yield page.paint(heading, "bold", style)
        yield ""
        if kind in ("worse", "gained") and not page.verbose:
            yield from page.text(", ".join(dict.fromkeys(change.title for change in some)), 2)
            yield ""
            continue
        for change in some:
            yield from _change(change, comparison, page)


def _change(change: Change, comparison: Comparison, page: Page) -> Iterator[str]:
    mark = page.works_mark(Works(change.now or "unknown"))
    where = (
        ""
        if comparison.total == 1
        else f" ({change.machines} of {comparison.total}: {_listed(change.columns)})"
    )
    first, *rest = page.text(change.title + where, 2, rest=4)
    yield f"{mark} {first.strip()}"
    yield from rest
    yield from page.labelled("because", change.because)
    chain = [link for link in change.chain if link.summary != change.because]
    for link in chain:
        yield from page.labelled("", f"{link.id}: {link.summary}")
    if change.next:
        yield page.command(change.next, "try")
    yield ""


def _listed(keys: tuple[str, ...]) -> str:
    return ", ".join(keys[:6]) + (f" and {len(keys) - 6} more" if len(keys) > 6 else "")


def _differences(comparison: Comparison, page: Page, shown: int) -> Iterator[str]:
    groups = [g for g in comparison.groups if page.verbose or any(r.kind == "capability" for r in g.rows)]
    if groups:
        yield from _heading(comparison, page, shown, "What differs")
    for group in groups:
        yield from _group(group, comparison, page, shown)
        yield ""
    cells = ((c, r.kind, g) for g in groups for r in g.rows for c in r.cells[:shown])
    if any(_elsewhere(*cell) for cell in cells):
        yield page.paint(f"{'·' if page.unicode else '.'} for another reason, told elsewhere", "dim")
        yield ""
    others = [g for g in comparison.groups if g not in groups]
    if others:
        names = ", ".join(group.id for group in others)
        yield from page.text(
            f"{len(others)} findings differ without effect on what works (--verbose): {names}", 0, "dim"
        )
        yield ""


def _heading(comparison: Comparison, page: Page, shown: int, words: str) -> Iterator[str]:
    keys = "".join(f"  {pad(c.key, _key_width(comparison))}" for c in comparison.columns[:shown])
    yield page.paint(pad(words, _title_width(comparison, page, shown)) + keys, "bold")
    yield ""


def _title_width(comparison: Comparison, page: Page, shown: int) -> int:
    return page.room - shown * (_key_width(comparison) + 2)


def _group(group: Group, comparison: Comparison, page: Page, shown: int) -> Iterator[str]:
    """The root cause over the whole width, then the rows that wait for it."""
    share = f"on {group.machines} of {comparison.total}"
    words = group.cause.removeprefix(f"{group.id}: ")
    yield from page.text(f"{words} ({share})", 0, "bold", rest=2)
    for row in group.rows:
        yield from _row(row, group, comparison, page, shown)


def _row(row: Row, group: Group, comparison: Comparison, page: Page, shown: int) -> Iterator[str]:
    room = _title_width(comparison, page, shown)
    words = page.clean((row.kind == "capability" and row.title) or row.id)
    lines = wrap(words, room - 6) or [""]
    marks = [_mark(cell, row.kind, group, page) for cell in row.cells[:shown]]
    key_width = _key_width(comparison)
    cells = "".join(f"  {mark}{' ' * (key_width - 1)}" for mark in marks)
    indent = "    " if row.kind == "capability" else "  "
    yield f"{indent}{pad(lines[0], room - len(indent))}{cells}"
    yield from (f"      {line}" for line in lines[1:])


def _mark(cell: Cell, kind: str, group: Group, page: Page) -> str:
    if not cell.status:
        return page.paint("-", "dim")
    if _elsewhere(cell, kind, group):
        return page.paint("·" if page.unicode else ".", "dim")
    return (
        page.works_mark(Works(cell.status)) if kind == "capability" else page.status_mark(Status(cell.status))
    )


def _elsewhere(cell: Cell, kind: str, group: Group) -> bool:
    """Whether something does not work for a reason that another group gives."""
    return kind == "capability" and bool(cell.cause) and cell.cause != group.id


def _alike(comparison: Comparison, page: Page) -> Iterator[str]:
    """What is the same on all of them, in a sentence for each status."""
    heads = {
        "works": "Works everywhere",
        "caveat": "Works with a caveat everywhere",
        "fails": "Fails everywhere",
    }
    if comparison.total + (comparison.baseline is not None) < 2:
        return
    for status, head in heads.items():
        titles = [r.title for r in comparison.alike if r.kind == "capability" and r.cells[0].status == status]
        if titles:
            yield page.paint(head, "bold")
            yield from page.text(", ".join(titles), 2)
            yield ""
