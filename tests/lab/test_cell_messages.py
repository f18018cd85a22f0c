"""`matrix why` without guests: which finding is the truth of a message, and how what is said of it is judged."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from kdiag.report import document
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import report_on

from .matrix.axes import Cell
from .matrix.messages import Said, pairs, table
from .matrix.store import Result

ROOT = Cell("debian-6.12", "debian13", "none", "root")
USER = Cell("debian-6.12", "debian13", "none", "user")
REFUSED = "ERROR: bpftrace currently only supports running as the root user."


def linux() -> Description:
    """Root's."""
    return machines.bpftrace(machines.linux(), "0.23.2")


def result(cell: Cell, machine: Description, *programs: tuple[str, str, str]) -> Result:
    """A cell of this machine. programs: id, outcome, what it printed."""
    tried = [
        {"id": name, "tool": "bpftrace", "needs": [name], "outcome": outcome, "message": text, "output": text}
        for name, outcome, text in programs
    ]
    check = json.loads(json.dumps(document.document(report_on(machine.recording()))))
    return Result(cell, "2026-01-02", {}, 1.0, 1.0, check, {"programs": tried})


def judged(results: Sequence[Result]) -> list[Said]:
    return [one.said for one in pairs(results)]


def test_the_truth_is_what_differs_from_the_cell_in_which_it_works() -> None:
    here = result(USER, machines.user(linux()), ("hello", "fails", REFUSED))
    there = result(ROOT, linux(), ("hello", "works", ""))
    (found,) = pairs([here, there])
    assert found.works_in == ROOT
    assert found.said is Said.RIGHT
    assert found.named in found.true
    # the same words where the twin is no better: nothing differs, so that what is named is not the truth
    same = result(ROOT, machines.user(linux()), ("hello", "works", ""))
    assert judged([here, same]) == [Said.FALSE]


def test_without_a_twin_the_truth_is_what_blocks_the_capability() -> None:
    here = result(USER, machines.user(linux()), ("hello", "fails", REFUSED))
    (found,) = pairs([here])
    assert found.works_in is None
    assert found.said is Said.RIGHT


@pytest.mark.parametrize(
    ("text", "said"), [("gibberish that nobody prints", Said.UNKNOWN), (REFUSED, Said.RIGHT)]
)
def test_what_is_not_answered_is_listed_with_its_cell(text: str, said: Said) -> None:
    found = [*pairs([result(USER, machines.user(linux()), ("hello", "fails", text))])]
    assert [one.said for one in found] == [said]
    listed = table(found)
    assert ("message unknown: 1 times" in listed) is (said is Said.UNKNOWN)
    assert "| bpftrace | 1 | 0 |" in listed


def test_what_works_or_printed_nothing_is_no_pair() -> None:
    here = result(
        USER, linux(), ("hello", "works", "x"), ("kprobe", "fails", ""), ("stack", "fails", "(nothing)")
    )
    assert not [*pairs([here])]
