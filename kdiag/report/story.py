"""One finding told on a terminal: what it is, why, what was seen, the one remedy, and what not to try."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kdiag.model import Evidence, Finding, Remedy, Report
from kdiag.report.order import nearest_causes, own_remedies
from kdiag.report.page import Page

#: Lines of evidence without --verbose; a symptom of something that is told gets one.
_EVIDENCE = 2
_LONGEST = 160
_KIND = {"unsafe": "changes how the machine behaves", "manual": "by hand"}

#: What is seen in many places when one thing is nowhere; it tells less than the place that has something.
_NOTHING = re.compile(
    r"^(absent|ENOENT|not there|does not exist|no such|not recorded|not found|missing)\b|\(absent\)$", re.I
)


class Story:
    """Tells the findings that stand in the way, one after the other, and nothing twice.

    held_back: whether something was left out that --verbose would show.
    """

    def __init__(self, report: Report, page: Page, shown: dict[str, Finding]) -> None:
        self.held_back = False
        self._report = report
        self._page = page
        self._shown = shown
        self._remedies: dict[tuple[str, tuple[str, ...]], str] = {}
        self._wrong: set[str] = set()

    def tell(self, finding: Finding) -> Iterator[str]:
        """The lines of one finding."""
        page = self._page
        yield from headline(finding, page)
        if finding.reason:
            yield from page.text(finding.reason, 2 if page.narrow else 4)
        causes = nearest_causes(finding, self._shown)
        if causes:
            yield from page.labelled("because", f"of {', '.join(causes)}")
        yield from self._affects(finding, causes)
        yield from self._evidence(finding, 1 if causes else _EVIDENCE)
        yield from self._fixes(finding)
        for wrong in finding.wrong_remedies:
            if wrong.advice not in self._wrong:
                self._wrong.add(wrong.advice)
                yield from page.labelled("not", f"{wrong.advice}{page.dash if wrong.why else ''}{wrong.why}")
        if finding.with_root:
            yield from page.labelled("as root", finding.with_root)

    def sketch(self, finding: Finding) -> Iterator[str]:
        """The few lines for something that no required thing waits for."""
        page = self._page
        yield from headline(finding, page)
        if finding.reason:
            yield from page.text(finding.reason, 2 if page.narrow else 4)
        causes = [f.id for f in self._report.findings if f.id in finding.causes]
        if causes:
            yield from page.labelled("because", f"of {', '.join(causes[:3])}")
        yield from self._affects(finding, ())
        yield from self._fixes(finding)

    def _affects(self, finding: Finding, causes: tuple[str, ...]) -> Iterator[str]:
        """What it keeps from working, required things first, on one line; not what a cause has said."""
        blocks, required, verbose = self._report.blocks, set(self._report.required), self._page.verbose
        names = sorted(blocks.get(finding.id, ()), key=lambda id_: id_ not in required)
        if not verbose and any(set(names) <= set(blocks.get(cause, ())) for cause in causes):
            return
        for kept in range(len(names), 0, -1):
            more = f" and {len(names) - kept} more" if kept < len(names) else ""
            lines = self._page.labelled("affects", ", ".join(names[:kept]) + more)
            if verbose or len(lines) == 1 or kept == 1:
                yield from lines
                return

    def _evidence(self, finding: Finding, limit: int) -> Iterator[str]:
        page = self._page
        chosen = finding.evidence if page.verbose else telling(finding.evidence, limit)
        self.held_back |= len(chosen) < len(finding.evidence)
        for index, item in enumerate(chosen):
            line = f"{page.clean(item.source)}: {page.clean(item.observed)}"
            if len(line) > _LONGEST and not page.verbose:
                line = line[:_LONGEST].rstrip() + ("…" if page.unicode else "...")
                self.held_back = True
            yield from page.labelled("" if index else "seen", line)

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
        terms = [_KIND.get(remedy.kind, ""), f"needs {', '.join(remedy.needs)}" if remedy.needs else ""]
        words = "; ".join(filter(None, terms))
        yield from page.labelled(label, f"{remedy.title} ({words})" if words else remedy.title)
        if remedy.run_on not in ("", "here"):
            yield from page.labelled("run on", remedy.run_on)
        yield from map(page.command, remedy.commands)
        for index, command in enumerate(remedy.undo if page.verbose else ()):
            yield page.command(command, "" if index else "undo")


def headline(finding: Finding, page: Page) -> Iterator[str]:
    """Mark, id, summary."""
    first, *rest = page.text(f"{finding.id}: {finding.summary}", 0, rest=2) or [""]
    cut = len(page.clean(finding.id))
    yield f"{page.status_mark(finding.status)} {page.paint(first[:cut], 'bold')}{first[cut:]}"
    yield from rest


def brief(finding: Finding, page: Page) -> Iterator[str]:
    """One finding and all of its evidence, for the lists of --verbose."""
    yield from headline(finding, page)
    if finding.reason:
        yield from page.text(finding.reason, 4)
    for item in finding.evidence:
        yield from page.text(f"{page.clean(item.source)}: {page.clean(item.observed)}", 4, "dim", rest=6)
    if finding.with_root:
        yield from page.labelled("as root", finding.with_root)


def telling(evidence: tuple[Evidence, ...], limit: int) -> tuple[Evidence, ...]:
    """Those that say most: what saw something before what saw nothing, told in their order."""
    best = sorted(range(len(evidence)), key=lambda i: bool(_NOTHING.search(evidence[i].observed)))[:limit]
    return tuple(evidence[i] for i in sorted(best))
