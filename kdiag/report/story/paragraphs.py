"""What is told together: a cause with all that it explains, so that one thing that is wrong is one paragraph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from kdiag.model import Finding, Report, Status
from kdiag.report.story.order import alike, nearest_causes, own_remedies


class Paragraph(NamedTuple):
    """group: what it is about, several findings that are alike, or one. because: what explains it; so: what comes of
    it. Of the last two no remedy is told, since what it is about has one, or nothing has.
    """

    group: tuple[Finding, ...]
    because: tuple[Finding, ...] = ()
    so: tuple[Finding, ...] = ()

    @property
    def members(self) -> tuple[Finding, ...]:
        """All findings in it."""
        return (*self.because, *self.group, *self.so)


def one_by_one(findings: Iterable[Finding]) -> Iterator[Paragraph]:
    """Every finding for itself, but for those that are alike."""
    return (Paragraph(group) for group in alike(findings))


def told_together(report: Report, findings: Sequence[Finding]) -> tuple[Paragraph, ...]:
    """The findings of this report, causes first, as any face tells them: one cause, one paragraph."""
    shown = {f.id: f for f in findings}
    hidden = {
        f.id: f for f in report.findings if f.id not in shown and f.status not in (Status.OK, Status.SKIP)
    }
    return tuple(
        by_cause(findings, lambda f: nearest_causes(f, shown, hidden), lambda f: bool(own_remedies(f, shown)))
    )


def by_cause(
    findings: Sequence[Finding],
    causes: Callable[[Finding], tuple[str, ...]],
    repaired: Callable[[Finding], bool],
) -> Iterator[Paragraph]:
    """The findings, causes first, each with what it explains. A finding that has a repair of its own begins a
    paragraph, unless its causes have none: then it is what the paragraph is about.
    """
    clusters: list[list[Finding]] = []
    of: dict[str, int] = {}
    for finding in findings:
        near = sorted({of[c] for c in causes(finding) if c in of})
        last = near[-1] if near else -1
        own = repaired(finding)
        if near and (not own or (len(near) == 1 and not any(map(repaired, clusters[last])))):
            clusters[last].append(finding)
        else:
            last = len(clusters)
            clusters.append([finding])
        of[finding.id] = last
    told = [_told(cluster, causes, repaired) for cluster in clusters]
    heads = {paragraph.group[0].id: paragraph for paragraph in told}
    for group in alike(paragraph.group[0] for paragraph in told):
        together = [heads[finding.id] for finding in group]
        yield Paragraph(
            group,
            tuple(f for paragraph in together for f in paragraph.because),
            tuple(f for paragraph in together for f in paragraph.so),
        )


def _told(
    cluster: list[Finding], causes: Callable[[Finding], tuple[str, ...]], repaired: Callable[[Finding], bool]
) -> Paragraph:
    head = next((f for f in cluster if repaired(f)), cluster[0])
    by_id = {f.id: f for f in cluster}
    explaining: set[str] = set()
    waiting = [head.id]
    while waiting:
        for cause in causes(by_id[waiting.pop()]):
            if cause in by_id and cause not in explaining and cause != head.id:
                explaining.add(cause)
                waiting.append(cause)
    because = tuple(f for f in cluster if f.id in explaining)
    return Paragraph((head,), because, tuple(f for f in cluster if f is not head and f.id not in explaining))
