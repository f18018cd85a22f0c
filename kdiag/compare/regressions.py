"""What became of the things that worked on the baseline, and the new cause where they no longer do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kdiag.compare.causes import Machine
from kdiag.compare.value import Change, Link
from kdiag.model import Capability, Works

_WORKING = (Works.WORKS, Works.CAVEAT)
KINDS = ("lost", "unknown", "worse", "gained")


def changes_since(baseline: Machine, sides: Sequence[tuple[str, int, Machine]]) -> Iterator[Change]:
    """What changed, the worst first; sides: (key, machines, answers). The same change for the same cause is one."""
    found: dict[tuple[str, str, str], list[tuple[str, int, Machine]]] = {}
    for side in sides:
        for was in baseline.capabilities.values():
            now = side[2].capabilities.get(was.id)
            kind = _kind(was.status, None if now is None else now.status)
            if kind:
                chain = [] if now is None else side[2].why(now)
                root = chain[-1].id if chain else ""
                found.setdefault((kind, was.id, root), []).append(side)
    for kind in KINDS:
        for (which, id_, _), some in found.items():
            if which == kind:
                yield _change(kind, baseline.capabilities[id_], some)


def _kind(was: Works, now: Works | None) -> str:
    if was in _WORKING:
        if now is Works.FAILS:
            return "lost"
        if now is None or now is Works.UNKNOWN:
            return "unknown"
        return "worse" if was is Works.WORKS and now is Works.CAVEAT else ""
    return "gained" if was is Works.FAILS and now in _WORKING else ""


def _change(kind: str, was: Capability, sides: Sequence[tuple[str, int, Machine]]) -> Change:
    machine = sides[0][2]
    now = machine.capabilities.get(was.id)
    chain = [] if now is None else machine.why(now)
    return Change(
        kind=kind,
        id=was.id,
        title=was.title,
        was=was.status.value,
        now="" if now is None else now.status.value,
        machines=sum(count for _, count, _ in sides),
        columns=tuple(name for name, _, _ in sides),
        because="its report does not speak of it" if now is None else now.because,
        chain=tuple(Link(fact.id, fact.summary) for fact in chain),
        next=next((fact.next for fact in reversed(chain) if fact.next), "") if kind != "gained" else "",
    )
