"""What the HTML templates show, as values: cleaned, of bounded length, with marks, anchors and links worked out.

Templates only print; every choice is made here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kdiag.config.waivers import InForce, Waiver
from kdiag.model import Capability, Finding, MachineInfo, Readiness, Remedy, Report, Status, Works
from kdiag.report.faces.plain import block, line, pieces
from kdiag.report.story.order import nearest_causes, own_remedies, table_groups
from kdiag.report.story.paragraphs import Paragraph

if TYPE_CHECKING:
    from kdiag.report.formats import Explain

_BAR = 1000
#: Findings that a row of the table links to.
_LINKS = 3


class Mark(NamedTuple):
    """A status for the eye: an icon's name, a word, a tone (colour). Never the colour alone."""

    icon: str
    word: str
    tone: str


WORKS = {
    Works.WORKS: Mark("yes", "works", "good"),
    Works.CAVEAT: Mark("part", "with a caveat", "care"),
    Works.FAILS: Mark("no", "does not work", "bad"),
    Works.UNKNOWN: Mark("ask", "cannot tell", "open"),
}
STATUSES = {
    Status.OK: Mark("yes", "ok", "good"),
    Status.WARN: Mark("part", "warning", "care"),
    Status.FAIL: Mark("no", "fails", "bad"),
    Status.UNKNOWN: Mark("ask", "unknown", "open"),
    Status.SKIP: Mark("dash", "does not arise", "none"),
}
VERDICTS = {
    Readiness.READY: Mark("yes", "Ready", "good"),
    Readiness.NOT_READY: Mark("no", "Not ready", "bad"),
    Readiness.UNKNOWN: Mark("ask", "Cannot tell", "open"),
}


class Link(NamedTuple):
    """A name, and the anchor of what it names on this page; empty where it is not here."""

    text: str
    anchor: str = ""


class Row(NamedTuple):
    """A line of the capability table."""

    mark: Mark
    title: str
    id: str
    anchor: str
    because: str
    root: str
    required: bool
    waived: str
    findings: tuple[Link, ...]


class Fix(NamedTuple):
    """A remedy; notes: what it takes, in words."""

    title: str
    notes: str
    commands: tuple[str, ...]
    undo: tuple[str, ...]


