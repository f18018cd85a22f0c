"""One finding told on a terminal: what it is, why, what was seen, the one remedy, and what not to try."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from kdiag.model import Evidence, Finding, Remedy, Report, Status
from kdiag.report.story.order import nearest_causes, own_remedies, untold_causes
from kdiag.report.story.paragraphs import Paragraph
from kdiag.report.terminal.page import Page

#: Lines of evidence without --verbose; a symptom of something that is told gets one.
_EVIDENCE = 2
_LONGEST = 160
#: Causes that a sketch names.
_CAUSES = 2
_TROUBLE = (Status.FAIL, Status.WARN, Status.UNKNOWN)
_KIND = {"unsafe": "changes how the machine behaves", "manual": "by hand"}

#: What is seen in many places when one thing is nowhere; it tells less than the place that has something.
_NOTHING = re.compile(
    r"^(absent|ENOENT|not there|does not exist|no such|not recorded|not found|missing)\b|\(absent\)$", re.I
)


class Story:
    """Tells the findings that stand in the way, one after the other, and nothing twice.

    shown: what is told in full. Findings that are told together are alike (see order.alike).
    held_back: whether something was left out that --verbose would show.
    """

    def __init__(self, report: Report, page: Page, shown: Iterable[Finding]) -> None:
        self.held_back = False
        self._report = report
        self._page = page
        self._shown = {f.id: f for f in shown}
        self._hidden = {f.id: f for f in report.findings if f.status in _TROUBLE and f.id not in self._shown}
        self._remedies: dict[tuple[str, tuple[str, ...]], str] = {}
        self._wrong: set[str] = set()
        self._sketched: set[str] = set()

    def causes(self, finding: Finding) -> tuple[str, ...]:
        """Ids of its nearest causes: for what is told in full, of what is told in full."""
        if finding.id in self._shown:
            return nearest_causes(finding, self._shown, self._hidden)
        return nearest_causes(finding, self._shown | self._hidden)

    def tell(self, paragraph: Paragraph) -> Iterator[str]:
        """The lines of one finding, or of several that are alike, with what explains them and what comes of them."""
        page, group, finding = self._page, paragraph.group, paragraph.group[0]
        inside = {f.id for f in paragraph.members}
        yield from headline(finding, page, [f.id for f in group])
        yield from self._reason(finding)
        causes = tuple(c for c in self.causes(finding) if c not in inside)
        yield from self._members("because", paragraph.because)
        if causes:
            yield from page.labelled("" if paragraph.because else "because", f"of {', '.join(causes)}")
        yield from self._affects(paragraph.members, causes)
        yield from self._evidence(group, 1 if causes else _EVIDENCE)
        yield from self._members("so", paragraph.so)
        for one in (finding, *paragraph.because, *paragraph.so) if page.verbose else (finding,):
            yield from self._fixes(one)
        for one in (finding, *paragraph.because, *paragraph.so):
            for hidden in (one, *untold_causes(one, self._shown, self._hidden)):
                yield from self._not(hidden)
        if finding.with_root:
            yield from page.labelled("as root", finding.with_root)

    def sketch(self, group: Sequence[Finding]) -> Iterator[str]:
        """The few lines for something that no required capability waits for: the causes that are not told are told
        in its because.
        """
        page, finding = self._page, group[0]
        yield from headline(finding, page, [f.id for f in group])
        yield from self._reason(finding)
        causes = self.causes(finding)
        untold = {c: self._hidden[c] for c in causes if c in self._hidden and c not in self._sketched}
        for index, cause in enumerate(causes[:_CAUSES]):
            words = f"{cause}: {untold[cause].summary}" if cause in untold else f"of {cause}"
            yield from page.labelled("" if index else "because", words)
        self._sketched.update(f.id for f in group)
        self.held_back = True
        yield from self._affects(group, ())
        commanded = (f for f in untold.values() if any(r.commands for r in f.remedies))
        yield from self._fixes(finding if finding.remedies else next(commanded, finding))
        if finding.with_root and (finding.status is Status.UNKNOWN or not finding.remedies):
            yield from page.labelled("as root", finding.with_root)

    def _members(self, label: str, findings: Sequence[Finding]) -> Iterator[str]:
        """What explains a finding, or comes of it: a line each, with --verbose all that is known of it, further in."""
        page = self._page
        self.held_back |= bool(findings) and not page.verbose
        inner, indent = (page, "") if page.narrow else (page._replace(width=page.room - 2), "  ")
        for index, one in enumerate(findings):
            yield from page.labelled("" if index else label, f"{one.id}: {one.summary}")
            if page.verbose:
                said = (one.reason, *(f"{item.place}: {item.observed}" for item in one.evidence))
                lines = (line for text in filter(None, said) for line in inner.labelled("", text))
                yield from (indent + line for line in lines)

    def _reason(self, finding: Finding) -> Iterator[str]:
        if finding.reason:
            yield from self._page.text(finding.reason, 2 if self._page.narrow else 4)

    def _affects(self, group: Sequence[Finding], causes: tuple[str, ...]) -> Iterator[str]:
        """What it keeps from working, required ones first, on one line; not what a cause has said."""
        blocks, required, verbose = self._report.blocks, set(self._report.required), self._page.verbose
        every = dict.fromkeys(name for finding in group for name in blocks.get(finding.id, ()))
        names = sorted(every, key=lambda id_: id_ not in required)
        if not verbose and any(set(names) <= set(blocks.get(cause, ())) for cause in causes):
            return
        for kept in range(len(names), 0, -1):
            more = f" and {len(names) - kept} more" if kept < len(names) else ""
            lines = self._page.labelled("affects", ", ".join(names[:kept]) + more)
            if verbose or len(lines) == 1 or kept == 1:
                yield from lines
                return

    def _evidence(self, group: Sequence[Finding], limit: int) -> Iterator[str]:
        page = self._page
        every = tuple(dict.fromkeys(item for finding in group for item in finding.evidence))
        said = () if page.verbose else (group[0].summary, group[0].reason)
        new = tuple(item for item in every if item.observed not in said)
        chosen = new if page.verbose else telling(new, limit)
        self.held_back |= len(chosen) < len(new)
        for index, item in enumerate(chosen):
            line = f"{page.clean(item.place)}: {page.clean(item.observed)}"
            if len(line) > _LONGEST and not page.verbose:
                line = line[:_LONGEST].rstrip() + ("…" if page.unicode else "...")
                self.held_back = True
            yield from page.labelled("" if index else "seen", line)

    def _not(self, finding: Finding) -> Iterator[str]:
        dash = self._page.dash
        for wrong in finding.wrong_remedies:
            if wrong.advice not in self._wrong:
                self._wrong.add(wrong.advice)
                yield from self._page.labelled("not", f"{wrong.advice}{dash if wrong.why else ''}{wrong.why}")

    def _fixes(self, finding: Finding) -> Iterator[str]:
        verbose = self._page.verbose
        remedies = finding.remedies if verbose else own_remedies(finding, self._shown)
        self.held_back |= len(remedies) > 1 and not verbose
        for index, remedy in enumerate(remedies if verbose else remedies[:1]):
            key = (remedy.id, remedy.commands)
            told = self._remedies.setdefault(key, finding.id)
            if told != finding.id:
                yield from self._page.labelled("fix", f"the same as for {told}")
            else:
                yield from self._remedy(remedy, "or" if index else "fix")

    def _remedy(self, remedy: Remedy, label: str) -> Iterator[str]:
        page = self._page
        place = "" if remedy.run_on == "here" else remedy.run_on
        if not place and self._report.machine.host:
            place = "here, not on the host"
        how = [_KIND.get(remedy.kind, ""), "" if remedy.commands else place]
        needs = f"needs {', '.join(remedy.needs)}" if remedy.needs else ""
        words = "; ".join(filter(None, (": ".join(filter(None, how)), needs)))
        yield from page.labelled(label, f"{remedy.title} ({words})" if words else remedy.title)
        if place and remedy.commands:
            yield from page.labelled("run" if place.startswith("here") else "run on", place)
        yield from map(page.command, remedy.commands)
        for index, command in enumerate(remedy.undo if page.verbose else ()):
            yield page.command(command, "" if index else "undo")


def headline(finding: Finding, page: Page, ids: Sequence[str] = (), *, decides: bool = True) -> Iterator[str]:
    """Mark, id, summary; all `ids` instead of its own if given. decides: whether something waits for it."""
    status = finding.status if decides or finding.status is not Status.FAIL else Status.SKIP
    names = ", ".join(ids or (finding.id,)) + (f" [{finding.side}]" if finding.side else "")
    first, *rest = page.text(f"{names}: {finding.summary}", 0, rest=2) or [""]
    cut = len(page.clean(names))
    yield f"{page.status_mark(status)} {page.paint(first[:cut], 'bold')}{first[cut:]}"
    yield from rest


def brief(finding: Finding, page: Page, *, decides: bool = True) -> Iterator[str]:
    """One finding and all of its evidence, for the lists of --verbose."""
    yield from headline(finding, page, decides=decides)
    if finding.reason:
        yield from page.text(finding.reason, 4)
    for item in finding.evidence:
        yield from page.text(f"{page.clean(item.place)}: {page.clean(item.observed)}", 4, "dim", rest=6)
    if finding.with_root:
        yield from page.labelled("as root", finding.with_root)


def telling(evidence: tuple[Evidence, ...], limit: int) -> tuple[Evidence, ...]:
    """Those that say most: what saw something before what saw nothing, told in their order."""
    best = sorted(range(len(evidence)), key=lambda i: bool(_NOTHING.search(evidence[i].observed)))[:limit]
    return tuple(evidence[i] for i in sorted(best))
