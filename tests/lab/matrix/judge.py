"""Hold predictions against outcomes: each smoke program of each cell gets one judgement, all together a number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import cast

from kdiag.model import Works
from kdiag.smoke.model import Outcome, worst

from . import rules, store
from .axes import Cell
from .store import Result


class Kind(str, Enum):
    """How a prediction stands to what happened; the first two bad ones are mistakes, the worse one first."""

    AGREES = "agrees"
    WRONG_WORKS = "wrong works"
    WRONG_FAILS = "wrong fails"
    UNKNOWN = "unknown without need"
    ALLOWED = "unknown, as it must be"
    NOT_TRIED = "not tried"


#: what the number counts against kdiag
MISTAKES = (Kind.WRONG_WORKS, Kind.WRONG_FAILS, Kind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One program in one cell. ``because``: kdiag's reason for its prediction; ``rule``: that allows an unknown."""

    cell: Cell
    program: str
    predicted: Works | None
    outcome: Outcome
    kind: Kind
    because: str
    message: str
    rule: str = ""
    tool: str = "bpftrace"


def judge(result: Result) -> list[Judgement]:
    """All programs of a whole result, in the order in which they ran. Predictions are those of `kdiag check`."""
    check, smoke = store.reports(result)
    capabilities = {
        str(one["id"]): one for one in cast("Sequence[Mapping[str, object]]", check["capabilities"])
    }
    return [
        _one(result.cell, capabilities, program)
        for program in cast("Sequence[Mapping[str, object]]", smoke["programs"])
    ]


def _one(
    cell: Cell, capabilities: Mapping[str, Mapping[str, object]], program: Mapping[str, object]
) -> Judgement:
    needs = [capabilities[name] for name in cast("Sequence[str]", program["needs"]) if name in capabilities]
    predicted = worst(tuple(Works(str(one["status"])) for one in needs))
    because = "; ".join(str(one["because"]) for one in needs if one["because"])
    outcome = Outcome(str(program["outcome"]))
    rule = ""
    if outcome is Outcome.SKIPPED or predicted is None:
        kind = Kind.NOT_TRIED
    elif predicted is Works.UNKNOWN:
        rule = rules.allows(cell, str(program["id"]), because)
        kind = Kind.ALLOWED if rule else Kind.UNKNOWN
    elif (predicted is Works.FAILS) == (outcome is Outcome.FAILS):
        kind = Kind.AGREES
    else:
        kind = Kind.WRONG_FAILS if predicted is Works.FAILS else Kind.WRONG_WORKS
    return Judgement(
        cell,
        str(program["id"]),
        predicted,
        outcome,
        kind,
        because,
        str(program["message"]),
        rule,
        str(program.get("tool", "bpftrace")),
    )


def summary(result: Result) -> str:
    """A cell in a few words: ``14 of 20 work, 20 right``."""
    found = judge(result)
    kinds = Counter(one.kind for one in found)
    work = sum(one.outcome in (Outcome.WORKS, Outcome.WARNS) for one in found)
    parts = [f"{work} of {len(found) - kinds[Kind.NOT_TRIED]} work", f"{kinds[Kind.AGREES]} right"]
    parts += [
        f"{kinds[kind]} {kind.value.upper() if kind in MISTAKES else kind.value}"
        for kind in Kind
        if kinds[kind] and kind not in (Kind.AGREES, Kind.NOT_TRIED)
    ]
    return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Agreement:
    """The number: how many of the predictions that count were right.

    ``counted``: right ones and mistakes; unknowns that a rule allows and programs that were not tried do not count.
    """

    right: int
    counted: int
    kinds: Mapping[Kind, int]

    @property
    def text(self) -> str:
        """``99.95 %``, rounded down: 100 % is said of no mistake at all only."""
        if not self.counted:
            return "nothing to compare"
        hundredths = self.right * 10000 // self.counted
        return f"{hundredths // 100}.{hundredths % 100:02d} %"


def by_tool(judgements: Sequence[Judgement]) -> dict[str, Agreement]:
    """The number of each tool's programs."""
    tools = dict.fromkeys(one.tool for one in judgements)
    return {tool: agreement(one for one in judgements if one.tool == tool) for tool in tools}


def agreement(judgements: Iterable[Judgement]) -> Agreement:
    """Count."""
    kinds = Counter(one.kind for one in judgements)
    right = kinds[Kind.AGREES]
    return Agreement(right, right + sum(kinds[kind] for kind in MISTAKES), kinds)
