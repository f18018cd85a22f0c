"""An explanation in Markdown, to be pasted into an issue: nothing that came in is markup there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kdiag.model import Finding, Remedy
from kdiag.report.faces.markup import code, fenced, prose
from kdiag.report.faces.plain import line
from kdiag.why.value import Answer, Explanation, Outcome, Refusal, Strange
from kdiag.why.words import HEADING, left_out, machine_line, nothing, other_machine, reason, short, what

_MARKS: dict[Outcome, str] = {
    "established": "❌",
    "harmless": "✅",
    "elsewhere": "➖",
    "misfit": "➖",
    "candidates": "❔",
    "none-here": "❔",
}
#: Answers, complaints and pieces of evidence that are told.
_ANSWERS, _STRANGE, _EVIDENCE = 20, 10, 10


def render(explanation: Explanation) -> str:
    """The Markdown, ending in a newline."""
    log = explanation.log
    parts = [prose(other), ""] if (other := other_machine(explanation)) else []
    parts += _refusal(log.refusal, log.refused) if log.refusal is not None else ()
    parts += [part for answer in explanation.answers[:_ANSWERS] for part in _answer(answer)]
    if len(explanation.answers) > _ANSWERS:
        parts += [f"{len(explanation.answers) - _ANSWERS} more known messages are left out.", ""]
    strange = [one for one in log.strange if log.refusal is None or one.text != log.refusal.text]
    parts += [part for one in strange[:_STRANGE] for part in _unknown(one)]
    if not any(part.startswith("#") for part in parts):
        parts += [f"### {prose(nothing(log))}", ""]
    for words in left_out(log):
        parts += [prose(words), ""]
    parts.append(f"<sub>{prose(' · '.join(machine_line(explanation)))} · {code('kdiag why')}</sub>")
    return "\n".join(parts) + "\n"


def _answer(answer: Answer) -> Iterator[str]:
    told = answer.told
    yield f"### {_MARKS[answer.outcome]} {prose(HEADING[answer.outcome] + what(answer))}"
    yield ""
    yield from _quoted(told.line, told.times, told.text)
    for text in filter(None, (told.message.meaning, answer.errno, answer.release)):
        yield from (prose(text), "")
    if answer.outcome == "established" and answer.cause is not None:
        yield from _cause(answer, answer.cause)
    elif answer.outcome in ("candidates", "none-here"):
        yield from _listed("Possible", answer.candidates)
        yield from _listed("Not so here", answer.ruled_out)
        yield from _listed("Not looked at", answer.skipped)
    if told.message.misleads:
        yield f"**Beware:** {prose(told.message.misleads)}"
        yield ""


def _cause(answer: Answer, cause: Finding) -> Iterator[str]:
    if cause.reason:
        yield prose(cause.reason)
        yield ""
    if cause.evidence:
        yield from fenced(
            "\n".join(f"{line(e.place)}: {line(e.observed)}" for e in cause.evidence[:_EVIDENCE])
        )
    yield from _listed("Because", tuple(reversed(answer.because)))
    yield from _listed("Can cause it as well", answer.others)
    if answer.remedy is not None:
        yield from _remedy(answer.remedy)
    for wrong in cause.wrong_remedies:
        yield f"Does not help: {prose(wrong.advice)}: {prose(wrong.why)}"
        yield ""


def _remedy(remedy: Remedy) -> Iterator[str]:
    notes = [f"on {remedy.run_on}"] if remedy.run_on not in ("", "here") else []
    notes += [f"needs {need}" for need in remedy.needs]
    yield f"**Fix:** {prose(remedy.title)}" + (f" ({prose(', '.join(notes))})" if notes else "")
    yield ""
    if remedy.commands:
        yield from fenced("\n".join(line(command) for command in remedy.commands), "sh")


def _listed(heading: str, findings: Sequence[Finding]) -> Iterator[str]:
    if findings:
        yield f"{heading}:"
        yield ""
        yield from (f"- {code(f.id)}: {prose(f.summary + reason(f))}" for f in findings)
        yield ""


def _quoted(number: int, times: int, words: str) -> Iterator[str]:
    often = f", {times:,} times" if times > 1 else ""
    yield f"Line {number}{often}:"
    yield ""
    yield from fenced(line(short(words)))


def _refusal(refusal: Refusal, programs: int) -> Iterator[str]:
    many = f"{programs} programs" if programs > 1 else "a program"
    problem = f": {refusal.problem}" if refusal.problem else ""
    yield f"### ❌ {prose(f'The verifier of the kernel refuses {many}{problem}')}"
    yield ""
    yield from _quoted(refusal.line, 1, refusal.text)
    for label, words in (
        ("The kernel says", refusal.reason),
        ("At", refusal.at),
        ("It advises", refusal.suggestion),
    ):
        if words:
            yield f"{label}: {prose(words)}"
            yield ""


def _unknown(one: Strange) -> Iterator[str]:
    yield "### ❔ Unknown message"
    yield ""
    yield from _quoted(one.line, one.times, one.text)
    if one.nearest:
        yield "Nearest:"
        yield ""
        yield from (f"- {code(message.id)}: {prose(message.example)}" for message in one.nearest)
        yield ""
