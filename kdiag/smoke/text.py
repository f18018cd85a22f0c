"""The smoke report for a person at a terminal, the list of programs, a line of progress for where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kdiag.console.called import spoken
from kdiag.console.wrap import columns, pad, wrap
from kdiag.model import Works
from kdiag.report.terminal.page import VERDICTS, Page, works_words
from kdiag.smoke.model import Outcome, Result, SmokeReport
from kdiag.smoke.programs import Program
from kdiag.smoke.verdict import parts, proofs, verdict

#: Fancy mark, plain mark, style, in words.
MARKS = {
    Outcome.WORKS: ("✓", "+", "good", "works"),
    Outcome.WARNS: ("!", "!", "care", "works, with a message"),
    Outcome.FAILS: ("✗", "x", "bad", "fails"),
    Outcome.SKIPPED: ("·", "-", "dim", "not tried"),
}
_WORDS = {
    Outcome.WORKS: "works",
    Outcome.WARNS: "works",
    Outcome.FAILS: "fails",
    Outcome.SKIPPED: "skipped",
}
_FORETOLD = {True: "as predicted", False: "UNEXPECTED", None: ""}
_LEFT = 6  # indent, mark, star
_RIGHT = 2 + 7 + 1 + 7 + 2 + 12  # outcome, seconds, prediction


def render(report: SmokeReport, *, width: int, color: bool, unicode: bool) -> str:
    """The report, ending in a newline. Only commands and paths may be longer than a line."""
    page = Page(width, color, False, unicode)
    notes = _numbered(report.programs)
    sections = (
        list(_head(report, page)),
        list(_table(report, notes, page)),
        [*_notes(report.programs, notes, page), *_remarks(report, page)],
        list(_mistakes(report.disagreements, page)),
        list(_verdict(report, page)),
    )
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def progress(result: Result, *, unicode: bool) -> str:
    """One line about a program that has ended, without a newline."""
    page = Page(80, unicode=unicode)
    note = f": {result.message}" if result.outcome in (Outcome.FAILS, Outcome.SKIPPED) else ""
    return page.clean(f"{result.id}: {_WORDS[result.outcome]} ({result.seconds:.1f} s){note}")


def listing(programs: Sequence[Program]) -> str:
    """The programs: id, what it does, the capabilities that it stands on."""
    names = max(columns(one.id) for one in programs)
    titles = max(columns(one.title) for one in programs)
    lines = [f"{pad('PROGRAM', names)}  {pad('WHAT IT TRIES', titles)}  CAPABILITIES"]
    lines += [f"{pad(one.id, names)}  {pad(one.title, titles)}  {', '.join(one.needs)}" for one in programs]
    return "\n".join(lines) + "\n"


def _head(report: SmokeReport, page: Page) -> Iterator[str]:
    machine = report.machine
    tool = machine.bpftrace
    parts = (
        f"{machine.release} {machine.arch}".strip(),
        tool if not tool or "bpftrace" in tool else f"bpftrace {tool}",
        machine.user,
    )
    yield from page.text(page.dot.join(filter(None, parts)), 0, rest=2)


def _numbered(results: Iterable[Result]) -> dict[str, int]:
    """A number for each different message: in order of appearance, those with one meaning together."""
    by_meaning: dict[str, dict[str, None]] = {}
    for one in results:
        if one.message:
            by_meaning.setdefault(one.meaning or one.message, {})[one.message] = None
    messages = dict.fromkeys(message for group in by_meaning.values() for message in group)
    return {message: number for number, message in enumerate(messages, start=1)}


def _table(report: SmokeReport, notes: dict[str, int], page: Page) -> Iterator[str]:
    yield page.paint("What was tried, and seen", "bold")
    yield ""
    required = {
        one.id
        for capability in report.required
        for one in proofs(report, capability) or parts(report, capability)
    }
    widest = max((columns(page.clean(one.title)) for one in report.programs), default=0)
    note_width = max((len(_reference(one, notes)) for one in report.programs), default=0)
    room = page.room - _LEFT if page.narrow else min(widest, page.room - _LEFT - _RIGHT - note_width)
    several, tool = len({one.tool for one in report.programs}) > 1, ""
    for one in report.programs:
        if several and one.tool != tool:
            if tool:
                yield ""
            tool = one.tool
            yield "  " + page.paint(tool, "dim")
        fancy, plain, style, _ = MARKS[one.outcome]
        mark = page.paint(fancy if page.unicode else plain, style)
        star = page.paint("*", "bold") if one.id in required else " "
        titles = wrap(page.clean(one.title), max(room, 10)) or [""]
        if page.narrow:
            yield f"  {mark} {star} {titles[0]}"
            yield from (" " * _LEFT + title for title in titles[1:])
            yield from page.text(_plain_cells(one, notes), _LEFT + 2)
            continue
        yield f"  {mark} {star} {pad(titles[0], room)}  {_cells(one, notes, page)}".rstrip()
        yield from (" " * _LEFT + title for title in titles[1:])
    yield ""
    yield from _legend(report, page)


def _cells(one: Result, notes: dict[str, int], page: Page) -> str:
    seconds = f"{one.seconds:.1f} s" if one.outcome is not Outcome.SKIPPED else ""
    foretold = pad(_FORETOLD[one.agrees], 12)
    if one.agrees is False:
        foretold = page.paint(foretold, "bold", "bad")
    return f"{pad(_WORDS[one.outcome], 7)} {seconds:>7}  {foretold}{_reference(one, notes)}"


def _plain_cells(one: Result, notes: dict[str, int]) -> str:
    """The same below each other's title, for a narrow page."""
    return f"{_WORDS[one.outcome]} {_FORETOLD[one.agrees]} {_reference(one, notes)}"


