"""The report in Markdown: a job's summary on GitHub or GitLab, an issue, a chat.

Everything that comes from the machine is escaped for Markdown and for the HTML that Markdown lets through.
GitHub takes a summary of at most 1 MiB, so evidence is cut; details fold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kdiag.config.waivers import InForce, in_force
from kdiag.model import Capability, Finding, MachineInfo, Readiness, Remedy, Report, Status, Works
from kdiag.report.faces.markup import code, fenced, prose
from kdiag.report.faces.plain import line, pieces
from kdiag.report.story.next_step import in_words, label
from kdiag.report.story.order import (
    for_root,
    heading,
    in_the_way,
    nearest_causes,
    not_in_the_way,
    own_remedies,
    table_groups,
)
from kdiag.report.story.paragraphs import Paragraph, told_together

_VERDICT = {
    Readiness.READY: "✅ Ready",
    Readiness.NOT_READY: "❌ Not ready",
    Readiness.UNKNOWN: "❔ Cannot tell",
}
_WORKS = {
    Works.WORKS: "✅ works",
    Works.CAVEAT: "🟡 works with a caveat",
    Works.FAILS: "❌ does not work",
    Works.UNKNOWN: "❔ cannot tell",
}
_STATUS = {Status.OK: "✅", Status.WARN: "🟡", Status.FAIL: "❌", Status.UNKNOWN: "❔", Status.SKIP: "➖"}

_LONGEST = 900_000
_OBSERVED, _EVIDENCE = 1_000, 10_000


def render(report: Report) -> str:
    """The Markdown, ending in a newline; never longer than GitHub takes."""
    force = in_force(report)
    parts = [
        *_head(report),
        *_table(report, force),
        *_waived(force),
        *_findings(report, force),
    ]
    text = "\n".join(parts).rstrip("\n") + "\n"
    if len(text.encode()) <= _LONGEST:
        return text
    short = "\n".join([*_head(report), *_table(report, force), *_waived(force)])
    return f"{short}\nThe findings are left out: too long for a summary. See `--format json` or `html`.\n"


def _head(report: Report) -> Iterator[str]:
    yield f"## {_VERDICT[report.verdict.status]}: {prose(report.verdict.summary)}"
    yield ""
    if report.verdict.next:
        step = report.verdict.next
        told = f"**{prose(step)}**" if in_words(report.verdict) else code(step)
        yield f"{prose(label(report.verdict))}: {told}"
        yield ""
    known = " · ".join(prose(part) for part in _machine(report.machine) if part)
    yield known or "Nothing is known about this machine."
    yield ""


def _machine(machine: MachineInfo) -> Iterator[str]:
    yield f"{machine.release} {machine.arch}".strip()
    yield from (machine.kernel, machine.distribution, machine.container, machine.vm)
    yield machine.host and f"host {machine.host}"
    if machine.bpftrace:
        yield f"bpftrace {machine.bpftrace.removeprefix('bpftrace ')}"
    yield machine.user
    if machine.root not in ("", "/"):
        yield f"examined from outside: {machine.root}"


def _table(report: Report, force: InForce) -> Iterator[str]:
    """The capabilities, with tabulate's pipes; cells are escaped before, so that widths fit."""
    from tabulate import tabulate

    groups = table_groups(report)
    if not groups:
        return
    yield "### What can be traced here"
    for title, rows in groups:
        yield ""
        yield f"**{prose(title) if title else 'Required'}**"
        yield ""
        cells: list[tuple[str, str, str]] = []
        before = ""
        for row in rows:
            because = _because(row, force)
            cells.append((_mark(row), _title(row), "as above" if because and because == before else because))
            before = because
        yield tabulate(cells, headers=("", "Capability", "Why"), tablefmt="pipe", disable_numparse=True)
    yield ""


def _mark(row: Capability) -> str:
    return "🔑 expected to work as root" if for_root(row) else _WORKS[row.status]


def _title(row: Capability) -> str:
    named = row.tool == "bpftrace" or row.tool.casefold() in row.title.casefold()
    return prose(row.title if named else f"{row.tool}: {row.title}")


def _because(row: Capability, force: InForce) -> str:
    words = [prose(row.because)]
    if row.with_root is not None and row.with_root is not row.status and not for_root(row):
        words.append(f"expected as root: {_WORKS[row.with_root]}")
    waiver = force.capabilities.get(row.id)
    if waiver is not None:
        words.append(f"**waived** until {waiver.until.isoformat()}: {prose(waiver.reason)}")
    return " · ".join(filter(None, words))


def _waived(force: InForce) -> Iterator[str]:
    every = {w.id: w for w in (*force.findings.values(), *force.capabilities.values())}
    if not every and not force.idle:
        return
    yield "### Waived"
    yield ""
    for waiver in every.values():
        yield f"- {code(waiver.id)} until {waiver.until.isoformat()}: {prose(waiver.reason)}"
    for waiver in force.idle:
        yield f"- {code(waiver.id)}: not needed any more, the waiver can go ({prose(waiver.reason)})"
    yield ""


