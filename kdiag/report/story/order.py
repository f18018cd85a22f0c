"""Which findings stand in the way, and in what order they and the capabilities are told, by any face."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from kdiag.capabilities.causes import causes_first
from kdiag.model import Capability, Finding, Readiness, Remedy, Report, Status, Works

_RANK = {Status.FAIL: 0, Status.WARN: 1, Status.UNKNOWN: 2}
_WORKS = {Works.WORKS: 0, Works.CAVEAT: 1, Works.FAILS: 2, Works.UNKNOWN: 3}


def selection(report: Report) -> bool:
    """Whether the report is about findings alone: the checks that were selected touch nothing that is required."""
    judged = {c.id for c in report.capabilities}.union(*report.blocks.values())
    return bool(report.required) and judged.isdisjoint(report.required)


def _waited_for(report: Report) -> Iterator[str]:
    """Ids of what keeps something from working; of a selection, of what is not as it should be."""
    yield from (id_ for id_, blocked in report.blocks.items() if blocked)
    if selection(report):
        yield from (f.id for f in report.findings if f.status in (Status.FAIL, Status.UNKNOWN))


def heading(report: Report) -> str:
    """What the findings that something waits for are called; nothing is in the way where all that is required works."""
    return "Limited here" if report.verdict.status is Readiness.READY else "What stands in the way"


def in_the_way(report: Report) -> tuple[Finding, ...]:
    """Findings that keep something from working, and what causes them: causes before their symptoms.

    Otherwise failures come before warnings before unknowns, those that a required capability waits for come
    first, and of these what a command repairs. A symptom follows its cause at once unless something more severe
    is still to be told.
    """
    by_id = {f.id: f for f in report.findings if f.status in _RANK}
    shown = _with_causes(_waited_for(report), by_id)
    required = set(report.required)

    def urgency(finding: Finding) -> tuple[int, bool, bool]:
        not_required = required.isdisjoint(report.blocks.get(finding.id, ()))
        return _RANK[finding.status], not_required, not any(r.commands for r in finding.remedies)

    urgent_first = sorted((f for f in by_id.values() if f.id in shown), key=urgency)
    ordered = list(causes_first(urgent_first, {id_: by_id[id_] for id_ in shown}))
    return tuple(_symptoms_near(ordered))


def urgent(report: Report, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those of the findings that a required capability waits for, and their causes."""
    required = set(report.required)
    by_id = {f.id: f for f in findings}
    waited_for = (
        id_ for id_ in by_id if selection(report) or not required.isdisjoint(report.blocks.get(id_, ()))
    )
    ids = _with_causes(waited_for, by_id)
    return tuple(f for f in by_id.values() if f.id in ids)


