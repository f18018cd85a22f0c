"""What differs is found, grouped by its root, counted over all machines; what was lost since a baseline is told."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from kdiag.compare.causes import Machine
from kdiag.compare.differences import compare
from kdiag.compare.grouping import FEW, Fold, key
from kdiag.compare.naming import common_values
from kdiag.compare.reading.summary import Reader
from kdiag.compare.value import Change, Comparison, Group
from kdiag.model import Report, Status, Works
from tests.support.comparison_samples import broken, capability, finding, report, without


def compared(*reports: Report, baseline: Report | None = None, shown: int | None = None) -> Comparison:
    reader, fold = Reader(), Fold()
    for number, one in enumerate(reports):
        fold.add(f"m{number}", reader.of(one))
    return compare(fold, None if baseline is None else reader.of(baseline), "base.json", shown)


def rows(group: Group) -> list[str]:
    return [row.id for row in group.rows]


def test_nothing_differs() -> None:
    found = compared(report(), report(created="later"))
    assert found.groups == ()
    assert [c.count for c in found.columns] == [2]
    assert found.columns[0].machines == ("m0", "m1")
    assert found.summary == "2 machines: no difference"
    assert found.same == 7


def test_a_difference_is_told_by_its_root() -> None:
    found = compared(report(), broken(), report())
    assert [g.id for g in found.groups] == ["x.c"]
    group = found.groups[0]
    assert group.cause == "x.c: c is missing"
    assert group.machines == 1
    assert rows(group) == ["x.c", "one"]
    assert [c.status for c in group.rows[1].cells] == ["works", "fails"]
    assert group.rows[1].cells[1].because == "one fails"
    assert group.rows[1].cells[1].cause == "x.c"
    assert group.rows[1].machines == 1
    assert [c.count for c in found.columns] == [2, 1]
    assert {row.id for row in found.alike} == {"two", "three", "x.d"}
    assert "1 thing works on some only, for 1 reason" in found.summary


def test_different_roots_of_the_same_symptom() -> None:
    other = report(finding("x.d", Status.FAIL), capability("one", Works.FAILS, "x.d"))
    found = compared(report(), broken(), other, other)
    assert {g.id: (g.machines, rows(g)) for g in found.groups} == {
        "x.c": (1, ["x.c", "one"]),
        "x.d": (2, ["x.d", "one"]),
    }
    by_id = {g.id: g for g in found.groups}
    row = by_id["x.d"].rows[1]
    assert sorted(c.cause for c in row.cells) == ["", "x.c", "x.d"]
    assert row.machines == 3


def test_findings_without_effect_come_last_and_alone() -> None:
    found = compared(report(), broken(), report(finding("x.d", Status.WARN)))
    assert [g.id for g in found.groups] == ["x.c", "x.d"]
    assert rows(found.groups[1]) == ["x.d"]
    assert found.groups[1].machines == 1


def test_fine_and_not_asked_do_not_differ() -> None:
    found = compared(report(finding("x.d", Status.SKIP)), report(), report(finding("y.new", Status.OK)))
    assert found.groups == ()


def test_a_difference_that_no_finding_explains() -> None:
    found = compared(report(), report(capability("one", Works.FAILS, "x.a")))
    assert [(g.id, rows(g), g.machines, g.cause) for g in found.groups] == [("", ["one"], 1, "one fails")]


def test_a_capability_that_one_report_does_not_have() -> None:
    found = compared(report(), without(report(), "two"))
    assert [[c.status for c in g.rows[0].cells] for g in found.groups] == [["works", ""]]


def test_causes_in_a_circle_come_to_an_end() -> None:
    circle = report(
        finding("x.a", Status.FAIL, "x.b", "x.a"),
        finding("x.b", Status.FAIL, "x.a"),
        capability("one", Works.FAILS, "x.a"),
    )
    chain = Machine(Reader().of(circle)).why(circle.capabilities[0])
    assert [fact.id for fact in chain] == ["x.a", "x.b"]
    assert compared(report(), circle).groups[0].id == "x.b"


def test_causes_that_are_fine_or_unknown_are_passed_over() -> None:
    one = report(finding("x.a", Status.FAIL, "x.b", "nowhere", "x.d"), finding("x.d", Status.UNKNOWN))
    chain = Machine(Reader().of(one)).chain(Machine(Reader().of(one)).facts["x.a"])
    assert [fact.id for fact in chain] == ["x.a", "x.d"]


# -- folding -----------------------------------------------------------------------------------------------------------


def test_few_machines_have_columns_by_their_properties_too() -> None:
    found = compared(report(), report(release="5.10"), report(release="5.10"))
    assert sorted(c.count for c in found.columns) == [1, 2]
    assert {dict(c.values)["release"] for c in found.columns} == {(("6.12.1", 1),), (("5.10", 2),)}
    assert found.kinds == 1
    assert found.groups == ()


def test_many_machines_are_folded_by_their_answers() -> None:
    found = compared(
        *(report(release=f"6.{n}") for n in range(40)), *(broken(release=f"6.{n}") for n in range(20))
    )
    assert [c.count for c in found.columns] == [40, 20]
    assert len(dict(found.columns[0].values)["release"]) == 40
    assert len(found.columns[0].machines) == 40
    assert found.kinds == 2
    assert FEW < 40


def test_columns_that_are_not_shown_are_counted() -> None:
    machines = [
        report(finding(f"y.{n}", Status.FAIL), capability(f"c{n}", Works.FAILS, f"y.{n}")) for n in range(20)
    ]
    found = compared(report(), report(), *machines, shown=5)
    assert len(found.columns) == 5
    assert found.columns[0].count == 2
    assert found.hidden == (16, 16)
    assert found.total == 22
    assert all(len(row.cells) == 5 for group in found.groups for row in group.rows)
    assert sum(group.machines for group in found.groups) == 20
    assert len(compared(report(), *machines, shown=None).columns) == 21


def test_the_order_of_machines_does_not_matter() -> None:
    machines = [
        report(),
        *(broken(release=f"6.{n}") for n in range(3)),
        report(finding("x.d", Status.FAIL)),
    ] * 4
    first = compared(*machines)
    shuffled = machines[:]
    random.Random(5).shuffle(shuffled)
    second = compared(*shuffled)
    assert first.summary == second.summary
    assert sorted(c.count for c in first.columns) == sorted(c.count for c in second.columns)
    assert {g.id: g.machines for g in first.groups} == {g.id: g.machines for g in second.groups}


def test_keys() -> None:
    assert [key(n) for n in (0, 25, 26, 27, 701, 702)] == ["A", "Z", "AA", "AB", "ZZ", "AAA"]


# -- baselines ---------------------------------------------------------------------------------------------------------


def changes(baseline: Report, *reports: Report) -> list[tuple[str, str]]:
    return [(c.kind, c.id) for c in compared(*reports, baseline=baseline).changes]


def test_something_is_lost() -> None:
    found = compared(report(), broken(), broken(), baseline=report())
    (change,) = found.changes
    assert isinstance(change, Change)
    assert (change.kind, change.id, change.was, change.now) == ("lost", "one", "works", "fails")
    assert change.machines == 2
    assert change.columns in {("A",), ("B",)}
    assert change.because == "one fails"
    assert [link.id for link in change.chain] == ["x.a", "x.b", "x.c"]
    assert change.next == "sudo repair c"
    assert found.baseline == 0
    assert found.columns[0].key == "base"
    assert found.columns[0].machines == ("base.json",)
    assert found.total == 3
    assert found.summary == "3 machines: 1 of the things that worked no longer does"


@pytest.mark.parametrize(
    ("was", "now", "kind"),
    [
        (Works.WORKS, Works.FAILS, "lost"),
        (Works.CAVEAT, Works.FAILS, "lost"),
        (Works.WORKS, Works.UNKNOWN, "unknown"),
        (Works.WORKS, Works.CAVEAT, "worse"),
        (Works.CAVEAT, Works.WORKS, ""),
        (Works.FAILS, Works.WORKS, "gained"),
        (Works.FAILS, Works.UNKNOWN, ""),
        (Works.FAILS, Works.FAILS, ""),
        (Works.UNKNOWN, Works.FAILS, ""),
        (Works.UNKNOWN, Works.WORKS, ""),
    ],
)
def test_what_counts_as_a_change(was: Works, now: Works, kind: str) -> None:
    expected = [(kind, "one")] if kind else []
    assert changes(report(capability("one", was, "x.a")), report(capability("one", now, "x.a"))) == expected


def test_a_capability_that_is_no_longer_reported() -> None:
    assert changes(report(), without(report(), "two")) == [("unknown", "two")]
    assert changes(without(report(), "two"), report()) == []


def test_different_new_causes_are_different_changes() -> None:
    other = report(finding("x.d", Status.FAIL), capability("one", Works.FAILS, "x.d"))
    found = compared(broken(), other, other, baseline=report())
    assert {(c.chain[-1].id, c.machines) for c in found.changes} == {("x.c", 1), ("x.d", 2)}


def test_cells_that_got_worse_are_marked() -> None:
    found = compared(report(), broken(), baseline=report())
    worse = {
        (row.id, cell.status) for g in found.groups for row in g.rows for cell in row.cells if cell.worse
    }
    assert worse == {("one", "fails"), ("x.c", "fail")}


def test_a_heading_has_the_words_of_the_machines_that_it_is_about() -> None:
    """Not those of a machine on which the finding decides nothing, and those of all on which it does."""
    quiet = report(replace(finding("x.d", Status.WARN), summary="in a VM of no matter"))
    one = report(
        replace(finding("x.d", Status.FAIL), summary="in one VM"), capability("one", Works.FAILS, "x.d")
    )
    other = report(
        replace(finding("x.d", Status.FAIL), summary="in another"), capability("one", Works.FAILS, "x.d")
    )
    # Machines that answer alike are one column: these two differ in something else, too.
    one = replace(one, capabilities=tuple(c for c in one.capabilities if c.id != "three"))
    [group] = [g for g in compared(quiet, other, one, report()).groups if "one" in rows(g)]
    assert group.cause == "x.d: in another; in one VM"


def test_one_kernel_is_said_to_be_one() -> None:
    found = compared(report(), broken())
    assert any("one kernel, so what it decides is the same" in word for word in common_values(found))
