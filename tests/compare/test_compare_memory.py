"""A sender that goes on for ever does not fill the memory, whatever is different in each of its reports."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from kdiag.compare import grouping
from kdiag.compare.grouping import Fold
from kdiag.compare.reading import summary as reading
from kdiag.compare.reading.inputs import BadInput, Unread
from kdiag.compare.reading.memory import Memory, within
from kdiag.compare.reading.summary import Reader
from kdiag.model import Report, Status
from kdiag.report.document import BadReport, load
from kdiag.report.faces.json import render
from tests.support.comparison_samples import finding, report
from tests.support.held import held

#: A report by its number, different from all others in one way.
DIFFERENT: dict[str, Callable[[int], Report]] = {
    "an id": lambda n: report(finding(f"x.{n}")),
    "a cause": lambda n: report(finding("x.a", Status.FAIL, f"x.{n}")),
    "words": lambda n: report(finding("x.a", summary=f"{n} things")),
    "a command": lambda n: report(finding("x.a", Status.FAIL, command=f"repair {n}")),
    "evidence": lambda n: replace(report(), findings=(replace(finding("x.a"), title=str(n)),)),
    "a combination": lambda n: report(
        *(finding(f"x.{i}", Status.FAIL if n >> i & 1 else Status.OK) for i in range(12))
    ),
    "a kernel": lambda n: report(release=f"6.{n}"),
    "the required": lambda n: replace(report(), required=(f"one.{n}",)),
    "a label": lambda n: replace(report(), labels={"host": f"web-{n}", f"key-{n}": "x"}),
}
LAYOUTS: dict[str, dict[str, int | None]] = {"own": {"indent": 2}, "on one line": {}, "other": {"indent": 1}}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("what", DIFFERENT)
def test_a_reader_forgets(what: str, layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_REMEMBERED", 100_000)
    reader = Reader()

    def read(first: int, last: int) -> int:
        most = 0
        for number in range(first, last):
            value = json.loads(render(DIFFERENT[what](number)))
            reader.read(json.dumps(value, **LAYOUTS[layout]).encode())  # type: ignore[arg-type]
            most = max(most, held(reader)) if number % 10 == 0 else most
        return most

    few, many = read(0, 200), read(200, 800)
    assert many < 2 * few + 200


def test_a_million_values() -> None:
    """The one mechanism: what is kept has a bound for any number of values."""
    first: Memory[int, str] = Memory()
    second: Memory[int, str] = Memory()
    most = 0
    for number in range(1_000_000):
        within(1_000_000, (first, second))
        (first if number % 3 else second).keep(number, "x", 100)
        most = max(most, len(first) + len(second))
    assert most <= 1_000_000 // 500 + 1
    assert first.size + second.size <= 1_000_000 + 500


def test_equal_answers_are_equal_after_everything_was_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_REMEMBERED", 1)
    reader = Reader()
    answers = [
        reader.read(render(one).encode()).answers for one in (report(), report(finding("x.z")), report())
    ]
    assert answers[0] == answers[2] != answers[1]
    # A sender that knows the program cannot know the digests of another run.
    assert Reader().read(render(report()).encode()).answers != answers[0]


def test_a_comparison_holds_so_much_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "_MOST", 200_000)
    reader, fold, left_out = Reader(), Fold(), 0
    for number in range(500):
        try:
            fold.add(f"web-{number}", reader.of(report(finding(f"x.{number}"))))
        except BadInput as bad:
            left_out += 1
            assert "--fleet counts any number" in str(bad)
    assert 0 < sum(alike.count for alike in fold.columns()) == 500 - left_out < 500


def test_what_cannot_be_read_is_counted_and_the_first_are_told() -> None:
    unread = Unread()
    for number in range(1000):
        unread.add(f"line {number}", f"line {number}: no report" + "x" * 5000)
    assert (unread.count, len(unread.told), unread.more) == (1000, 100, 900)
    assert unread.told[0][1].startswith("no report")
    assert len(unread.told[0][1]) == 1000


@pytest.mark.parametrize("indent", [None, 1, 2])
@pytest.mark.parametrize(
    "long",
    [
        report(release="6" * 20_000),
        replace(report(), labels={"host": "x" * 20_000}),
        replace(report(), labels={str(n): "" for n in range(10_000)}),
        replace(report(), created="2" * 20_000),
    ],
    ids=["kernel", "host", "labels", "created"],
)
def test_who_a_machine_is_is_short(long: Report, indent: int | None) -> None:
    document = json.dumps(json.loads(render(long)), indent=indent).encode()
    assert load(document)
    with pytest.raises(BadReport, match="more than 16384 characters of properties and labels"):
        Reader().read(document)