def without_links(report: Report, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings, causes first, without what only stands between a cause and a symptom of them: it decides
    nothing by itself and has no remedy.
    """
    deciding = {id_ for c in report.capabilities if c.id in report.required for id_ in c.findings}
    places = {f.id: place for place, f in enumerate(findings)}
    last_symptom = {cause: places[f.id] for f in findings for cause in f.causes}

    def between(finding: Finding) -> bool:
        place = places[finding.id]
        caused = any(places.get(cause, place) < place for cause in finding.causes)
        return caused and last_symptom.get(finding.id, place) > place

    return tuple(f for f in findings if f.id in deciding or f.remedies or not between(f))


def without_echoes(findings: Iterable[Finding], above: Iterable[Finding] = ()) -> tuple[Finding, ...]:
    """The findings, causes first, without those that say in the same words what one of their causes has said,
    in them or `above`.
    """
    said = {f.id: f.summary for f in above}
    new = []
    for finding in findings:
        if all(said.get(cause) != finding.summary for cause in finding.causes):
            new.append(finding)
        said[finding.id] = finding.summary
    return tuple(new)


def decisive(report: Report, told: Collection[str]) -> tuple[Finding, ...]:
    """For each capability that does not fully work, the findings that its reason quotes, or else the first that
    decides; without those already told. In the order of in_the_way.
    """
    by_id = {f.id: f for f in report.findings if f.status in _RANK}
    chosen: dict[str, Finding] = {}
    for capability in report.capabilities:
        if capability.status is not Works.WORKS:
            deciding = [by_id[i] for i in capability.findings if i in by_id]
            quoted = [f for f in deciding if f.summary in capability.because]
            chosen.update((f.id, f) for f in quoted or deciding[:1] if f.id not in told)
    places = {f.id: place for place, f in enumerate(in_the_way(report))}
    return tuple(
        sorted(chosen.values(), key=lambda f: (f.id not in places, places.get(f.id, _RANK[f.status])))
    )


def alike(findings: Iterable[Finding]) -> tuple[tuple[Finding, ...], ...]:
    """The findings, those together that could not be looked at for one reason and are told in the same words."""
    groups: dict[object, list[Finding]] = {}
    for finding in findings:
        one = finding.status is not Status.UNKNOWN or finding.remedies or finding.wrong_remedies
        words = (finding.summary, finding.reason, finding.with_root, finding.causes)
        groups.setdefault(finding.id if one else words, []).append(finding)
    return tuple(tuple(group) for group in groups.values())


def not_in_the_way(report: Report) -> tuple[Finding, ...]:
    """Findings that are not fine, but that nothing here waits for."""
    shown = {f.id for f in in_the_way(report)}
    rest = (f for f in report.findings if f.status in _RANK and f.id not in shown)
    return tuple(sorted(rest, key=lambda f: _RANK[f.status]))


def _with_causes(ids: Iterable[str], by_id: Mapping[str, Finding]) -> set[str]:
    """Those of the ids that are known, and all that explains them. Reports from files may hold circles."""
    seen: set[str] = set()
    waiting = list(ids)
    while waiting:
        id_ = waiting.pop()
        if id_ in by_id and id_ not in seen:
            seen.add(id_)
            waiting.extend(by_id[id_].causes)
    return seen


def _symptoms_near(findings: list[Finding]) -> Iterator[Finding]:
    """The findings, causes still first, each symptom brought forward to the last of its causes."""
    ids = {f.id for f in findings}
    waits = {f.id: ids.intersection(f.causes) - {f.id} for f in findings}
    symptoms: dict[str, list[Finding]] = {f.id: [] for f in findings}
    for finding in findings:
        for cause in waits[finding.id]:
            symptoms[cause].append(finding)
    left = Counter(_RANK[f.status] for f in findings)
    told: set[str] = set()
    for first in findings:
        stack = [first]
        while stack:
            finding = stack.pop()
            if finding.id in told:
                continue
            told.add(finding.id)
            yield finding
            left[_RANK[finding.status]] -= 1
            worst = min((rank for rank, count in left.items() if count), default=0)
            near = [s for s in symptoms[finding.id] if waits[s.id] <= told and _RANK[s.status] <= worst]
            stack.extend(reversed(near))


def nearest_causes(
    finding: Finding, shown: Mapping[str, Finding], hidden: Mapping[str, Finding] | None = None
) -> tuple[str, ...]:
    """Its shown causes without those that explain another of them; all of them if they explain each other.

    Behind those that are `hidden`, the shown ones that explain them are looked for.
    """
    known = _reach(finding, shown, hidden or {})
    causes = tuple(dict.fromkeys(c for c in known if c in shown and c != finding.id))
    deeper = set[str]().union(*(_with_causes(shown[c].causes, shown) for c in causes))
    return tuple(c for c in causes if c not in deeper) or causes


def untold_causes(
    finding: Finding, shown: Mapping[str, Finding], hidden: Mapping[str, Finding]
) -> tuple[Finding, ...]:
    """The hidden findings between this one and its nearest shown causes."""
    return tuple(hidden[c] for c in dict.fromkeys(_reach(finding, shown, hidden)) if c not in shown)


def _reach(finding: Finding, shown: Mapping[str, Finding], hidden: Mapping[str, Finding]) -> Iterator[str]:
    """Ids of its causes, those behind hidden ones too, nearest first."""
    seen = {finding.id}
    waiting = list(finding.causes)
    while waiting:
        cause = waiting.pop(0)
        if cause in seen or (cause not in shown and cause not in hidden):
            continue
        seen.add(cause)
        yield cause
        if cause not in shown:
            waiting.extend(hidden[cause].causes)


def own_remedies(finding: Finding, shown: Mapping[str, Finding]) -> tuple[Remedy, ...]:
    """The remedies to tell with a finding: none where a shown cause has some, since that is the repair."""
    causes = _with_causes(finding.causes, shown) - {finding.id}
    return () if any(shown[c].remedies for c in causes) else finding.remedies


def table_groups(report: Report) -> tuple[tuple[str, tuple[Capability, ...]], ...]:
    """The capability table as (heading, rows): the required ones as asked, bpftrace's, other tools'.

    In the last two, what works comes first, then what waits for nothing but its tool, and what does not work is
    kept together by reason.
    """
    by_id = {c.id: c for c in report.capabilities}
    required = tuple(by_id[id_] for id_ in dict.fromkeys(report.required) if id_ in by_id)
    rest = [c for c in report.capabilities if c not in required]
    groups = (
        ("", required),
        ("bpftrace", _by_status(c for c in rest if c.tool == "bpftrace")),
        ("other tools", _by_status(c for c in rest if c.tool != "bpftrace")),
    )
    return tuple((heading, rows) for heading, rows in groups if rows)


def for_root(capability: Capability) -> bool:
    """Whether it does not work for this user, and is expected to for root."""
    return capability.status is Works.FAILS and capability.with_root in (Works.WORKS, Works.CAVEAT)


def only_root_can_tell(capability: Capability) -> bool:
    """Whether it does not work for this user, and what root would find cannot be told from here."""
    return capability.status is Works.FAILS and capability.with_root is Works.UNKNOWN


def _by_status(capabilities: Iterable[Capability]) -> tuple[Capability, ...]:
    first: dict[tuple[Works, str], int] = {}
    rows = list(capabilities)
    for index, row in enumerate(rows):
        first.setdefault((row.status, row.because), index)

    def place(row: Capability) -> tuple[int, bool, int]:
        if for_root(row):
            return _WORKS[Works.CAVEAT], True, len(rows) + (row.with_root is Works.CAVEAT)
        if row.status is Works.WORKS:
            return _WORKS[row.status], False, 0
        more_than_the_tool = not set(row.findings) <= {f"tools.{row.tool.casefold()}"}
        return _WORKS[row.status], more_than_the_tool, first[row.status, row.because]

    return tuple(sorted(rows, key=place))
