"""An explanation for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kdiag.model import Finding, Remedy
from kdiag.report.terminal.page import Page
from kdiag.why.value import Answer, Explanation, Outcome, Strange

_HEAD: dict[Outcome, tuple[str, str]] = {
    "established": ("bad", "Cause"),
    "harmless": ("good", "Harmless here"),
    "elsewhere": ("care", "Not this machine"),
    "candidates": ("open", "Cause not established"),
    "none-here": ("open", "None of its usual causes is here"),
}
#: Pieces of evidence, and messages, that are shown without --verbose.
_EVIDENCE = 3
_ANSWERS = 4


def render(explanation: Explanation, page: Page) -> str:
    """The whole text, ending in a newline."""
    shown = explanation.answers if page.verbose else explanation.answers[:_ANSWERS]
    lines = [line for answer in shown for line in (*_answer(answer, page), "")]
    hidden = len(explanation.answers) - len(shown)
    if hidden:
        lines += [f"and {hidden} more known messages: --verbose shows them", ""]
    lines += _strange(explanation, page)
    lines += _foot(explanation, page)
    return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"


def _answer(answer: Answer, page: Page) -> Iterator[str]:
    style, words = _HEAD[answer.outcome]
    yield from page.text(f"{words}{_what(answer)}", 0, "bold", style, rest=2)
    often = f", {answer.told.times} times" if answer.told.times > 1 else ""
    yield from page.labelled("message", f"line {answer.told.line}{often}: {_short(answer.told.text)}")
    yield from page.labelled("means", answer.told.message.meaning)
    if answer.cause is not None and answer.outcome == "established":
        yield from _cause(answer, answer.cause, page)
    yield from _listed("possible", [f"{f.id}: {f.summary}{_reason(f)}" for f in answer.candidates], page)
    if answer.outcome != "established" or page.verbose:
        yield from _listed("not", [f"{f.id}: {f.summary}" for f in answer.ruled_out], page)
    if answer.told.message.misleads:
        yield from page.labelled("beware", answer.told.message.misleads)


def _what(answer: Answer) -> str:
    if answer.outcome == "established" and answer.cause is not None:
        return f": {answer.cause.summary} ({answer.cause.id})"
    if answer.outcome == "harmless" and answer.ruled_out:
        return f": {', '.join(f.summary for f in answer.ruled_out)}"
    if answer.outcome == "elsewhere":
        return ": it lies in the program or the tool"
    return ""


def _cause(answer: Answer, cause: Finding, page: Page) -> Iterator[str]:
    if cause.reason:
        yield from page.labelled("reason", cause.reason)
    yield from _listed("seen", [f"{e.place}: {e.observed}" for e in cause.evidence[:_EVIDENCE]], page)
    yield from _listed("because", [f"{f.id}: {f.summary}" for f in reversed(answer.because)], page)
    yield from _listed("also", [f"{f.id}: {f.summary}" for f in answer.others], page)
    if answer.remedy is not None:
        yield from _remedy(answer.remedy, page)


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


def _reason(finding: Finding) -> str:
    more = finding.with_root or finding.reason
    return f" ({more})" if more else ""


def _strange(explanation: Explanation, page: Page) -> Iterator[str]:
    strange = explanation.log.strange
    known = bool(explanation.answers)
    for one in strange if page.verbose or not known else strange[:2]:
        yield from _unknown(one, page)
        yield ""
    if not known and not strange:
        yield from page.text("No message in it that kdiag knows, and no line that complains", 0, "bold")
        yield ""


def _unknown(one: Strange, page: Page) -> Iterator[str]:
    yield from page.text("Unknown message", 0, "bold", "open")
    often = f", {one.times} times" if one.times > 1 else ""
    yield from page.labelled("message", f"line {one.line}{often}: {_short(one.text)}")
    yield from _listed("nearest", [f"{m.id}: {m.example}" for m in one.nearest], page)


def _foot(explanation: Explanation, page: Page) -> Iterator[str]:
    machine = explanation.machine
    facts = [f"{machine.release} {machine.arch}".strip(), machine.bpftrace and f"bpftrace {machine.bpftrace}"]
    where = f"held against {explanation.place or 'this machine'}"
    yield from page.text(page.dot.join(filter(None, [where, *facts])), 0, "dim", rest=2)
    if explanation.log.cut:
        yield from page.text("the text is longer than what was read (1 GiB)", 0)


def _short(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:297]}..."