def _findings(report: Report, force: InForce) -> Iterator[str]:
    told = in_the_way(report)
    shown = {f.id: f for f in told}
    if told:
        yield f"### {heading(report)}"
        yield ""
        repaired: dict[Remedy, str] = {}
        for paragraph in told_together(report, told):
            yield from _paragraph(paragraph, report, shown, force, repaired)
    others = not_in_the_way(report)
    fine = [f for f in report.findings if f.status is Status.OK]
    skipped = [f for f in report.findings if f.status is Status.SKIP]
    yield from _folded("Not in the way here", others)
    yield from _folded("As it should be", fine)
    yield from _folded("Does not arise here", skipped)


def _paragraph(
    paragraph: Paragraph,
    report: Report,
    shown: dict[str, Finding],
    force: InForce,
    repaired: dict[Remedy, str],
) -> Iterator[str]:
    """What one thing that is wrong is about, with what explains it and what comes of it, behind one fold.

    repaired: the remedies that were told, each with the id of its finding; grows.
    """
    group, head = paragraph.group, paragraph.group[0]
    inside = {f.id for f in paragraph.members}
    affected = dict.fromkeys(name for f in paragraph.members for name in report.blocks.get(f.id, ()))
    elsewhere = (code(c) for c in nearest_causes(head, shown) if c not in inside)
    yield f"<details><summary>{_summary(group, force)}</summary>"
    yield ""
    lines = [
        prose(head.reason),
        _labelled("because of", elsewhere),
        _labelled("affects", map(code, affected)),
        *_more(head, force),
    ]
    yield from _spaced(lines)
    for remedy in own_remedies(head, shown):
        if repaired.setdefault(remedy, head.id) == head.id:
            yield from _remedy(remedy)
        else:
            yield from (f"**Fix:** the same as for {code(repaired[remedy])}", "")
    for wrong in dict.fromkeys(w for f in paragraph.members for w in f.wrong_remedies):
        yield f"Does not help: {prose(wrong.advice)}: {prose(wrong.why)}"
        yield ""
    yield from _members("Because:", paragraph.because, force)
    yield from _members("What comes of it:", paragraph.so, force)
    yield from _seen(paragraph)
    yield "</details>"
    yield ""


def _summary(group: tuple[Finding, ...], force: InForce) -> str:
    names = ", ".join(prose(f.id) for f in group)
    summary = f"{_STATUS[group[0].status]} <b>{names}</b>: {prose(group[0].summary)}"
    waiver = force.findings.get(group[0].id)
    return summary if waiver is None else f"{summary} (waived until {waiver.until.isoformat()})"


def _members(title: str, findings: tuple[Finding, ...], force: InForce) -> Iterator[str]:
    """Findings that a paragraph has beside what it is about, a line each."""
    if findings:
        yield from (title, "")
        for one in findings:
            words = filter(None, (prose(one.reason), *_more(one, force)))
            yield " · ".join([f"- {_STATUS[one.status]} {code(one.id)}: {prose(one.summary)}", *words])
        yield ""


def _more(finding: Finding, force: InForce) -> Iterator[str]:
    waiver = force.findings.get(finding.id)
    yield f"as root: {prose(finding.with_root)}" if finding.with_root else ""
    yield f"waived: {prose(waiver.reason)}" if waiver is not None else ""


def _seen(paragraph: Paragraph) -> Iterator[str]:
    every = tuple(
        dict.fromkeys(
            item for f in (*paragraph.group, *paragraph.because, *paragraph.so) for item in f.evidence
        )
    )
    if every:
        told = pieces(every, _OBSERVED, _EVIDENCE)
        seen = "\n".join(f"{source}: {observed}" for source, observed in told)
        yield from ("Evidence:", "", *fenced(seen))


def _spaced(lines: Iterable[str]) -> Iterator[str]:
    for text in filter(None, lines):
        yield from (text, "")


def _remedy(remedy: Remedy) -> Iterator[str]:
    notes = [] if remedy.kind == "safe" else [remedy.kind]
    notes += [f"needs {', '.join(remedy.needs)}"] if remedy.needs else []
    notes += [f"on {remedy.run_on}"] if remedy.run_on not in ("", "here") else []
    yield f"**Fix:** {prose(remedy.title)}" + (f" ({prose('; '.join(notes))})" if notes else "")
    yield ""
    if remedy.commands:
        yield from fenced("\n".join(line(command) for command in remedy.commands), "sh")
    if remedy.undo:
        yield "Undo:"
        yield ""
        yield from fenced("\n".join(line(command) for command in remedy.undo), "sh")


def _folded(heading: str, findings: Iterable[Finding]) -> Iterator[str]:
    items = [f"- {_STATUS[f.status]} {code(f.id)}: {prose(f.summary)}" for f in findings]
    if items:
        yield from (f"<details><summary>{heading} ({len(items)})</summary>", "", *items, "", "</details>", "")


def _labelled(label: str, parts: Iterable[str]) -> str:
    text = ", ".join(parts)
    return f"{label} {text}" if text else ""
