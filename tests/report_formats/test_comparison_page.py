"""The comparison as a page: the matrix, its escaping, and that it fits a screen by scrolling inside."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from format_samples import HOSTILE
from test_html import TAGS, Page, ask, without_policy

from kdiag.report.comparison_view import Comparison, matrix
from kdiag.report.html import render_comparison


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    count: int
    machines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    status: str
    because: str = ""
    worse: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    title: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Group:
    cause: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Machines:
    """Frozen dataclasses fit the protocols as they are: mypy proves it where `Comparison` is asked for."""

    title: str
    summary: str
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    same: int = 0
    baseline: int | None = None


def sample(columns: int = 4, text: str = "") -> Machines:
    statuses = ("works", "caveat", "fails", "unknown", "ok", "warn", "fail", "skip", "")
    cells = tuple(
        Cell(statuses[i % len(statuses)], f"why {i}{text}", worse=bool(i == 2)) for i in range(columns)
    )
    return Machines(
        f"title{text}",
        f"summary{text}",
        tuple(
            Column(f"column {i}{text}", i + 1, tuple(f"m{n}{text}" for n in range(i + 1)))
            for i in range(columns)
        ),
        (
            Group(f"first cause{text}", (Row(f"a{text}", f"A{text}", cells), Row("b", "B", cells[::-1]))),
            Group("second cause", (Row("c", "C", cells),)),
        ),
        same=7,
        baseline=0,
    )


def test_the_matrix_as_values() -> None:
    wanted: Comparison = sample()
    view = matrix(wanted)
    assert (view.machines, len(view.columns), view.same, view.worse) == (10, 4, 7, 3)
    assert [c.baseline for c in view.columns] == [True, False, False, False]
    assert [cell.mark.word for cell in view.groups[0][1][0].cells] == [
        "works",
        "with a caveat",
        "does not work",
        "cannot tell",
    ]
    assert [mark.word for mark in view.legend] == ["works", "with a caveat", "does not work", "cannot tell"]
    assert view.groups[0][1][0].reasons[2][1:] == ("why 2", "column 2")


def test_columns_with_one_reason_are_told_together() -> None:
    cells = tuple(Cell("fails", "the same") for _ in range(30))
    columns = tuple(Column(f"c{i}", 1) for i in range(30))
    (group,) = matrix(Machines("t", "s", columns, (Group("g", (Row("r", "R", cells),)),))).groups
    ((mark, because, names),) = group[1][0].reasons
    assert (mark.word, because) == ("does not work", "the same")
    assert names.startswith("c0, c1, ") and names.endswith("c19 and 10 more")


def test_the_page() -> None:
    page = Page(render_comparison(sample()))
    assert {tag for tag, _ in page.tags} <= TAGS | {"h2"}
    for words in (
        "title", "summary", "10 machines", "4 different answers", "7 rows are the same everywhere",
        "3 worse than the baseline", "column 3 ×4", "first cause", "why 2 column 2", "does not work worse",
    ):  # fmt: skip
        assert words in page.text, words
    rows = [tag for tag, _ in page.tags if tag == "tr"]
    cells = [attributes for tag, attributes in page.tags if tag == "td"]
    assert (len(rows), len(cells)) == (1 + 2 + 3, 3 * 4)
    assert sum("worse" in str(a["class"]) for a in cells) == 3


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_strings_stay_text(text: str) -> None:
    page = Page(render_comparison(sample(text=text)))
    assert {tag for tag, _ in page.tags} <= TAGS
    assert [tag for tag, _ in page.tags].count("h1") == 1
    if text.isprintable() and text.strip():
        assert page.text.count(" ".join(text.split())) > 10


def test_a_row_without_a_cell_for_every_column_is_refused() -> None:
    broken = Machines(
        "t", "s", (Column("a", 1), Column("b", 1)), (Group("g", (Row("r", "R", (Cell("ok"),)),)),)
    )
    with pytest.raises(ValueError, match="r: 1 cells for 2 columns"):
        render_comparison(broken)


def test_nothing_differs() -> None:
    page = Page(render_comparison(Machines("t", "all alike", (Column("all", 10_000),), ())))
    assert "all alike" in page.text and "Nothing differs." in page.text and "10000 machines" in page.text


def test_a_status_of_a_later_version_is_shown_by_its_name() -> None:
    columns: Sequence[Column] = (Column("a", 1),)
    view = Machines("t", "s", tuple(columns), (Group("g", (Row("r", "R", (Cell("partly"),)),)),))
    assert "partly" in Page(render_comparison(view)).text


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 820, 1440])
def test_the_page_fits_every_screen(width: int, tmp_path: Path) -> None:
    pages = [render_comparison(sample(n, text)) for n, text in ((4, ""), (60, ""), (9, " " + "W" * 300))]
    pages = [without_policy(re.sub(r"(<details[^>]*?)>", r"\1 open>", page)) for page in pages]
    script = "[d.documentElement.scrollWidth, d.querySelector('.scroll').scrollWidth]"
    told = [list(map(int, pair.split(","))) for pair in ask(pages, script, tmp_path, width)]
    assert all(page <= width for page, _ in told)
    assert told[1][1] > width, "many columns scroll inside"
