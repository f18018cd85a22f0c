"""What the tools printed in the cells, read by `kdiag why` beside the cell's own check: does it name the true cause?

A program that failed left its message, and the cell what `kdiag check` found in it. Where the same program works in a
cell that differs in as few axes as possible (the same kernel and user space, for another person or with other headers),
the truth needs no table: the cause is a finding that is not the same in the two. Where it works nowhere with this
kernel and user space, the truth is what blocked the capability, as far as the prediction was right. Where one of two
things would do (BTF or headers), the neighbour shows only one of them: an answer that names the other is counted apart.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import cast

from kdiag.capabilities.causes import causes_first
from kdiag.model import Finding, Report, Status
from kdiag.report import document
from kdiag.smoke.model import Outcome
from kdiag.why.joining import join
from kdiag.why.judging import explained
from kdiag.why.value import Answer

from . import store
from .axes import Cell
from .store import Result

_FINE = (Status.OK, Status.SKIP)


class Said(str, Enum):
    """How an explanation stands to the truth. The first three are right."""

    RIGHT = "right"
    FIRST = "right, as the first candidate"
    OTHER = "right, by the other way that would do"
    OPEN = "not established"
    UNKNOWN = "message unknown"
    FALSE = "false"


@dataclass(frozen=True, slots=True)
class Pair:
    """A message and its truth. ``works_in``: the cell that tells it, None where it works in none; ``true``: findings
    of which one is the cause, none for a tool that is too old or a program's own fault; ``others``: those that block
    the capability as well, where a rightly predicted failure has more than one; ``named``: what was said.
    """

    cell: Cell
    tool: str
    program: str
    message: str
    works_in: Cell | None
    true: tuple[str, ...]
    others: tuple[str, ...]
    said: Said
    named: str


def pairs(results: Sequence[Result]) -> Iterator[Pair]:
    """Every message of a failed program with what is said of it."""
    reports = {one.cell: document.load(json.dumps(one.check)) for one in results}
    programs = {one.cell: {str(p["id"]): p for p in _programs(one)} for one in results}
    for cell, tried in programs.items():
        for name, program in tried.items():
            text = str(program["output"] or program["message"]).strip()
            if program["outcome"] != Outcome.FAILS.value or not text or text.startswith("("):
                continue
            twin = _twin(cell, name, programs)
            blocking = _blocking(reports[cell], program)
            true = blocking if twin is None else _not_the_same(reports[cell], reports[twin])
            others = blocking if program.get("agrees") is True else ()
            answers = explained(join(text.splitlines()), reports[cell]).answers
            said, named = _judged(answers, true, others, reports[cell])
            message = str(program["message"]) or text
            yield Pair(cell, str(program["tool"]), name, message, twin, true, others, said, named)


def _programs(result: Result) -> Sequence[Mapping[str, object]]:
    return cast("Sequence[Mapping[str, object]]", store.reports(result)[1]["programs"])


def _twin(cell: Cell, name: str, programs: Mapping[Cell, Mapping[str, Mapping[str, object]]]) -> Cell | None:
    """The nearest cell in which the program works: another person rather than other headers, rather than both."""
    works = [
        other
        for other, tried in programs.items()
        if (other.kernel, other.root) == (cell.kernel, cell.root)
        and name in tried
        and tried[name]["outcome"] in (Outcome.WORKS.value, Outcome.WARNS.value)
    ]
    return min(
        works,
        key=lambda one: ((one.headers != cell.headers) * 2 + (one.who != cell.who), one.name),
        default=None,
    )


def _not_the_same(report: Report, twin: Report) -> tuple[str, ...]:
    there = {finding.id: finding for finding in twin.findings}
    return tuple(
        finding.id
        for finding in report.findings
        if finding.status not in _FINE
        and (finding.id not in there or there[finding.id].status is not finding.status)
    )


def _blocking(report: Report, program: Mapping[str, object]) -> tuple[str, ...]:
    """What blocks the capabilities that a program needs, and the causes of these."""
    needs = cast("Sequence[str]", program["needs"])
    blocking = [name for one in report.capabilities if one.id in needs for name in one.findings]
    found = [finding for name in blocking if (finding := report.finding(name)) is not None]
    return tuple(dict.fromkeys(one.id for one in (*found, *causes_first(tuple(found), _by_id(report)))))


def _by_id(report: Report) -> dict[str, Finding]:
    return {finding.id: finding for finding in report.findings}


def _judged(
    answers: Sequence[Answer], true: Sequence[str], others: Sequence[str], report: Report
) -> tuple[Said, str]:
    """The first answer that says something of this machine decides; harmless ones are no answer to a failure."""
    telling = [one for one in answers if one.outcome != "harmless"]
    if not telling:
        return (Said.FALSE, "harmless") if answers else (Said.UNKNOWN, "")
    first = telling[0]
    if first.cause is not None and first.outcome == "established":
        chain = {first.cause.id, *(one.id for one in causes_first((first.cause,), _by_id(report)))}
        if chain & set(true):
            return Said.RIGHT, first.cause.id
        return (Said.OTHER if chain & set(others) else Said.FALSE), first.cause.id
    if first.outcome == "elsewhere":
        return (Said.FALSE if true else Said.RIGHT), "elsewhere"
    if first.candidates and first.candidates[0].id in true:
        return Said.FIRST, first.candidates[0].id
    return Said.OPEN, first.told.message.id


def table(found: Sequence[Pair]) -> str:
    """The numbers by tool, then every message that is not answered rightly, once, with where it came."""
    tools = sorted({one.tool for one in found})
    heads = ["tool", "pairs", "by a cell that works", *(kind.value for kind in Said)]
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
    for tool in [*tools, ""]:
        mine = [one for one in found if not tool or one.tool == tool]
        kinds = Counter(one.said for one in mine)
        twins = sum(one.works_in is not None for one in mine)
        row = [tool or "all", len(mine), twins, *(kinds[kind] for kind in Said)]
        lines.append("| " + " | ".join(str(one) for one in row) + " |")
    wrong: dict[tuple[str, str, str, str], list[Pair]] = {}
    for one in found:
        if one.said not in (Said.RIGHT, Said.FIRST, Said.OTHER):
            wrong.setdefault((one.said.value, one.tool, one.named, one.message), []).append(one)
    for (said, tool, named, message), where in sorted(wrong.items(), key=lambda item: -len(item[1])):
        lines += ["", f"{said}: {len(where)} times, {tool}, named {named or 'nothing'}", f"    {message}"]
        lines.append(f"  {where[0].cell.name} {where[0].program}; true: {', '.join(where[0].true) or 'none'}")
    return "\n".join(lines) + "\n"
