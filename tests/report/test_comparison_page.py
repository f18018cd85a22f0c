"""The comparison as a page: what is in it, its escaping, and that it fits a screen by scrolling inside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_html import TAGS, Page, ask, without_policy

from kdiag.compare.html import render as render_comparison
from kdiag.compare.naming import machine_names
from kdiag.compare.value import Cell, Change, Column, Comparison, Group, Link, Row
from kdiag.compare.view import Comparison as Wanted
from kdiag.compare.view import matrix
from kdiag.report.faces.json import render as render_json
from tests.support.report_samples import HOSTILE, STORED, everything

STATUSES = ("works", "caveat", "fails", "unknown", "ok", "warn", "fail", "skip", "")


def sample(columns: int = 4, text: str = "") -> Comparison:
    cells = tuple(
        Cell(STATUSES[i % len(STATUSES)], f"why {i}{text}", f"g{i % 2}{text}", i == 2) for i in range(columns)
    )
    capability, found = (
        Row(k, f"{k}.id{text}", f"{k} title{text}", cells, 3) for k in ("capability", "finding")
    )
    return Comparison(
        f"title{text}",
        f"summary{text}",
        tuple(
            Column(
                f"K{i}{text}",
                f"column {i}{text}",
                i + 1,
                tuple(f"m{n}{text}" for n in range(i + 1)),
                (
                    ("release", ((f"6.{i}{text}", 1), ("other", 1))),
                    ("arch", (("x86_64", i + 1),)),
                    ("vm", ()),
                ),
            )
            for i in range(columns)
        ),
        (
            Group(f"g0{text}", f"first cause{text}", 3, (found, capability)),
            Group(f"g1{text}", "second cause", 1, (capability,)),
        ),
        alike=(capability._replace(id="same"),) * 7,
        baseline=0,
        changes=(
            _change("lost", "fentry", text),
            _change("lost", "kprobe", text),
            _change("gained", "usdt", text),
        ),
        total=9,
        kinds=columns,
        hidden=(3, 1200),
        skipped=((f"bad.json{text}", f"not JSON{text}"),),
    )


def _change(kind: str, name: str, text: str) -> Change:
    chain = (Link(f"btf.x{text}", f"link{text}"),)
    return Change(
        kind,
        name,
        f"{name} title{text}",
        "works",
        "fails",
        2,
        (f"K2{text}", "K3"),
        f"since{text}",
        chain,
        f"do{text}",
    )


def test_the_matrix_as_values() -> None:
    wanted: Wanted = sample()
    view = matrix(wanted)
    assert (view.total, len(view.columns), view.same, view.tone, view.worse) == (9, 4, 7, "bad", True)
    assert [c.baseline for c in view.columns] == [True, False, False, False]
    assert view.columns[1].about == "6.1 (and 1 more) · x86_64"
    (row,) = view.capabilities
    assert [cell.mark.word for cell in row.cells] == [
        "works",
        "with a caveat",
        "does not work",
        "cannot tell",
    ]
    assert [mark.word for mark in view.legend] == ["works", "with a caveat", "does not work", "cannot tell"]
    assert row.reasons[2][1:] == ("why 2", "K2")
    first, second = view.causes
    assert (first.affects, second.affects) == (("capability title",), ("capability title",))
    assert [cell.faded for cell in first.rows[0].cells] == [False, True, False, True]
    assert second.rows == ()


def test_the_legend_names_each_sign_once() -> None:
    wanted = sample(len(STATUSES))
    legend = matrix(wanted).legend
    assert [mark.word for mark in legend] == [
        "works, ok",
        "with a caveat, warning",
        "does not work, fails",
        "cannot tell",
        "does not arise, not asked",
    ]
    assert len({(mark.icon, mark.tone) for mark in legend}) == len(legend)


def test_columns_are_titled_by_machine() -> None:
    inputs = ("/srv/a/web1.json", "/srv/b/web1.json", "fleet/db.tar.xz", "-", "images/", ".json", "a/b", "b")
    assert machine_names(inputs) == ("a/web1", "b/web1", "db", "-", "images", ".json", "a/b", "b")
    assert machine_names(()) == ()
    assert machine_names(("x/a.json", "x/a.json")) == ("x/a", "x/a"), "the same input twice"
    columns = tuple(
        Column(f"K{i}", name, count, (name,) * count, ())
        for i, (name, count) in enumerate(
            (("/srv/a/web1.json", 1), ("6.1 · Debian", 3), ("db.tar.xz", 1), ("x", 1))
        )
    )
    view = matrix(sample()._replace(columns=columns))
    assert [column.title for column in view.columns] == ["web1", "6.1 · Debian", "db", "x"]
    page = Page(render_comparison(sample()._replace(columns=columns)))
    heads = [words for tag, words in page.texts if tag == "span"]
    assert heads.count("web1") == len([tag for tag, _ in page.tags if tag == "thead"])
    assert "/srv/a/web1.json" in page.text


def test_what_changed_for_one_reason_is_told_together() -> None:
    lost, gained = matrix(sample()).changes
    assert lost.titles == ("fentry title", "kprobe title")
    assert (lost.where, lost.because, lost.next) == ("K2, K3 (2 of 9)", "since", "do")
    assert gained.mark.word == "works now"


def test_columns_with_one_reason_are_told_together() -> None:
    cells = tuple(Cell("fails", "the same") for _ in range(30))
    columns = tuple(Column(f"c{i}", f"c{i}", 1, (), ()) for i in range(30))
    view = matrix(
        sample()._replace(
            columns=columns, groups=(Group("", "g", 1, (Row("capability", "r", "R", cells, 1),)),)
        )
    )
    ((mark, because, names),) = view.capabilities[0].reasons
    assert (mark.word, because) == ("does not work", "the same")
    assert names.startswith("c0, c1, ") and names.endswith("c19 and 10 more")


def test_the_page() -> None:
    page = Page(render_comparison(sample()))
    assert {tag for tag, _ in page.tags} <= TAGS
    for words in (
        "title", "summary", "9 machines", "4 columns", "7 answers are the same everywhere", "K3 4 machines column 3",
        "3 more columns (1,200 machines) are not shown", "worked before, fails now K2, K3 (2 of 9)",
        "first cause 3 machines", "why 2 K2", "does not work ▼ worse", "Could not be read 1 bad.json not JSON",
    ):  # fmt: skip
        assert words in page.text, words
    cells = [attributes for tag, attributes in page.tags if tag == "td"]
    assert len(cells) == 2 * 4
    assert sum("worse" in str(a["class"]) for a in cells) == 2


def test_landmarks_are_told_apart() -> None:
    """What a screen reader lists by name: no two are called alike, and each name is on the page."""
    tags = Page(render_comparison(sample())).tags
    labels = [attributes["aria-labelledby"] for _, attributes in tags if "aria-labelledby" in attributes]
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(labels) == len(set(labels)) > 4 and len(ids) == len(set(ids))
    assert {name for label in labels if label for name in label.split()} <= set(ids)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_strings_stay_text(text: str) -> None:
    page = Page(render_comparison(sample(text=text)))
    assert {tag for tag, _ in page.tags} <= TAGS
    assert [tag for tag, _ in page.tags].count("h1") == 1
    assert not any("href" in a and tag == "a" for tag, a in page.tags)
    if text.isprintable() and text.strip():
        assert page.text.count(" ".join(text.split())) > 20


def test_a_row_without_a_cell_for_every_column_is_refused() -> None:
    broken = sample()._replace(columns=sample().columns[:2])
    with pytest.raises(ValueError, match=r"capability\.id: 4 cells for 2 columns"):
        render_comparison(broken)


def test_nothing_differs() -> None:
    view = sample()._replace(groups=(), changes=(), hidden=(0, 0), skipped=(), summary="all alike")
    text = Page(render_comparison(view)).text
    assert "all alike" in text and "Nothing differs." in text
    assert "not shown" not in text and "Could not be read" not in text and "baseline" in text


def test_a_status_of_a_later_version_is_shown_by_its_name() -> None:
    row = Row("capability", "r", "R", tuple(Cell("partly") for _ in range(4)), 1)
    assert "partly" in Page(render_comparison(sample()._replace(groups=(Group("", "g", 1, (row,)),)))).text


def test_real_reports_compared(tmp_path: Path) -> None:
    from kdiag.commands.compare import compare

    other = tmp_path / "other.json"
    other.write_text(render_json(everything()), encoding="utf-8")
    compared = compare([str(STORED), str(other)], None)
    page = Page(render_comparison(compared.comparison))
    for column in compared.comparison.columns:
        assert column.name in page.text
    assert len([tag for tag, _ in page.tags if tag == "td"]) >= 2 * 6


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 820, 1440])
def test_the_page_fits_every_screen(width: int, tmp_path: Path) -> None:
    pages = [render_comparison(sample(n, text)) for n, text in ((4, ""), (60, ""), (9, " " + "W" * 300))]
    pages = [without_policy(re.sub(r"(<details[^>]*?)>", r"\1 open>", page)) for page in pages]
    script = "[d.documentElement.scrollWidth, d.querySelector('.scroll').scrollWidth]"
    told = [list(map(int, pair.split(","))) for pair in ask(pages, script, tmp_path, width)]
    assert all(page <= width for page, _ in told)
    assert told[1][1] > width, "many columns scroll inside"