def _reference(one: Result, notes: dict[str, int]) -> str:
    return f"  [{notes[one.message]}]" if one.message else ""


def _legend(report: SmokeReport, page: Page) -> Iterator[str]:
    parts = []
    for outcome, (fancy, plain, style, words) in MARKS.items():
        if report.count(outcome):
            parts.append(f"{page.paint(fancy if page.unicode else plain, style)} {words}")
    yield from [f"  {part}" for part in parts] if page.narrow else [f"  {'   '.join(parts)}"]
    if any(one.capability in report.required for one in report.programs):
        yield from page.text(
            "* required: a first session's exercises, or what --require names", 2, "dim", rest=4
        )


def _notes(results: Sequence[Result], notes: dict[str, int], page: Page) -> Iterator[str]:
    """Each message once, and below those that mean the same, what they mean."""
    if not notes:
        return
    yield page.paint("What was said", "bold")
    yield ""
    meanings = {one.message: one.meaning for one in results if one.message}
    indent = len(f"  [{len(notes)}] ")
    following = [*list(notes)[1:], ""]
    for (message, number), after in zip(notes.items(), following, strict=True):
        first, *rest = page.text(message, indent) or [""]
        yield pad(f"  [{number}]", indent) + first.lstrip()
        yield from rest
        if meanings[message] != meanings.get(after, ""):
            yield from page.text(meanings[message], indent, "dim")
            same = {one.here for one in results if one.meaning == meanings[message] and one.here}
            for words in sorted(same):
                yield from page.text(f"Here: {words}", indent)


def _remarks(report: SmokeReport, page: Page) -> Iterator[str]:
    for words in report.remarks:
        yield from page.text(words, 2, rest=4)


def _mistakes(results: Sequence[Result], page: Page) -> Iterator[str]:
    """Where `kdiag check` was wrong: what it said, what happened, and what to send."""
    if not results:
        return
    yield from page.text("Mistakes of kdiag, not of this machine", 0, "bold", "bad")
    yield ""
    for one in results:
        said = works_words(one.predicted or Works.UNKNOWN)
        happened = "and it does not" if one.outcome is Outcome.FAILS else "and it works"
        yield from page.text(f"{one.id}: `kdiag check` said: {said}; {happened}.", 2, rest=4)
    yield ""
    yield from page.text("Please report this with the output of:", 2)
    yield page.command("kdiag check --format json")
    yield page.command(f"kdiag smoke --format json --only {','.join(one.id for one in results)}")


def _verdict(report: SmokeReport, page: Page) -> Iterator[str]:
    judged = verdict(report)
    word, style = VERDICTS[judged.status]
    first, *rest = page.text(f"{word}: {judged.summary}", 0, rest=2)
    yield page.paint(first[: len(word)], "bold", style) + first[len(word) :]
    yield from rest
    if judged.next:
        yield "Next: " + page.paint(page.clean(spoken(judged.next)), "bold")
