"""An explanation for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kdiag.model import Finding, Remedy
from kdiag.report.terminal.page import Page
from kdiag.why.value import Answer, Explanation, Log, Outcome, Refusal, Strange
from kdiag.why.words import HEADING, left_out, located, machine_line, more_as_root, reason, short, what

_STYLE: dict[Outcome, str] = {
    "established": "bad",
    "harmless": "good",
    "elsewhere": "care",
    "candidates": "open",
    "none-here": "open",
}
#: Pieces of evidence, links of a chain, and messages, that are shown without --verbose.
_EVIDENCE = 3
_LINKS = 3
_ANSWERS = 4


def render(explanation: Explanation, page: Page) -> str:
    """The whole text, ending in a newline."""
    shown = explanation.answers if page.verbose else explanation.answers[:_ANSWERS]
    refusal = list(_refusal(explanation.log, page))
    lines = [line for answer in shown for line in (*_answer(answer, page), "")]
    hidden = len(explanation.answers) - len(shown)
    if hidden:
        messages = "message" if hidden == 1 else "messages"
        lines += [
            f"and {hidden} more known {messages}: --verbose shows {'it' if hidden == 1 else 'them'}",
            "",
        ]
    lines = refusal + lines
    lines += _strange(explanation, page)
    lines += _foot(explanation, page)
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def _answer(answer: Answer, page: Page) -> Iterator[str]:
    yield from page.text(
        f"{HEADING[answer.outcome]}{what(answer)}", 0, "bold", _STYLE[answer.outcome], rest=2
    )
    yield from page.labelled("message", located(answer.told))
    yield from page.labelled("means", answer.told.message.meaning)
    if answer.errno:
        yield from page.labelled("errno", answer.errno)
    if answer.cause is not None and answer.outcome == "established":
        yield from _cause(answer, answer.cause, page)
    elif answer.outcome != "harmless":
        yield from _listed("possible", [f"{f.id}: {f.summary}{reason(f)}" for f in answer.candidates], page)
        if answer.candidates:
            first = answer.candidates[0].id
            yield from page.labelled("look", f"`kdiag explain {first}` says how to see it without kdiag")
    if answer.outcome in ("candidates", "none-here") or page.verbose:
        yield from _listed("not", [f"{f.id}: {f.summary}" for f in answer.ruled_out], page)
    if page.verbose or (answer.outcome == "candidates" and not answer.candidates):
        yield from _listed("skipped", [f"{f.id}: {f.summary}" for f in answer.skipped], page)
    if answer.told.message.misleads:
        yield from page.labelled("beware", answer.told.message.misleads)


def _cause(answer: Answer, cause: Finding, page: Page) -> Iterator[str]:
    many = None if page.verbose else _LINKS
    if cause.reason:
        yield from page.labelled("reason", cause.reason)
    seen = cause.evidence if page.verbose else cause.evidence[:_EVIDENCE]
    yield from _listed("seen", [f"{e.place}: {e.observed}" for e in seen], page)
    chain = tuple(reversed(answer.because))
    yield from _listed("because", [f"{f.id}: {f.summary}" for f in chain[:many]], page)
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


def _refusal(log: Log, page: Page) -> Iterator[str]:
    """What the verifier says, where none of the known messages says it already."""
    refusal = log.refusal
    if refusal is None or (any(one.text == refusal.text for one in log.told) and not refusal.problem):
        return
    many = f" {log.refused} programs" if log.refused > 1 else " a program"
    yield from page.text(f"The kernel's verifier refuses{many}{_problem(refusal)}", 0, "bold", "bad", rest=2)
    yield from page.labelled("message", f"line {refusal.line}: {short(refusal.text)}")
    for label, words in (("says", refusal.reason), ("at", refusal.at), ("advises", refusal.suggestion)):
        if words:
            yield from page.labelled(label, words)
    if not refusal.problem:
        nearest = next((one.nearest for one in log.strange if one.text == refusal.text), ())
        yield from _listed("nearest", [f"{m.id}: {m.example}" for m in nearest], page)
    yield ""


def _problem(refusal: Refusal) -> str:
    return f": {refusal.problem}" if refusal.problem else ""


def _strange(explanation: Explanation, page: Page) -> Iterator[str]:
    log = explanation.log
    strange = [one for one in log.strange if log.refusal is None or one.text != log.refusal.text]
    known = bool(explanation.answers) or log.refusal is not None
    for one in strange if page.verbose or not known else strange[:2]:
        yield from _unknown(one, page)
        yield ""
    if not known and not strange:
        yield from page.text("No message in it that kdiag knows, and no line that complains", 0, "bold")
        yield ""


def _unknown(one: Strange, page: Page) -> Iterator[str]:
    yield from page.text("Unknown message", 0, "bold", "open")
    yield from page.labelled("message", located(one))
    yield from _listed("nearest", [f"{m.id}: {m.example}" for m in one.nearest], page)


def _foot(explanation: Explanation, page: Page) -> Iterator[str]:
    yield from page.text(page.dot.join(machine_line(explanation)), 0, "dim", rest=2)
    if more := more_as_root(explanation):
        yield from page.text(more, 0, rest=2)
    for words in left_out(explanation.log):
        yield from page.text(words, 0, rest=2)
