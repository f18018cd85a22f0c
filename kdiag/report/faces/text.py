"""The report for a person at a terminal: ready or not and what next, where we are, what can be traced, what is in the
way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from kdiag.console.wrap import columns
from kdiag.model import Finding, MachineInfo, Report, Status, Verdict
from kdiag.report.story.finding import Story, brief
from kdiag.report.story.kernel_headers import answer
from kdiag.report.story.next_step import in_words, label
from kdiag.report.story.order import (
    decisive,
    heading,
    in_the_way,
    not_in_the_way,
    urgent,
    without_echoes,
    without_links,
)
from kdiag.report.story.paragraphs import Paragraph, one_by_one, told_together
from kdiag.report.terminal.page import VERDICTS, Page
from kdiag.report.terminal.table import table

_IDLE = "Not in the way here"
_QUESTION = "Do I need kernel headers?"


def render(report: Report, *, width: int, color: bool, verbose: bool, unicode: bool) -> str:
    """The terminal report, ending in a newline.

    width: columns of the terminal; only commands and paths may be longer than a line. Without `color` there
    is no escape code at all; without `unicode` every character is ASCII.
    """
    page = Page(width, color, verbose, unicode)
    sections = (
        list(_verdict(report, page)),
        list(_machine(report, page)),
        list(table(report, page)),
        list(_headers(report, page)),
        list(_in_the_way(report, page)),
        list(_others(report, page)),
    )
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _machine(report: Report, page: Page) -> Iterator[str]:
    """Where we are: on one line, else the kernel on the first and what runs on it on the next."""
    kernel, system = ([*filter(None, map(page.clean, parts))] for parts in _parts(report.machine))
    dot = page.dot if page.unicode else ", "
    whole = dot.join([*kernel, *system])
    lines = (
        [whole] if columns(whole) <= page.room else [*_filled(kernel, dot, page), *_filled(system, dot, page)]
    )
    for index, line in enumerate(lines if whole else ["Nothing is known about this machine."]):
        *wrapped, last = page.text(line, 2 if index else 0, rest=2)
        yield from wrapped
        more = index + 1 < len(lines) and columns(last + dot) <= page.room
        yield last + (dot.rstrip() if more else "")
    if page.verbose:
        made = (report.machine.version, f"kdiag {report.kdiag}", report.created)
        yield from page.text(page.dot.join(filter(None, made)), 2, "dim")


def _filled(parts: Iterable[str], dot: str, page: Page) -> list[str]:
    """The parts on as few lines as hold them, broken between them."""
    lines: list[str] = []
    for part in parts:
        if lines and columns(lines[-1] + dot + part) <= page.room - 2:
            lines[-1] += dot + part
        else:
            lines.append(part)
    return lines


def _parts(machine: MachineInfo) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The kernel, and what runs on it, in words; parts that are not known are empty."""
    known_vm = _words(machine.vm) <= _words(machine.kernel)
    named = "bpftrace" in machine.bpftrace or not machine.bpftrace
    kernel = (f"{machine.release} {machine.arch}".strip(), _kernel(machine))
    system = (
        machine.distribution,
        machine.container,
        machine.host and f"host {machine.host}",
        "" if known_vm else machine.vm,
        machine.bpftrace if named else f"bpftrace {machine.bpftrace}",
        machine.user,
        "" if machine.root in ("", "/") else f"examined from outside: {machine.root}",
    )
    return kernel, system


def _kernel(machine: MachineInfo) -> str:
    """Whose kernel it is, so that it is not taken for the distribution."""
    named = not machine.kernel or "kernel" in machine.kernel.casefold().split()
    return machine.kernel if named else f"{machine.kernel} kernel"


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold())) - {"a", "an", "the", "vm", "kernel"}


def _headers(report: Report, page: Page) -> Iterator[str]:
    """The first question of everyone who starts, and its answer."""
    words = answer(report)
    if words:
        first, *rest = page.text(f"{_QUESTION} {words}", 0, rest=2)
        cut = min(len(first), len(_QUESTION))
        yield page.paint(first[:cut], "bold") + first[cut:]
        yield from rest


def _in_the_way(report: Report, page: Page) -> Iterator[str]:
    """In full what required capabilities wait for (with --verbose: what anything waits for), the rest in a few
    lines each.
    """
    every = in_the_way(report)
    waited_for = every if page.verbose else urgent(report, every)
    told = waited_for if page.verbose else without_echoes(without_links(report, waited_for))
    rest = () if page.verbose else without_echoes(decisive(report, {f.id for f in waited_for}), waited_for)
    story = Story(report, page, told)
    story.held_back = len(told) < len(waited_for)
    if told:
        yield page.paint(heading(report), "bold")
        yield from _apart(told_together(report, told), story, story.tell)
    if rest:
        if told:
            yield ""
        yield page.paint("Also limited here" if told else "Limited here", "bold")
        yield from _apart(one_by_one(rest), story, lambda one: story.sketch(one.group))
    more = [] if page.verbose else [*_more(story.held_back, len(not_in_the_way(report)))]
    if more:
        if told or rest:
            yield ""
        yield from page.text(f"--verbose shows {' and '.join(more)}.", 0, "dim", rest=2)


def _apart(
    paragraphs: Iterable[Paragraph], story: Story, tell: Callable[[Paragraph], Iterator[str]]
) -> Iterator[str]:
    """The paragraphs with empty lines between them, but not between a cause and its symptom."""
    before: set[str] = set()
    for paragraph in paragraphs:
        if before.isdisjoint(story.causes(paragraph.group[0])):
            yield ""
        yield from tell(paragraph)
        before = {finding.id for finding in paragraph.members}


def _more(held_back: bool, others: int) -> Iterator[str]:
    """What --verbose would add."""
    if held_back:
        yield "all evidence"
    if others:
        yield f"{others} finding{'s' if others > 1 else ''} that nothing here waits for"


def _others(report: Report, page: Page) -> Iterator[str]:
    """With --verbose the findings that nothing waits for, by status."""
    if not page.verbose:
        return
    others = not_in_the_way(report)
    fine = [f for f in report.findings if f.status is Status.OK]
    skipped = [f for f in report.findings if f.status is Status.SKIP]
    groups = ((_IDLE, others), ("As it should be", fine), ("Does not arise here", skipped))
    for index, (title, findings) in enumerate((h, f) for h, f in groups if f):
        if index:
            yield ""
        yield from _group(title, findings, page)


def _group(title: str, findings: Iterable[Finding], page: Page) -> Iterator[str]:
    yield page.paint(title, "bold")
    yield ""
    for finding in findings:
        # A cross is for what keeps something from working.
        yield from brief(finding, page, decides=title != _IDLE)


def _verdict(report: Report, page: Page) -> Iterator[str]:
    word, style = VERDICTS[report.verdict.status]
    first, *rest = page.text(f"{word}: {report.verdict.summary}", 0, rest=2)
    yield page.paint(first[: len(word)], "bold", style) + first[len(word) :]
    yield from rest
    if report.verdict.next:
        yield from _next(report.verdict, page)


def _next(verdict: Verdict, page: Page) -> Iterator[str]:
    """A command stays on one line, to be copied; words are wrapped."""
    head, text = f"{page.clean(label(verdict))}: ", page.clean(verdict.next)
    if not in_words(verdict):
        yield head + page.paint(text, "bold")
        return
    first, *rest = page.text(head + text, 0, rest=2)
    yield head + page.paint(first[len(head) :], "bold") if len(first) > len(head) else first
    yield from (page.paint(line, "bold") for line in rest)
