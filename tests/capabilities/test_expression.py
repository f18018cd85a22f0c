"""All-of and any-of: the worst and the best, the reason that decides, and the ids behind it."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.capabilities.expression import (
    Context,
    Outcome,
    all_of,
    always,
    any_of,
    at_worst_caveat,
    caveat,
    need,
    never,
    with_limits,
)
from kdiag.model import Finding, Status, Works

BY_STATUS = {
    Status.OK: Works.WORKS,
    Status.SKIP: Works.WORKS,
    Status.WARN: Works.CAVEAT,
    Status.UNKNOWN: Works.UNKNOWN,
    Status.FAIL: Works.FAILS,
}
#: From worst to best.
ORDER = (Works.FAILS, Works.UNKNOWN, Works.CAVEAT, Works.WORKS)


def context(**statuses: Status) -> Context:
    return Context(
        {name: Finding(status, f"{name} is {status.value}", id=name) for name, status in statuses.items()}
    )


statuses = st.sampled_from(list(Status))


@pytest.mark.parametrize("status", Status)
def test_need(status: Status) -> None:
    outcome = need("a")(context(a=status))
    assert outcome.works is BY_STATUS[status]
    assert outcome.findings == ("a",)
    assert bool(outcome.because) == (outcome.works is not Works.WORKS)


def test_need_tolerates_a_warning_if_asked() -> None:
    assert need("a", tolerate_warn=True)(context(a=Status.WARN)).works is Works.WORKS
    assert need("a", tolerate_warn=True)(context(a=Status.FAIL)).works is Works.FAILS


def test_a_finding_that_nobody_made_is_unknown() -> None:
    """--only and --skip leave checks out: what depends on them cannot be told."""
    outcome = need("a")(context())
    assert outcome.works is Works.UNKNOWN
    assert "a" in outcome.because


def test_what_is_assumed_is_fine() -> None:
    base = context(a=Status.FAIL)
    assert need("a")(Context(base.findings, frozenset({"a"}))).works is Works.WORKS


@given(st.lists(statuses, min_size=1, max_size=5))
@settings(deadline=None, max_examples=80)
def test_all_of_takes_the_worst_and_any_of_the_best(chosen: list[Status]) -> None:
    given_context = context(**{f"f{i}": status for i, status in enumerate(chosen)})
    parts = [need(f"f{i}") for i in range(len(chosen))]
    worst = min((BY_STATUS[s] for s in chosen), key=ORDER.index)
    best = max((BY_STATUS[s] for s in chosen), key=ORDER.index)
    everything, one = all_of(*parts)(given_context), any_of(*parts)(given_context)
    assert everything.works is worst
    assert one.works is best
    for outcome in (everything, one):
        if outcome.works not in (Works.WORKS,):
            assert outcome.because
        named = {BY_STATUS[chosen[int(i[1:])]] for i in outcome.findings}
        assert outcome.works in named or outcome.works is Works.WORKS


def test_reasons_of_alternatives_stand_together() -> None:
    outcome = any_of(need("a"), need("b"))(context(a=Status.FAIL, b=Status.FAIL))
    assert "a is fail" in outcome.because
    assert "b is fail" in outcome.because
    assert outcome.findings == ("a", "b")


def test_a_failing_alternative_of_something_that_works_is_not_blamed() -> None:
    outcome = any_of(need("a"), need("b"))(context(a=Status.FAIL, b=Status.OK))
    assert outcome.works is Works.WORKS
    assert "a" not in outcome.findings
    assert not outcome.because


def test_unknown_beats_no_failure() -> None:
    """Something that fails for certain fails, whatever else is unknown; an unknown alternative may still work."""
    both = context(a=Status.FAIL, b=Status.UNKNOWN)
    assert all_of(need("a"), need("b"))(both).works is Works.FAILS
    assert any_of(need("a"), need("b"))(both).works is Works.UNKNOWN


def test_caveats() -> None:
    works, fails = context(a=Status.OK), context(a=Status.FAIL)
    assert caveat(need("a"), "but")(works) == Outcome(Works.CAVEAT, "but", ("a",))
    assert caveat(need("a"), "but")(fails).works is Works.FAILS
    assert at_worst_caveat(need("a"), "partly")(works).works is Works.WORKS
    limited = at_worst_caveat(need("a"), "partly")(fails)
    assert limited.works is Works.CAVEAT
    assert limited.because.startswith("partly")
    assert at_worst_caveat(need("a"), "partly")(context(a=Status.UNKNOWN)).works is not Works.FAILS


def test_always_and_never() -> None:
    assert always(context()).works is Works.WORKS
    assert all_of()(context()).works is Works.WORKS
    assert never("no", "a")(context()) == Outcome(Works.FAILS, "no", ("a",))


def test_ranks_are_a_strict_order() -> None:
    ranks = [Outcome(works).rank for works in ORDER]
    assert all(a < b for a, b in itertools.pairwise(ranks))


def test_every_limit_is_named_and_the_shortest_first() -> None:
    given_context = context(a=Status.FAIL, b=Status.FAIL, c=Status.OK)
    parts = (
        at_worst_caveat(need("a"), "those that use kprobes or tracepoints do not work"),
        at_worst_caveat(need("b"), "no fentry"),
        at_worst_caveat(need("c"), "never said"),
        at_worst_caveat(need("b"), "no fentry"),
    )
    outcome = with_limits(*parts)(given_context)
    assert outcome.works is Works.CAVEAT
    assert (
        outcome.because
        == "no fentry: b is fail; those that use kprobes or tracepoints do not work: a is fail"
    )
    assert with_limits(*parts, need("a"))(given_context).because == "a is fail", (
        "what fails is the one reason"
    )
    assert with_limits(need("c"))(given_context) == need("c")(given_context)
