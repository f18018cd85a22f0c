"""Why something does not work: the finding that decides, and the chain of causes from there to the root."""

from __future__ import annotations

from kdiag.compare.reading.answers import Fact, MachineSummary
from kdiag.model import Capability, Status, Works

_WORKS = {Works.WORKS: 0, Works.CAVEAT: 1, Works.UNKNOWN: 2, Works.FAILS: 3}
_STATUS = {Status.OK: 0, Status.SKIP: 0, Status.WARN: 1, Status.UNKNOWN: 2, Status.FAIL: 3}


def badness(status: Works | Status | None) -> int:
    """0 for fine to 3 for failing; what was not asked is as bad as what cannot be told."""
    if status is None:
        return 2
    return _WORKS[status] if isinstance(status, Works) else _STATUS[status]


class Machine:
    """A machine's answers by id."""

    def __init__(self, summary: MachineSummary) -> None:
        self.facts = {fact.id: fact for fact in summary.facts}
        self.capabilities = {capability.id: capability for capability in summary.capabilities}

    def trouble(self, fact_id: str) -> Fact | None:
        """The finding of this id, if it is not fine."""
        fact = self.facts.get(fact_id)
        return fact if fact is not None and badness(fact.status) else None

    def chain(self, fact: Fact) -> list[Fact]:
        """The finding, its first cause, that one's, and so on to the root. Reports may hold circles."""
        chain = [fact]
        seen = {fact.id}
        while True:
            causes = (self.trouble(cause) for cause in chain[-1].causes if cause not in seen)
            cause = next((c for c in causes if c is not None), None)
            if cause is None:
                return chain
            chain.append(cause)
            seen.add(cause.id)

    def why(self, capability: Capability) -> list[Fact]:
        """The chain behind a capability that does not fully work; empty if no finding explains it."""
        if capability.status is Works.WORKS:
            return []
        decisive = next((f for i in capability.findings if (f := self.trouble(i)) is not None), None)
        return [] if decisive is None else self.chain(decisive)
