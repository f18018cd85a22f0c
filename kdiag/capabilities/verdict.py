"""The verdict over a check: ready, not ready or unknown, why in one clause, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kdiag.capabilities.causes import causes_first
from kdiag.capabilities.expression import AS_FAR_AS_SEEN, EXPECTED_TO_WORK, joined
from kdiag.capabilities.repair import explained, remedy_of
from kdiag.knowledge.tools.bpftrace_tried import EXPECTED, SOURCE
from kdiag.model import Capability, Finding, Readiness, Remedy, Status, Verdict, Works

#: How many reasons are named; more are counted.
_REASONS = 2
#: How many capabilities are named that work all the same.
_NAMED = 3

_THERE = frozenset({Works.WORKS, Works.CAVEAT})

SMOKE = "kdiag smoke"
#: Tools that it has programs for; a profile of requirements is none.
_TRIED = frozenset({"bpftrace", "bcc", "libbpf", "bpftool"})


def judge(
    capabilities: Sequence[Capability],
    findings: Sequence[Finding],
    required: Sequence[str],
    repairs: Mapping[str, Sequence[str]] | None = None,
) -> Verdict:
    """Ready if every required capability works, perhaps with a caveat; cannot tell if none fails and one is unknown.

    repairs: by capability, the findings to repair before it works (kdiag.capabilities.repair), () where nothing
    helps. Of a capability that is not in it the findings that decided have to do.
    """
    by_id = {finding.id: finding for finding in findings}
    wanted = [capability for capability in capabilities if capability.id in required]
    if not wanted:
        return _of_findings(findings, by_id)
    for status, works in ((Readiness.NOT_READY, Works.FAILS), (Readiness.UNKNOWN, Works.UNKNOWN)):
        stopped = [c for c in wanted if c.status is works]
        # What root would have to repair as well, before what root need not.
        stopped = [c for c in stopped if c.with_root is None] or stopped
        if stopped:
            first = _first_repair(stopped, by_id, repairs or {})
            why = f"{_clause(stopped, first, by_id)}{_for_root(wanted)}"
            remedy = remedy_of(first, by_id) if first is not None else None
            if remedy is not None:
                return _with_step(status, why, remedy)
            if status is Readiness.UNKNOWN:
                # What could not be looked at can still be tried.
                return Verdict(status, why, _proof(wanted), "here")
            return Verdict(status, why, _nothing_helps(stopped, capabilities, by_id))
    ready = _ready(wanted, capabilities, untried=_untried(wanted, by_id))
    return Verdict(Readiness.READY, ready, _proof(wanted), "here")


def _untried(wanted: Sequence[Capability], by_id: Mapping[str, Finding]) -> bool:
    """Whether all of it rests on the sources of a bpftrace that was never tried, or not on this kernel."""
    tool = by_id.get("tools.bpftrace")
    if tool is None or not all(c.tool == "bpftrace" for c in wanted):
        return False
    return any(e.source == SOURCE and e.observed.startswith(EXPECTED) for e in tool.evidence)


def _of_findings(findings: Sequence[Finding], by_id: Mapping[str, Finding]) -> Verdict:
    """Where the selected checks touch nothing that is required, what they found is what is judged."""
    for readiness, status in ((Readiness.NOT_READY, Status.FAIL), (Readiness.UNKNOWN, Status.UNKNOWN)):
        stopped = list(causes_first((f for f in findings if f.status is status), by_id))
        if stopped:
            why = _named(list(dict.fromkeys(f.summary for f in stopped if f.status is status)))
            remedy = next((r for f in stopped if (r := remedy_of(f, by_id)) is not None), None)
            if remedy is None:
                return Verdict(readiness, why, "kdiag check --verbose", "here")
            return _with_step(readiness, why, remedy)
    what = "what was selected is as it should be" if findings else "nothing was looked at"
    return Verdict(Readiness.READY if findings else Readiness.UNKNOWN, what, "kdiag check", "here")


def _with_step(status: Readiness, why: str, remedy: Remedy) -> Verdict:
    return Verdict(status, why, " && ".join(remedy.commands) or remedy.title, remedy.run_on)


def required_ones(number: int, one: str, several: str) -> str:
    """All that is required, with the verb for one of it and for several."""
    return (
        f"the required capability {one}" if number == 1 else f"all {number} required capabilities {several}"
    )


def _proof(wanted: Sequence[Capability]) -> str:
    """What shows that the prediction is right: the programs of these tools, of bpftrace's where nothing is said."""
    tools = list(dict.fromkeys(c.tool.lower() for c in wanted if c.tool.lower() in _TRIED))
    return SMOKE if tools in ([], ["bpftrace"]) else " ".join((SMOKE, *(f"--tool {name}" for name in tools)))


