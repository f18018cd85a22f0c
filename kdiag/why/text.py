"""An explanation for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kdiag.model import Finding, Remedy
from kdiag.report.terminal.page import Page
from kdiag.why.value import Answer, Explanation, Log, Outcome, Refusal, Strange, Told
from kdiag.why.words import (
    BOTH_STREAMS,
    HEADING,
    left_out,
    located,
    machine_line,
    more_as_root,
    nothing,
    other_machine,
    reason,
    short,
    what,
)

_STYLE: dict[Outcome, str] = {
    "established": "bad",
    "harmless": "good",
    "elsewhere": "care",
    "misfit": "care",
    "candidates": "open",
    "none-here": "open",
}


class Much(NamedTuple):
    """How much is shown: messages, unknown ones, pieces of evidence and links of a chain, None for all; what is ruled
    out; where in the text a message stands; messages whose cause is told already.
    """

    answers: int | None
    strange: int | None
    evidence: int | None
    links: int | None
    ruled_out: bool = True
    lines: bool = True
    repeated: bool = True


_USUAL, _ALL = Much(4, 2, 3, 3), Much(None, None, None, None)
#: Below what a command printed itself.
BRIEF = Much(2, 1, 1, 1, ruled_out=False, lines=False, repeated=False)


def render(explanation: Explanation, page: Page, much: Much | None = None) -> str:
    """The whole text, ending in a newline."""
    much = much or (_ALL if page.verbose else _USUAL)
    answers = explanation.answers if much.repeated else _once(explanation.answers)
    shown = answers[: much.answers]
    harmless = [one for one in shown if one.outcome == "harmless"]
    lines = list(_other(explanation, page)) if much.lines else []
    lines += _refusal(explanation.log, page, much)
    lines += _answers([one for one in shown if one.outcome != "harmless"], page, much)
    hidden = len(answers) - len(shown)
    if hidden and much.lines:
        messages = "message" if hidden == 1 else "messages"
        lines += [
            f"and {hidden} more known {messages}: --verbose shows {'it' if hidden == 1 else 'them'}",
            "",
        ]
    unknown = list(_strange(explanation, page, much))
    lines += unknown
    if much.lines or not unknown:
        lines += _answers(harmless, page, much)
    lines += _foot(explanation, page)
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def _other(explanation: Explanation, page: Page) -> Iterator[str]:
    if other := other_machine(explanation):
        yield from page.text(other, 0, "care", rest=2)
        yield ""


def _once(answers: Sequence[Answer]) -> list[Answer]:
    """The first answer of each cause."""
    seen: set[str] = set()
    kept = []
    for one in answers:
        if not _is_again(one, seen):
            kept.append(one)
    return kept


def _is_again(answer: Answer, seen: set[str]) -> bool:
    """Whether its cause was told; which is remembered."""
    cause = answer.cause.id if answer.cause is not None and answer.outcome == "established" else ""
    again = cause in seen
    seen.update([cause] if cause else [])
    return again


def _answers(answers: Sequence[Answer], page: Page, much: Much) -> Iterator[str]:
    seen: set[str] = set()
    for one in answers:
        yield from _repeated(one, page, much) if _is_again(one, seen) else _answer(one, page, much)
        yield ""


def _repeated(answer: Answer, page: Page, much: Much) -> Iterator[str]:
    """A message whose cause is told above."""
    cause = answer.cause.id if answer.cause is not None else ""
    yield from page.text(f"The same cause: {cause}", 0, "bold", "bad", rest=2)
    yield from _said(answer, page, much)


def _where(one: Told | Strange, much: Much) -> str:
    return located(one) if much.lines else short(one.text)


def _answer(answer: Answer, page: Page, much: Much) -> Iterator[str]:
    yield from page.text(
        f"{HEADING[answer.outcome]}{what(answer)}", 0, "bold", _STYLE[answer.outcome], rest=2
    )
    yield from _said(answer, page, much)
    if answer.cause is not None and answer.outcome == "established":
        yield from _cause(answer, answer.cause, page, much)
    elif answer.outcome != "harmless":
        yield from _listed("possible", [f"{f.id}: {f.summary}{reason(f)}" for f in answer.candidates], page)
        if answer.candidates:
            first = answer.candidates[0].id
            yield from page.labelled("look", f"`kdiag explain {first}` says how to see it without kdiag")
    if (answer.outcome in ("candidates", "none-here") and much.ruled_out) or page.verbose:
        yield from _listed("not", [f"{f.id}: {f.summary}" for f in answer.ruled_out], page)
    if page.verbose or (answer.outcome == "candidates" and not answer.candidates):
        yield from _listed("skipped", [f"{f.id}: {f.summary}" for f in answer.skipped], page)


def _said(answer: Answer, page: Page, much: Much) -> Iterator[str]:
    """The message, and what it means wherever it is printed."""
    yield from page.labelled("message", _where(answer.told, much))
    yield from page.labelled("means", answer.told.message.meaning)
    if answer.errno:
        yield from page.labelled("errno", answer.errno)
    if answer.release:
        yield from page.labelled("release", answer.release)
    if answer.told.message.misleads:
        yield from page.labelled("beware", answer.told.message.misleads)


def _cause(answer: Answer, cause: Finding, page: Page, much: Much) -> Iterator[str]:
    if cause.reason:
        yield from page.labelled("reason", cause.reason)
    yield from _listed("seen", [f"{e.place}: {e.observed}" for e in cause.evidence[: much.evidence]], page)
    chain = tuple(reversed(answer.because))
    yield from _listed("because", [f"{f.id}: {f.summary}" for f in chain[: much.links]], page)
    yield from _listed("also", [f"{f.id}: {f.summary}" for f in answer.others], page)
    if answer.remedy is not None:
        yield from _remedy(answer.remedy, page)
    if page.verbose:
        yield from _listed("not so", [f"{w.advice} — {w.why}" for w in cause.wrong_remedies], page)
        yield from _listed("unseen", [f"{f.id}: {f.summary}{reason(f)}" for f in answer.candidates], page)


def _remedy(remedy: Remedy, page: Page) -> Iterator[str]:
    where = (
        "" if remedy.run_on == "here" else f"on {remedy.run_on}" if " " in remedy.run_on else remedy.run_on
    )
    notes = [*filter(None, [where]), *(f"needs {need}" for need in remedy.needs)]
    yield from page.labelled("fix", f"{remedy.title} ({', '.join(notes)})" if notes else remedy.title)
    for command in remedy.commands:
        yield page.command(command)


def _listed(label: str, texts: Sequence[str], page: Page) -> Iterator[str]:
    for index, text in enumerate(texts):
        yield from page.labelled("" if index else label, text)


def _refusal(log: Log, page: Page, much: Much) -> Iterator[str]:
    """What the verifier says, where none of the known messages says it already."""
    refusal = log.refusal
    if refusal is None or (any(one.text == refusal.text for one in log.told) and not refusal.problem):
        return
    many = f" {log.refused} programs" if log.refused > 1 else " a program"
    yield from page.text(f"The kernel's verifier refuses{many}{_problem(refusal)}", 0, "bold", "bad", rest=2)
    yield from page.labelled(
        "message", f"{f'line {refusal.line}: ' if much.lines else ''}{short(refusal.text)}"
    )
    for label, words in (("says", refusal.reason), ("at", refusal.at), ("advises", refusal.suggestion)):
        if words:
            yield from page.labelled(label, words)
    if not refusal.problem:
        nearest = next((one.nearest for one in log.strange if one.text == refusal.text), ())
        yield from _listed("nearest", [f"{m.id}: {m.example}" for m in nearest], page)
    yield ""


def _problem(refusal: Refusal) -> str:
    return f": {refusal.problem}" if refusal.problem else ""


def _strange(explanation: Explanation, page: Page, much: Much) -> Iterator[str]:
    log = explanation.log
    strange = [one for one in log.strange if log.refusal is None or one.text != log.refusal.text]
    known = bool(explanation.answers) or log.refusal is not None
    for one in strange if much.lines and not known else strange[: much.strange]:
        yield from _unknown(one, page, much)
        yield ""
    if not known and not strange:
        yield from page.text(nothing(log), 0, "bold")
        if not log.lines:
            yield page.command(BOTH_STREAMS)
        yield ""


def _unknown(one: Strange, page: Page, much: Much) -> Iterator[str]:
    yield from page.text("Unknown message", 0, "bold", "open")
    yield from page.labelled("message", _where(one, much))
    yield from _listed("nearest", [f"{m.id}: {m.example}" for m in one.nearest], page)


def _foot(explanation: Explanation, page: Page) -> Iterator[str]:
    yield from page.text(page.dot.join(machine_line(explanation)), 0, "dim", rest=2)
    if more := more_as_root(explanation):
        yield from page.text(more, 0, rest=2)
    for words in left_out(explanation.log):
        yield from page.text(words, 0, rest=2)
