"""Judges capabilities by the findings of a report.

Where the release of bpftrace is not known, the conditions of every one are tried; if they disagree, the answer is
unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kdiag.capabilities.definitions import DEFINITIONS
from kdiag.capabilities.expression import AS_FAR_AS_SEEN, Context, Outcome, need
from kdiag.capabilities.repair import explained, repairs
from kdiag.knowledge.tools.faults import faults, finding_id
from kdiag.model import Capability, Finding, Status, Works

if TYPE_CHECKING:
    from kdiag.capabilities.definitions import Definition
    from kdiag.knowledge.tools.behaviour import Behaviour

#: What stands in nobody's way who holds the right: fine for root where root gets it, which is then among the causes.
_BY_RIGHT = ("perf.uprobes", "privileges.memlock")
#: Findings that are about the caller, not about the machine: fine for root (of the machine, not of a namespace).
ABOUT_THE_USER = frozenset(
    {"privileges.root", "privileges.capabilities", "bpf.listing", "tools.bpftool-feature"}
)


class Judged(NamedTuple):
    """How something stands that a person asks for, and the findings that its expression looked at, in its order."""

    capability: Capability
    looked: tuple[str, ...]


class _Watched(Mapping[str, Finding]):
    """Findings that note which of them were asked for."""

    def __init__(self, findings: Mapping[str, Finding]) -> None:
        self._findings = findings
        self.asked: dict[str, None] = {}

    def __getitem__(self, key: str) -> Finding:
        self.asked[key] = None
        return self._findings[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._findings)

    def __len__(self) -> int:
        return len(self._findings)


def evaluate(
    findings: Sequence[Finding],
    behaviours: Sequence[Behaviour],
    *,
    as_root_matters: bool,
    selected: bool = False,
) -> tuple[Capability, ...]:
    """Judge every capability. `behaviours`: one where bpftrace's release is known, several to agree where
    it is not.

    as_root_matters: the caller is not root, so that the answer for root is shown as well. selected: the findings are a
    selection: a capability of which nothing was looked at is left out, and one that works as far as was looked at says
    so.
    """
    context = Context({finding.id: finding for finding in findings}, selected=selected)
    judged = (_judge(definition, context, behaviours, as_root_matters) for definition in DEFINITIONS)
    return tuple(capability for capability in judged if capability is not None)


def _judge(
    definition: Definition, context: Context, behaviours: Sequence[Behaviour], as_root_matters: bool
) -> Capability | None:
    now = _outcome(definition, context, behaviours)
    if context.selected and (now.unseen or context.findings.keys().isdisjoint(now.findings)):
        return None
    with_root = None
    if as_root_matters and now.works is not Works.WORKS:
        assume = fine_for_root(context.findings)
        root = _outcome(definition, context._replace(assume=assume), behaviours)
        if root.works is Works.FAILS:
            # Becoming root would not help: the machine's own reason is the one to show.
            now = root
        elif root.works is not now.works:
            with_root = root.works
    if now.partly and now.works is Works.WORKS:
        now = now._replace(works=Works.CAVEAT, because=AS_FAR_AS_SEEN)
    return Capability(
        *(definition.id, definition.title, definition.tool, now.works, now.because, now.findings, with_root),
        definition.part_of,
    )


def judged(
    definition: Definition,
    findings: Sequence[Finding],
    behaviours: Sequence[Behaviour],
    *,
    as_root_matters: bool,
) -> Judged:
    """One capability, or what stands for one (a single probe), judged over the findings of a whole report."""
    watched = _Watched({finding.id: finding for finding in findings})
    for behaviour in behaviours:
        definition.needs(behaviour)(Context(watched))
    found = _judge(definition, Context({f.id: f for f in findings}), behaviours, as_root_matters)
    if found is None:  # only of a selection
        raise ValueError(definition.id)
    return Judged(found, tuple(watched.asked))


def fine_for_root(by_id: Mapping[str, Finding]) -> frozenset[str]:
    """Ids of what is fine for root. Capabilities that the bounding set lacks, root of this place lacks as well: then
    not being root is no cause of their absence.
    """
    lacking = by_id.get("privileges.capabilities")
    given = lacking is None or lacking.status is not Status.FAIL or "privileges.root" in lacking.causes
    user = ABOUT_THE_USER if given else {"privileges.root"}
    theirs = {i for i in _BY_RIGHT if i in by_id and "privileges.root" in by_id[i].causes}
    return frozenset(user) | theirs | {f.id for f in by_id.values() if f.likely is Status.OK}


def _outcome(definition: Definition, context: Context, behaviours: Sequence[Behaviour]) -> Outcome:
    outcomes = [definition.needs(behaviour)(context) for behaviour in behaviours]
    if definition.tool != "bpftrace":
        return outcomes[0]
    machine = _known_faults(definition.id, _agreed(outcomes), context)
    tool = need("tools.bpftrace", tolerate_warn=True)(context)
    if tool.works is not Works.FAILS:
        return tool._replace(partly=True) if machine.unseen else machine
    ids = tuple(dict.fromkeys((*tool.findings, *machine.findings)))
    if machine.works is Works.WORKS or machine.unseen:
        return Outcome(Works.FAILS, tool.because, tool.findings)
    if machine.works is Works.CAVEAT:
        return Outcome(Works.FAILS, f"{tool.because}; with it: {machine.because}", ids)
    if machine.works is Works.UNKNOWN:
        return Outcome(Works.FAILS, f"{tool.because}; what else is lacking cannot be told", ids)
    # The machine's own reason decides: installing bpftrace would not help.
    return Outcome(Works.FAILS, machine.because, tuple(dict.fromkeys((*machine.findings, *tool.findings))))


def _known_faults(capability: str, outcome: Outcome, context: Context) -> Outcome:
    """What is known to be broken in this release on this kernel, where all else is as it should be."""
    if outcome.works not in (Works.WORKS, Works.CAVEAT):
        return outcome
    for fault in faults():
        finding = context.findings.get(finding_id(fault))
        if fault.capability != capability or finding is None or finding.id in context.assume:
            continue
        works = Works.FAILS if fault.all else Works.CAVEAT
        return Outcome(works, finding.summary, (finding.id, *outcome.findings), partly=outcome.partly)
    return outcome


def _agreed(outcomes: Iterable[Outcome]) -> Outcome:
    """The common answer of all releases that bpftrace could be; unknown where they disagree."""
    every = list(outcomes)
    if len({outcome.works for outcome in every}) == 1:
        return every[0]
    ids = tuple(
        dict.fromkeys(i for outcome in every if outcome.works is not Works.WORKS for i in outcome.findings)
    )
    return Outcome(
        Works.UNKNOWN, "depends on the release of bpftrace, which is not known", ("tools.bpftrace", *ids)
    )


def repairs_of(  # noqa: PLR0913
    capabilities: Iterable[Capability],
    findings: Sequence[Finding],
    behaviours: Sequence[Behaviour],
    required: Sequence[str],
    *,
    as_root_matters: bool,
    selected: bool = False,
    newer: Behaviour | None = None,
) -> dict[str, tuple[str, ...]]:
    """For each required capability that does not work, the findings to repair before it does. newer: how bpftrace
    behaves once a newer one is installed, which is the repair of its own finding then.
    """
    by_id = {finding.id: finding for finding in findings}
    definitions = {definition.id: definition for definition in DEFINITIONS}

    def steps(capability: Capability) -> tuple[str, ...]:
        # What fails for root, too, is repaired for root.
        root = as_root_matters and capability.status is Works.FAILS and capability.with_root is None
        anyway = fine_for_root(by_id) if root else frozenset[str]()

        def trial(fine: frozenset[str]) -> Works:
            installed = [newer] if newer is not None and "tools.bpftrace" in fine else behaviours
            return _outcome(
                definitions[capability.id], Context(by_id, fine | anyway, selected), installed
            ).works

        return repairs(trial, capability.status, capability.findings, by_id)

    stopped = (c for c in capabilities if c.id in required and c.status in (Works.FAILS, Works.UNKNOWN))
    return {capability.id: steps(capability) for capability in stopped}


def release_needed(
    findings: Sequence[Finding], now: Behaviour, newer: Iterable[Behaviour], required: Sequence[str]
) -> tuple[Behaviour, tuple[str, ...]] | None:
    """The oldest of these releases with which all works that fails for the age of the installed one, and the titles of
    that; None where no release is the reason. What has a remedy of its own is taken for repaired.
    """
    by_id = {finding.id: finding for finding in findings}
    context = Context(by_id, explained([f.id for f in findings if f.remedies], by_id) | ABOUT_THE_USER)

    def works(definition: Definition, behaviour: Behaviour) -> bool:
        return _outcome(definition, context, [behaviour]).works in (Works.WORKS, Works.CAVEAT)

    every = sorted(newer, key=lambda behaviour: behaviour.since)
    asked = [d for d in DEFINITIONS if d.id in required and d.tool == "bpftrace" and not works(d, now)]
    first = {d.title: next((b for b in every if works(d, b)), None) for d in asked}
    found = {title: behaviour for title, behaviour in first.items() if behaviour is not None}
    if not found:
        return None
    return max(found.values(), key=lambda behaviour: behaviour.since), tuple(found)


def blocked(capabilities: Iterable[Capability], findings: Iterable[Finding]) -> dict[str, tuple[str, ...]]:
    """For each finding that is not ok: the capabilities that do not fully work because of it, or of what it
    causes.
    """
    by_id = {finding.id: finding for finding in findings}
    blocks: dict[str, list[str]] = {}
    for capability in capabilities:
        if capability.status is Works.WORKS:
            continue
        pending, seen = list(capability.findings), set[str]()
        while pending:
            finding_id = pending.pop()
            if finding_id in seen or finding_id not in by_id:
                continue
            seen.add(finding_id)
            finding = by_id[finding_id]
            if finding.status not in (Status.OK, Status.SKIP):
                blocks.setdefault(finding_id, []).append(capability.id)
                pending.extend(finding.causes)
    return {finding_id: tuple(ids) for finding_id, ids in blocks.items()}
