"""Afterwards: the same questions to the machine again, as a tool with the new variables would see it, and the
smoke programs again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from kdiag.knowledge.tools.messages import Printed
from kdiag.model import Capability, Report, Status, Works
from kdiag.system import System
from kdiag.system.live import Live

if TYPE_CHECKING:
    from kdiag.fix.plan.values import Plan


class SmokeSummary(NamedTuple):
    """How many of the smoke programs worked, and the known messages that were printed meanwhile."""

    works: int
    total: int
    said: tuple[Printed, ...] = ()


#: Runs the smoke programs with these variables added to the environment.
Smoke = Callable[[Mapping[str, str]], SmokeSummary]


#: A look at the machine with nothing known yet, in an environment with these variables.
Fresh = Callable[[Mapping[str, str]], System]


class LiveWith(Live):
    """This machine, as a tool sees it that is started with these variables."""

    def __init__(self, values: Mapping[str, str], host: str = "") -> None:
        super().__init__("/", host)
        self._values = dict(values)

    def env(self, name: str) -> str | None:
        return self._values[name] if name in self._values else super().env(name)


def still_broken(plan: Plan, before: Report, after: Report) -> tuple[str, ...]:
    """Summaries of the findings that were to be repaired and are not; empty if all are."""
    broken = []
    for finding_id in plan.repairs:
        was, now = before.finding(finding_id), after.finding(finding_id)
        if was is None or was.status is not Status.FAIL:
            continue
        if now is None or now.status is Status.FAIL:
            broken.append(now.summary if now is not None else f"{finding_id} was not checked again")
    return tuple(broken)


def repaired(before: Report, after: Report, tools: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Titles of the capabilities, of these tools or of all, that did not fully work and now do better; for a user, as
    root.
    """
    rank = (Works.FAILS, Works.UNKNOWN, Works.CAVEAT, Works.WORKS)
    old = {c.id: rank.index(best(c)) for c in before.capabilities}
    better = (c for c in after.capabilities if rank.index(best(c)) > old.get(c.id, 3))
    return tuple(c.title for c in better if not tools or c.tool.casefold() in tools)


def best(capability: Capability) -> Works:
    """How it works for root, where that is better than for this user."""
    return capability.with_root or capability.status
