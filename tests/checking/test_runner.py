"""The runner: ids and titles filled in, what raises becomes a finding, causes that explain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kdiag.check import Check
from kdiag.checking.registry import Problem, Registered, Registry
from kdiag.checking.runner import run, run_one
from kdiag.machine import Machine
from kdiag.model import Finding, Status, fail, ok, skip, unknown, warn
from kdiag.system import Unavailable
from kdiag.system.recording import Recording
from tests.support.paths import FIXTURES

Run = Callable[[Machine], Iterator[Finding]]


@pytest.fixture
def machine() -> Machine:
    return Machine(Recording(FIXTURES / "minimal"))


def found(
    check_id: str, *findings: Finding, error: BaseException | None = None, module: str = "kdiag_checks.x"
) -> Registered:
    def function(machine: Machine) -> Iterator[Finding]:
        del machine
        yield from findings
        if error is not None:
            raise error

    return Registered(Check(check_id, f"title of {check_id}", function), "kdiag", "1", module)


def test_id_and_title_are_filled_in(machine: Machine) -> None:
    bare, named = run_one(machine, found("a.b", ok("x"), ok("y", id="a.c", title="own")))
    assert (bare.id, bare.title) == ("a.b", "title of a.b")
    assert (named.id, named.title) == ("a.c", "own")


def test_unavailable_is_unknown(machine: Machine) -> None:
    (finding,) = run_one(machine, found("a.b", error=Unavailable("/proc/x: EACCES: Permission denied", 13)))
    assert finding.status is Status.UNKNOWN
    assert "EACCES" in f"{finding.summary} {finding.reason} {finding.evidence}"


def test_what_was_found_before_the_gap_stays(machine: Machine) -> None:
    got = run_one(machine, found("a.b", ok("first", id="a.first"), error=Unavailable("gone")))
    assert [(f.id, f.status) for f in got] == [("a.first", Status.OK), ("a.b", Status.UNKNOWN)]


def test_an_answer_is_not_replaced_by_a_later_gap(machine: Machine) -> None:
    got = run_one(machine, found("a.b", fail("broken"), error=Unavailable("gone")))
    assert [f.status for f in got if f.id == "a.b"] == [Status.FAIL]


def test_an_exception_names_the_place(machine: Machine) -> None:
    (finding,) = run_one(machine, found("a.b", error=ZeroDivisionError("oops")))
    assert finding.status is Status.UNKNOWN
    text = f"{finding.summary} {finding.reason} {finding.evidence}"
    for part in ("ZeroDivisionError", "oops", "test_runner.py:", "kdiag 1", "defect"):
        assert part in text, text
    assert str(Path(__file__).parent) not in text, "no paths of this machine in what one sends to others"


def test_causes_are_findings_that_are_not_fine(machine: Machine) -> None:
    causes = ("a.ok", "a.skip", "a.fail", "a.warn", "a.unknown", "a.nowhere", "a.fail", "z.me")
    registry = Registry((), ())
    got = run(
        machine,
        registry,
        [
            found(
                "a.x", ok("", id="a.ok"), skip("", id="a.skip"), fail("", id="a.fail"), warn("", id="a.warn")
            ),
            found("a.y", unknown("", id="a.unknown")),
            found("z.me", fail("because", causes=causes)),
        ],
    )
    me = next(f for f in got if f.id == "z.me")
    assert me.causes == ("a.fail", "a.warn", "a.unknown")


@pytest.mark.parametrize("late_first", [False, True])
def test_two_checks_of_one_finding(machine: Machine, late_first: bool) -> None:
    """Both are kept under ids of their own."""
    checks = [found("a.a", ok("one", id="same.id")), found("b.b", fail("two", id="same.id"))]
    got = run(machine, Registry((), ()), checks[::-1] if late_first else checks)
    assert len({f.id for f in got}) == len(got) == 2
    assert {f.summary for f in got} == {"one", "two"}


def test_a_check_that_repeats_an_id(machine: Machine) -> None:
    got = run(machine, Registry((), ()), [found("a.a", ok("one"), ok("two"), ok("three"))])
    assert [f.summary for f in got if f.summary] and len({f.id for f in got}) == 3


def test_a_problem_of_the_registry_is_a_finding(machine: Machine) -> None:
    problem = Problem("strange_checks", "strange-checks", "cannot be imported: SyntaxError: x")
    (finding,) = run(machine, Registry((), (problem,)), [])
    assert finding.status is Status.UNKNOWN
    assert "strange-checks" in finding.summary
