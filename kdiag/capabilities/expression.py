"""All-of and any-of over findings: how capabilities are decided.

An expression is a value; evaluating it against the findings gives an Outcome with the deciding reason.
The order of certainty is: fails, unknown, caveat, works; all-of takes the worst, any-of the best.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from kdiag.model import Finding, Status, Works

_RANK = {Works.FAILS: 0, Works.UNKNOWN: 1, Works.CAVEAT: 2, Works.WORKS: 3}
_BY_STATUS = {
    Status.OK: Works.WORKS,
    Status.SKIP: Works.WORKS,
    Status.WARN: Works.CAVEAT,
    Status.FAIL: Works.FAILS,
    Status.UNKNOWN: Works.UNKNOWN,
}


#: Of what works by the checks that were selected, when others were not.
AS_FAR_AS_SEEN = "as far as the selected checks show"
#: Of what was not proved, and what nothing is known against.
EXPECTED_TO_WORK = "expected to work: "


class Outcome(NamedTuple):
    """What an expression came to. findings: the ids that decided, most decisive first.

    unseen: nothing that it needs was looked at, since only some checks were selected; partly: something was not.
    """

    works: Works
    because: str = ""
    findings: tuple[str, ...] = ()
    unseen: bool = False
    partly: bool = False

    @property
    def rank(self) -> int:
        """0 for fails to 3 for works."""
        return _RANK[self.works]


Expression = Callable[["Context"], Outcome]


class Context(NamedTuple):
    """The findings by id, and those ids that count as fine (`assume`): the answer to "and as root?".

    selected: whether the findings are a selection, so that one which is not there was not asked for.
    """

    findings: Mapping[str, Finding]
    assume: frozenset[str] = frozenset()
    selected: bool = False


def need(finding_id: str, *, tolerate_warn: bool = False, refuse_warn: bool = False) -> Expression:
    """The finding must be ok. A warning is a caveat, unless it is tolerated or refused; a finding that no check made is
    unknown, or in a selection left out.
    """

    def evaluate(context: Context) -> Outcome:
        if finding_id in context.assume:
            return Outcome(Works.WORKS)
        finding = context.findings.get(finding_id)
        if finding is None and context.selected:
            return Outcome(Works.WORKS, unseen=True, partly=True)
        if finding is None:
            return Outcome(Works.UNKNOWN, f"{finding_id} was not checked", (finding_id,))
        works = _BY_STATUS[finding.status]
        if works is Works.WORKS or (works is Works.CAVEAT and tolerate_warn):
            return Outcome(Works.WORKS, "", (finding_id,))
        if works is Works.CAVEAT and refuse_warn:
            works = Works.FAILS
        return Outcome(works, finding.summary, (finding_id,))

    return evaluate


def there(finding_id: str) -> Expression:
    """As `need`, of something that most tools do without: a check skips what a kernel lacks, and that is a failure
    for who asks for it.
    """

    def evaluate(context: Context) -> Outcome:
        finding = context.findings.get(finding_id)
        if finding is not None and finding.status is Status.SKIP and finding_id not in context.assume:
            return Outcome(Works.FAILS, finding.summary, (finding_id,))
        return unless_refuted(finding_id)(context)

    return evaluate


def by_way_of(finding_id: str, taken: Expression, otherwise: Expression) -> Expression:
    """What a tool needs on the way that it takes here: where the finding is skipped, the other one."""

    def evaluate(context: Context) -> Outcome:
        finding = context.findings.get(finding_id)
        way = otherwise if finding is not None and finding.status is Status.SKIP else taken
        return way(context)

    return evaluate


def unless_refuted(finding_id: str) -> Expression:
    """As `need`; but what the check itself calls expected (a default that nearly every machine has) is enough, so that
    recordings from before the question keep their answer. The finding stays unknown, and the answer names it.
    """

    def evaluate(context: Context) -> Outcome:
        outcome = need(finding_id)(context)
        finding = context.findings.get(finding_id)
        expected = finding is not None and finding.likely is Status.OK
        return (
            Outcome(Works.WORKS, "", (finding_id,))
            if expected and outcome.works is Works.UNKNOWN
            else outcome
        )

    return evaluate


def at_best_expected(finding_id: str) -> Expression:
    """As `need`; but what the check itself calls expected is a caveat: it may well work, and was not proved."""

    def evaluate(context: Context) -> Outcome:
        outcome = need(finding_id)(context)
        finding = context.findings.get(finding_id)
        expected = finding is not None and finding.likely is Status.OK
        if not expected or finding is None or outcome.works is not Works.UNKNOWN:
            return outcome
        return Outcome(Works.CAVEAT, f"{EXPECTED_TO_WORK}{finding.summary}", (finding_id,))

    return evaluate


def all_of(*expressions: Expression) -> Expression:
    """Every one is needed: the worst decides, the first of equals gives the reason."""

    def evaluate(context: Context) -> Outcome:
        outcomes = [expression(context) for expression in expressions]
        if not outcomes:
            return Outcome(Works.WORKS)
        unseen, partly = all(o.unseen for o in outcomes), any(o.partly for o in outcomes)
        worst = min(outcomes, key=lambda outcome: outcome.rank)
        if worst.works is Works.WORKS:
            said = next((o.because for o in outcomes if o.because), "")
            return Outcome(Works.WORKS, said, _ids(outcomes), unseen, partly)
        same = [o for o in outcomes if o.works is worst.works]
        return Outcome(worst.works, worst.because, _ids(same), partly=partly)

    return evaluate


def with_limits(*expressions: Expression) -> Expression:
    """As `all_of`, of something that has parts: where it works for the rest, every limit is named, the shortest first,
    and none twice.
    """
    together = all_of(*expressions)

    def evaluate(context: Context) -> Outcome:
        outcome = together(context)
        if outcome.works is not Works.CAVEAT:
            return outcome
        limits = (
            one.because
            for one in (expression(context) for expression in expressions)
            if one.works is Works.CAVEAT
        )
        named = sorted(dict.fromkeys(text for text in limits if text), key=len)
        return outcome._replace(because="; ".join(named))

    return evaluate


def any_of(*expressions: Expression) -> Expression:
    """One is enough: the best decides. Where none works, the reasons of all stand together."""

    def evaluate(context: Context) -> Outcome:
        every = [expression(context) for expression in expressions]
        # What was not looked at is no way out.
        outcomes = [o for o in every if not o.unseen] or every
        best = max(outcomes, key=lambda outcome: outcome.rank)
        if best.works in (Works.WORKS, Works.CAVEAT):
            return best
        same = [o for o in outcomes if o.works is best.works]
        reasons = list(dict.fromkeys(o.because for o in same if o.because))
        return Outcome(best.works, joined(reasons), _ids(same), partly=any(o.partly for o in every))

    return evaluate


def stand_ins(expression: Expression, *others: Expression) -> Expression:
    """One is enough, and the others only stand in for the first: where none works, its reason is the one to say."""
    alternatives = any_of(expression, *others)

    def evaluate(context: Context) -> Outcome:
        outcome, first = alternatives(context), expression(context)
        instead = outcome.works in (Works.WORKS, Works.CAVEAT) or first.works is not outcome.works
        return outcome if instead else outcome._replace(because=first.because)

    return evaluate


def caveat(expression: Expression, text: str) -> Expression:
    """At best a caveat, with this text."""

    def evaluate(context: Context) -> Outcome:
        outcome = expression(context)
        if outcome.works is not Works.WORKS or outcome.unseen:
            return outcome
        return outcome._replace(works=Works.CAVEAT, because=text)

    return evaluate


def at_worst_caveat(expression: Expression, text: str) -> Expression:
    """Something that is only part of the thing: where it fails, the rest still works, with this text before
    the reason.
    """

    def evaluate(context: Context) -> Outcome:
        outcome = expression(context)
        if outcome.works is not Works.FAILS:
            return outcome
        return outcome._replace(works=Works.CAVEAT, because=f"{text}: {outcome.because}")

    return evaluate


def at_worst_unknown(expression: Expression, text: str) -> Expression:
    """Something for which the tool has another way, which no check tries: where it fails, that is not known, with this
    text before the reason.
    """

    def evaluate(context: Context) -> Outcome:
        outcome = expression(context)
        if outcome.works is not Works.FAILS:
            return outcome
        return outcome._replace(works=Works.UNKNOWN, because=f"{text}: {outcome.because}")

    return evaluate


def never(text: str, finding_id: str = "") -> Expression:
    """Cannot work, whatever is found."""
    return lambda _context: Outcome(Works.FAILS, text, (finding_id,) if finding_id else ())


def always(_context: Context) -> Outcome:
    """Needs nothing."""
    return Outcome(Works.WORKS)


def _ids(outcomes: list[Outcome]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(i for outcome in outcomes for i in outcome.findings))


def joined(reasons: Sequence[str]) -> str:
    """Reasons as one clause: "bpftrace finds no BTF and no kernel headers", where they begin alike."""
    told = reasons[0] if reasons else ""
    for reason in reasons[1:]:
        before, after = told.split(" "), reason.split(" ")
        alike = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
        if alike and before[alike - 1] == "no":
            alike -= 1
        told = f"{told} and {' '.join(after[alike:])}" if alike >= 2 else f"{told}, and {reason}"
    return told
