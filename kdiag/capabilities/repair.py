"""Which findings have to be repaired, and in which order, before a capability works; or that no remedy is enough.

Whether a set of repairs is enough is tried on the capability's own expression: with the findings that have a remedy,
and what they cause, taken for fine. So a remedy counts only where it opens the way, an alternative (BTF or headers)
needs one of its sides only, and where something without a remedy stays in the way, nothing is offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from kdiag.capabilities.causes import causes_first
from kdiag.model import Finding, Remedy, Status, Works

#: What may be tried on a capability: the findings that are taken for fine, and what it then does.
Trial = Callable[[frozenset[str]], Works]

#: What is wrong with the machine itself: another one is the repair, and nothing of this one counts there.
_ANOTHER_MACHINE = frozenset({"environment.vm", "kernel.arch"})

#: Where the caller can type a command.
_HERE = ("here", "the shell ")

_OPEN = (Status.FAIL, Status.WARN, Status.UNKNOWN)


def repairs(trial: Trial, now: Works, first: Sequence[str], by_id: Mapping[str, Finding]) -> tuple[str, ...]:
    """Ids of the findings to repair, causes first, each needed; none where that is not enough. now: how the capability
    does today. first: the findings that decide about it, most decisive first.
    """
    wanted = (
        (Works.WORKS, Works.CAVEAT) if now is Works.UNKNOWN else (Works.WORKS, Works.CAVEAT, Works.UNKNOWN)
    )
    starts = (by_id[i] for i in dict.fromkeys((*first, *by_id)) if i in by_id and by_id[i].status in _OPEN)
    repairable = [f for f in causes_first(starts, by_id) if f.status in _OPEN and f.remedies]
    here = [f for f in repairable if any(r.commands and r.run_on.startswith(_HERE) for r in f.remedies)]
    # What a command repairs on the spot, before what has to be done by hand or elsewhere.
    for chosen in (here, repairable):
        ids = [f.id for f in chosen]
        if trial(explained(ids, by_id)) in wanted:
            for one in reversed(tuple(ids)):
                fewer = [i for i in ids if i != one]
                if trial(explained(fewer, by_id)) in wanted:
                    ids = fewer
            return tuple(ids)
    return ()


def remedy_of(finding: Finding, by_id: Mapping[str, Finding]) -> Remedy | None:
    """The remedy to take of a finding that is repaired: its first, unless a symptom knows a better one and names this
    one among the others, as a header tree does that could be made from the kernel's own archive.
    """
    own = finding.remedies[:1]
    for other in by_id.values():
        if (
            finding.id in other.causes
            and own
            and any(r.commands == own[0].commands for r in other.remedies[1:])
        ):
            return other.remedies[0]
    return own[0] if own else None


def explained(ids: Iterable[str], by_id: Mapping[str, Finding]) -> frozenset[str]:
    """The findings and what they cause. What fails is not repaired by learning what was unknown."""
    mended, waiting = set[str](), list(ids)
    if any(i in _ANOTHER_MACHINE and by_id[i].status is Status.FAIL for i in waiting):
        return frozenset(by_id)
    while waiting:
        one = waiting.pop()
        if one in mended:
            continue
        mended.add(one)
        learnt = by_id[one].status is Status.UNKNOWN
        waiting += (
            f.id for f in by_id.values() if one in f.causes and not (learnt and f.status is Status.FAIL)
        )
    return frozenset(mended)
