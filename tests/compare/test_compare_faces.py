"""The faces of a comparison: text at 80 columns, JSON by its schema, Markdown and HTML that strangers cannot abuse."""

from __future__ import annotations

import json
import re

import pytest
from jsonschema import Draft202012Validator

from kdiag.commands.compare import FORMATS, rendered
from kdiag.compare.differences import compare
from kdiag.compare.grouping import Fold
from kdiag.compare.html import render as render_comparison
from kdiag.compare.json import render as render_json
from kdiag.compare.json import schema_text
from kdiag.compare.markdown import render as render_markdown
from kdiag.compare.reading.summary import Reader
from kdiag.compare.text import render as render_text
from kdiag.compare.value import Comparison
from kdiag.compare.view import matrix
from kdiag.model import Report, Status, Works
from kdiag.report.formats import Options
from tests.support.comparison_samples import broken, capability, finding, report

VALIDATOR = Draft202012Validator(json.loads(schema_text()))
EVIL = "\x1b[31m<script>alert(1)</script>|`[x](javascript:1) @team \u202e\udc80"


def compared(*reports: Report, baseline: Report | None = None, names: str = "dir/m") -> Comparison:
    reader, fold = Reader(), Fold()
    for number, one in enumerate(reports):
        fold.add(f"{names}{number}.json", reader.of(one))
    return compare(fold, None if baseline is None else reader.of(baseline), "base.json", None)


def evil() -> Comparison:
    bad = report(
        finding("x.a", Status.FAIL, summary=EVIL, command=EVIL),
        capability("one", Works.FAILS, "x.a"),
        release=EVIL,
    )
    return compared(report(), bad, baseline=report(), names=EVIL)


def many() -> Comparison:
    reports = []
    for n in range(60):
        broken_here = finding(f"y.{n % 9}", Status.FAIL), capability(f"c{n % 9}", Works.FAILS, f"y.{n % 9}")
        reports.append(report(*broken_here, release=f"6.{n}"))
    return compared(*reports, baseline=report())


CASES = {
    "same": lambda: compared(report(), report()),
    "two": lambda: compared(report(), broken(release="5.10.0-32-cloud-amd64")),
    "baseline": lambda: compared(report(), broken(), baseline=report()),
    "one against a baseline": lambda: compared(broken(), baseline=report()),
    "unknown": lambda: compared(report(capability("one", Works.UNKNOWN, "x.a")), baseline=report()),
    "gained": lambda: compared(report(), baseline=broken()),
    "many": many,
    "evil": evil,
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_too_wide(case: str, width: int) -> None:
    text = render_text(CASES[case](), width=width)
    wide = [line for line in text.splitlines() if len(line) > width and "$ " not in line]
    # Paths and commands stay whole, because people copy them.
    assert not [line for line in wide if not any(len(word) > width // 2 for word in line.split())]
    assert text.endswith("\n")


@pytest.mark.parametrize("case", CASES)
def test_json_by_its_schema(case: str) -> None:
    document = json.loads(render_json(CASES[case]()))
    assert [error.message for error in VALIDATOR.iter_errors(document)] == []
    columns = len(document["columns"])
    assert all(len(row["cells"]) == columns for group in document["groups"] for row in group["rows"])


def test_the_schema_demands_every_key_and_allows_no_other() -> None:
    document = json.loads(render_json(CASES["baseline"]()))
    for key in document:
        assert [*VALIDATOR.iter_errors({k: v for k, v in document.items() if k != key})], key
    assert [*VALIDATOR.iter_errors({**document, "more": 1})]
    Draft202012Validator.check_schema(json.loads(schema_text()))


@pytest.mark.parametrize("case", CASES)
def test_html_takes_it_as_it_is(case: str) -> None:
    found = CASES[case]()
    assert sum(c.count for c in matrix(found).columns) == found.total + (found.baseline is not None)
    page = render_comparison(found)
    assert page.startswith("<!DOCTYPE html>")
    assert "<script" not in page


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_stranger_cannot_write_to_the_terminal_or_the_page(output_format: str) -> None:
    text = rendered(evil(), output_format, Options())
    assert "\x1b" not in text
    assert "\u202e" not in text
    text.encode()
    if output_format == "html":
        assert "<script" not in text
    if output_format == "markdown":
        outside = re.sub(r"(`+) .*? \1", "", text)  # a command stands between backticks, as it is
        assert not re.search(r"(?<!\\)[<\[@]", outside)


def test_markdown_tables_have_as_many_cells_as_heads() -> None:
    for case in CASES.values():
        width = 0
        for line in render_markdown(case()).splitlines():
            if line.startswith("|"):
                cells = line.replace("\\|", "").count("|")
                width = width or cells
                assert cells == width, line
            else:
                width = 0


def test_text_tells_what_was_lost_and_why() -> None:
    text = render_text(CASES["baseline"]())
    assert text.startswith("2 machines: 1 of the things that worked no longer does\n")
    for words in (
        "Worked before, fails now",
        "Do one (1 of 2: ",
        "one fails",
        "x.c: c is missing",
        "$ sudo repair c",
    ):
        assert words in text


def test_text_looks_as_it_should() -> None:
    text = render_text(compared(report(), report(), broken(release="5.10.0")), width=60)
    lines = text.splitlines()
    assert "  A  2  m0.json, m1.json · 6.12.1" in lines
    assert "  B  1  m2.json · 5.10.0" in lines
    row = next(line for line in lines if line.strip().startswith("Do one"))
    assert row.split()[-2:] == ["✓", "✗"]
    assert lines[:4] == [
        "3 machines, 2 kinds: 1 thing works on some only, for 1",
        "reason",
        "",
        "  all: x86_64 · Debian 13 · no container · bpftrace 0.23.2",
    ]


def test_plain_ascii_where_the_terminal_has_no_more() -> None:
    text = render_text(many(), unicode=False)
    assert text.isascii()


def test_colours_only_if_asked() -> None:
    assert "\x1b[" in render_text(CASES["baseline"](), color=True)
    assert "\x1b[" not in render_text(CASES["baseline"]())


def test_verbose_tells_of_findings_without_effect() -> None:
    found = compared(report(), report(finding("x.d", Status.WARN, summary="d is odd")))
    assert "d is odd" not in render_text(found)
    assert "x.d" in render_text(found)
    assert "d is odd" in render_text(found, verbose=True)


def test_a_mark_stands_under_its_own_cause_only() -> None:
    other = report(finding("x.d", Status.FAIL), capability("one", Works.FAILS, "x.d"), release="7")
    lines = render_text(compared(report(), report(), broken(release="5"), other)).splitlines()
    rows = [line.split()[-3:] for line in lines if line.strip().startswith("Do one")]
    assert sorted(rows) == [["✓", "·", "✗"], ["✓", "✗", "·"]]
    assert "· for another reason, told elsewhere" in lines
