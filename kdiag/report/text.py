"""The report for a person at a terminal: where we are, what can be traced, what is in the way, what next."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from kdiag.model import Finding, MachineInfo, Report, Status
from kdiag.report.order import decisive, in_the_way, not_in_the_way, urgent
from kdiag.report.page import VERDICTS, Page
from kdiag.report.story import Story, brief
from kdiag.report.table import table
from kdiag.report.wrap import columns

_FOLD = 3


def render(report: Report, *, width: int, color: bool, verbose: bool, unicode: bool) -> str:
    """The terminal report, ending in a newline.

    width: columns of the terminal; only commands and paths may be longer than a line. Without `color` there
    is no escape code at all; without `unicode` every character is ASCII.
    """
    page = Page(width, color, verbose, unicode)
    sections = (
        list(_machine(report, page)),
        list(table(report, page)),
        list(_in_the_way(report, page)),
        list(_others(report, page)),
        list(_verdict(report, page)),
    )
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _machine(report: Report, page: Page) -> Iterator[str]:
    """Where we are, broken between its parts."""
    dot = page.dot if page.unicode else ", "
    lines: list[str] = []
    for part in filter(None, map(page.clean, _parts(report.machine))):
        if lines and columns(lines[-1] + dot + part + dot) <= page.room - 2:
            lines[-1] += dot + part
        else:
            lines.append(part)
    for index, line in enumerate(lines or ["Nothing is known about this machine."]):
        *wrapped, last = page.text(line, 2 if index else 0, rest=2)
        yield from wrapped
        more = index + 1 < len(lines) and columns(last + dot) <= page.room
        yield last + (dot.rstrip() if more else "")
    if page.verbose:
        made = (report.machine.version, f"kdiag {report.kdiag}", report.created)
        yield from page.text(page.dot.join(filter(None, made)), 2, "dim")


def _parts(machine: MachineInfo) -> Iterator[str]:
    """The parts that are known, in words."""
    known = (
        f"{machine.release} {machine.arch}".strip(),
        machine.kernel,
        machine.distribution,
        machine.container,
    )
    yield from filter(None, known)
    if machine.vm and not _words(machine.vm) <= _words(machine.kernel):
        yield machine.vm
    if machine.bpftrace:
        yield machine.bpftrace if "bpftrace" in machine.bpftrace else f"bpftrace {machine.bpftrace}"
    if machine.user:
        yield machine.user
    if machine.root not in ("", "/"):
        yield f"examined from outside: {machine.root}"


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold())) - {"a", "an", "the", "vm", "kernel"}


def _in_the_way(report: Report, page: Page) -> Iterator[str]:
    """In full what required things wait for (with --verbose: what anything waits for), the rest in a few
    lines each.
    """
    every = in_the_way(report)
    told = every if page.verbose else urgent(report, every)
    story = Story(report, page, {f.id: f for f in told})
    if told:
        yield page.paint("What stands in the way", "bold")
        before = ""
        for finding in told:
            if before not in finding.causes:  # a symptom stays with its cause
                yield ""
            yield from story.tell(finding)
            before = finding.id
    rest = () if page.verbose else decisive(report, {f.id for f in told})
    if rest:
        yield from (
            ("", page.paint("Also limited here", "bold")) if told else (page.paint("Limited here", "bold"),)
        )
        for finding in rest:
            yield ""
            yield from story.sketch(finding)
    if story.held_back or rest:
        yield ""
        yield from page.text("--verbose shows all evidence and the other remedies.", 0, "dim", rest=2)


def _others(report: Report, page: Page) -> Iterator[str]:
    """What nothing waits for: one line of names; with --verbose every finding, by status."""
    others = not_in_the_way(report)
    if not page.verbose:
        if others:
            names = ", ".join(_folded([f.id for f in others]))
            yield from page.text(f"Not in the way here ({len(others)}): {names}", 0, "dim", rest=2)
        return
    fine = [f for f in report.findings if f.status is Status.OK]
    skipped = [f for f in report.findings if f.status is Status.SKIP]
    groups = (("Not in the way here", others), ("As it should be", fine), ("Does not arise here", skipped))
    for index, (heading, findings) in enumerate((h, f) for h, f in groups if f):
        if index:
            yield ""
        yield from _group(heading, findings, page)


def _folded(ids: list[str]) -> Iterator[str]:
    """The ids; three or more of one subject as a glob, which `--only` takes, with their number."""
    subjects = [id_.partition(".")[0] for id_ in ids]
    for index, (id_, subject) in enumerate(zip(ids, subjects, strict=True)):
        count = subjects.count(subject)
        if count < _FOLD:
            yield id_
        elif subjects.index(subject) == index:
            yield f"{subject}.* ({count})"


def _group(heading: str, findings: Iterable[Finding], page: Page) -> Iterator[str]:
    yield page.paint(heading, "bold")
    yield ""
    for finding in findings:
        yield from brief(finding, page)


def _verdict(report: Report, page: Page) -> Iterator[str]:
    word, style = VERDICTS[report.verdict.status]
    first, *rest = page.text(f"{word}: {report.verdict.summary}", 0, rest=2)
    yield page.paint(first[: len(word)], "bold", style) + first[len(word) :]
    yield from rest
    if report.verdict.next:
        yield "Next: " + page.paint(page.clean(report.verdict.next), "bold")