def _ready(wanted: Sequence[Capability], capabilities: Sequence[Capability], *, untried: bool) -> str:
    what = required_ones(len(wanted), *_verbs(wanted, untried=untried))
    if any(c.because == AS_FAR_AS_SEEN for c in wanted):
        return f"{what} {AS_FAR_AS_SEEN}"
    others = [c for c in capabilities if c not in wanted and not c.part_of]
    fully = sum(c.status is Works.WORKS for c in others)
    if fully == len(others):
        return f"{what}, and so do all others" if others else what
    return f"{what}; of the {len(others)} others, {fully} {'works' if fully == 1 else 'work'} fully"


def _verbs(wanted: Sequence[Capability], *, untried: bool) -> tuple[str, str]:
    """Works, is expected to, or does in part; a caveat of bpftrace's is seldom that something does not work."""
    limits = [
        c.because
        for c in wanted
        if c.tool != "bpftrace" and c.status is Works.CAVEAT and c.because != AS_FAR_AS_SEEN
    ]
    said = [clause for because in limits for clause in because.split("; ")]
    part = " in part" if any(not clause.startswith(EXPECTED_TO_WORK) for clause in said) else ""
    if untried or any(clause.startswith(EXPECTED_TO_WORK) for clause in said):
        return f"is expected to work{part}", f"are expected to work{part}"
    return f"works{part}", f"work{part}"


def _for_root(wanted: Sequence[Capability]) -> str:
    """That nothing but root's rights is missing, where it is so."""
    if not all(_THERE.issuperset({c.with_root or c.status}) for c in wanted):
        return ""
    return f"; as root {required_ones(len(wanted), 'is', 'are')} expected to work"


# -- why ------------------------------------------------------------------------------------------------------------


def _clause(stopped: Sequence[Capability], first: Finding | None, by_id: Mapping[str, Finding]) -> str:
    """The reasons, each once, in one clause; only what is to be repaired first, where it explains all the others."""
    deciding = {i for c in stopped for i in c.findings if i in by_id}
    if first is not None and deciding and deciding <= explained((first.id,), by_id):
        return first.summary
    return _named(list(dict.fromkeys(_reason(c, by_id) for c in stopped)))


def _named(reasons: Sequence[str]) -> str:
    more = len(reasons) - _REASONS
    named = joined(reasons[:_REASONS])
    return f"{named}, and for {more} other reason{'s' if more > 1 else ''}" if more > 0 else named


def _reason(capability: Capability, by_id: Mapping[str, Finding]) -> str:
    first = by_id.get(capability.findings[0]) if capability.findings else None
    if first is not None and capability.because.startswith(f"{first.summary}; "):
        return first.summary
    return capability.because


# -- what next ------------------------------------------------------------------------------------------------------


def _first_repair(
    stopped: Iterable[Capability], by_id: Mapping[str, Finding], repairs: Mapping[str, Sequence[str]]
) -> Finding | None:
    """The first finding to repair that opens the way to one of these capabilities."""
    for capability in stopped:
        ids = repairs.get(capability.id)
        if ids is None:
            deciding = (by_id[i] for i in capability.findings if i in by_id)
            ids = [f.id for f in causes_first(deciding, by_id) if f.remedies]
        if ids:
            return by_id[ids[0]]
    return None


def _nothing_helps(
    broken: Sequence[Capability], capabilities: Sequence[Capability], by_id: Mapping[str, Finding]
) -> str:
    """That there is no way here, what there would have to be, and what works all the same."""
    deciding = (by_id[i] for c in broken for i in c.findings[:1] if i in by_id)
    options = [i for f in deciding for i in f.causes if i.startswith("config.") and i in by_id]
    names = " and ".join(
        f"CONFIG_{i.partition('.')[2]}" for i in dict.fromkeys(options) if i != "config.source"
    )
    lead = f"nothing on this machine helps: it takes a kernel with {names}" if names else ""
    works = [c.title for c in capabilities if c.status in (Works.WORKS, Works.CAVEAT)]
    if not works:
        return lead or "nothing on this machine helps: it takes another kernel, or another machine"
    more = len(works) - _NAMED
    listed = ", ".join(works[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"{lead or 'nothing on this machine helps'}; all the same there work {listed}"