class Card(NamedTuple):
    """A finding. open: whether its details are unfolded at first. because: what explains it, so: what comes of it;
    these are told inside its card.
    """

    id: str
    anchor: str
    mark: Mark
    summary: str
    title: str
    reason: str
    root: str
    waived: str
    about: str
    causes: tuple[Link, ...]
    affects: tuple[Link, ...]
    fixes: tuple[Fix, ...]
    wrong: tuple[tuple[str, str], ...]
    evidence: tuple[tuple[str, str], ...]
    open: bool = False
    because: tuple[Card, ...] = ()
    so: tuple[Card, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the bar under the verdict: how many capabilities have this mark, and where it is drawn."""

    mark: Mark
    count: int
    x: float
    width: float


def segments(report: Report) -> tuple[Segment, ...]:
    """The bar, 1000 units wide; statuses that nothing has are left out."""
    total, done = len(report.capabilities), 0
    result: list[Segment] = []
    for status, mark in WORKS.items():
        count = sum(c.status is status for c in report.capabilities)
        if count:
            result.append(Segment(mark, count, round(_BAR * done / total, 2), round(_BAR * count / total, 2)))
            done += count
    return tuple(result)


def facts(machine: MachineInfo) -> tuple[tuple[str, str], ...]:
    """Where we are: names and values that are known."""
    values = {
        "Kernel": f"{machine.release} {machine.arch}".strip(),
        "Whose kernel": machine.kernel,
        "Distribution": machine.distribution,
        "Container": machine.container,
        "Host": machine.host,
        "Virtual machine": machine.vm,
        "bpftrace": machine.bpftrace,
        "Asked by": machine.user,
        "Examined from outside": machine.root if machine.root != "/" else "",
        "Build": machine.version,
    }
    return tuple((name, line(value, 300)) for name, value in values.items() if value)


def rows(report: Report, force: InForce) -> tuple[tuple[str, tuple[Row, ...]], ...]:
    """The capability table as (heading, rows)."""
    anchors = _anchors(report)
    groups = table_groups(report)
    return tuple(
        (line(heading or "required"), tuple(_said_once(_row(c, report, force, anchors) for c in group)))
        for heading, group in groups
    )


def _said_once(group: Iterable[Row]) -> Iterator[Row]:
    """A reason is told in the first of the rows that have it, one after the other."""
    before = ""
    for row in group:
        yield row._replace(because="as above") if row.because and row.because == before else row
        before = row.because


def _row(capability: Capability, report: Report, force: InForce, anchors: dict[str, str]) -> Row:
    by_id = {f.id: f for f in report.findings}
    deciding = [
        i for i in capability.findings if i in by_id and by_id[i].status not in (Status.OK, Status.SKIP)
    ]
    if capability.status is Works.WORKS:
        deciding = []
    named = capability.tool == "bpftrace" or capability.tool.casefold() in capability.title.casefold()
    root = capability.with_root
    return Row(
        mark=WORKS[capability.status],
        title=line(capability.title if named else f"{capability.tool}: {capability.title}"),
        id=line(capability.id),
        anchor=_anchor("c", capability.id),
        because=line(capability.because),
        root="" if root is None or root is capability.status else WORKS[root].word,
        required=capability.id in report.required,
        waived=_waived(force.capabilities.get(capability.id)),
        findings=tuple(Link(line(i), anchors[i]) for i in deciding[:_LINKS]),
    )


def cards(
    report: Report,
    paragraphs: Iterable[Paragraph],
    force: InForce,
    explain: Explain | None,
    opened: Collection[str],
) -> Iterator[Card]:
    """A card for each thing that is wrong, unfolded where its id is in `opened`; in it those of what belongs to it."""
    anchors = _anchors(report)
    titles = {c.id: c for c in report.capabilities}
    shown = {f.id: f for f in report.findings if f.status not in (Status.OK, Status.SKIP)}

    def card(finding: Finding, inside: Collection[str]) -> Card:
        return Card(
            id=line(finding.id),
            anchor=anchors[finding.id],
            mark=STATUSES[finding.status],
            summary=line(finding.summary),
            title=line(finding.title),
            reason=block(finding.reason, 4_000),
            root=line(finding.with_root),
            waived=_waived(force.findings.get(finding.id)),
            about=_about(explain(finding.id)) if explain is not None and finding.id in shown else "",
            causes=tuple(
                Link(line(i), anchors.get(i, "")) for i in nearest_causes(finding, shown) if i not in inside
            ),
            affects=tuple(
                Link(line(titles[i].title if i in titles else i), _anchor("c", i) if i in titles else "")
                for i in report.blocks.get(finding.id, ())
            ),
            fixes=tuple(_fix(r) for r in own_remedies(finding, shown)),
            wrong=tuple((line(w.advice), line(w.why)) for w in finding.wrong_remedies),
            evidence=tuple(pieces(finding.evidence)),
        )

    for paragraph in paragraphs:
        inside = {f.id for f in paragraph.members}
        because = tuple(card(f, inside) for f in paragraph.because)
        so = tuple(card(f, inside) for f in paragraph.so)
        for finding in paragraph.group:
            whole = card(finding, inside)._replace(open=finding.id in opened)
            yield whole._replace(because=because, so=so) if finding is paragraph.group[0] else whole


def waivers(force: InForce) -> tuple[tuple[str, str, str], ...]:
    """What is waived, as (id, until, reason); idle ones say so instead of the day."""
    used = {w.id: w for w in (*force.findings.values(), *force.capabilities.values())}
    return (
        *((line(w.id), f"until {w.until.isoformat()}", line(w.reason)) for w in used.values()),
        *((line(w.id), "not needed any more", line(w.reason)) for w in force.idle),
    )


def _waived(waiver: Waiver | None) -> str:
    return f"waived until {waiver.until.isoformat()}: {line(waiver.reason)}" if waiver is not None else ""


def _about(text: str) -> str:
    """A docstring's paragraphs without the line breaks of its source; indented lines and lists keep theirs."""
    return re.sub(r"(?<=\S)\n(?=[^\s*-])", " ", block(text))


def _fix(remedy: Remedy) -> Fix:
    notes = {"unsafe": ["changes how the machine behaves"], "manual": ["by hand"]}.get(remedy.kind, [])
    notes += [f"needs {', '.join(map(line, remedy.needs))}"] if remedy.needs else []
    notes += [f"on {line(remedy.run_on)}"] if remedy.run_on not in ("", "here") else []
    return Fix(
        line(remedy.title),
        "; ".join(notes),
        tuple(line(command) for command in remedy.commands),
        tuple(line(command) for command in remedy.undo),
    )


def _anchors(report: Report) -> dict[str, str]:
    """An anchor for every finding, each once even where ids differ only in what an anchor cannot hold."""
    anchors: dict[str, str] = {}
    taken = set[str]()
    for index, finding in enumerate(report.findings):
        anchor = _anchor("f", finding.id)
        anchor = f"{anchor}-{index}" if anchor in taken else anchor
        taken.add(anchor)
        anchors[finding.id] = anchor
    return anchors


def _anchor(kind: str, id_: str) -> str:
    return f"{kind}-{re.sub(r'[^A-Za-z0-9_.-]', '-', id_)[:200]}"
