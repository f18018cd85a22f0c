"""The plan and its parts: frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from kdiag.fix.effects import Effect
from kdiag.fix.options import Options
from kdiag.fix.store.places import Places

__all__ = ["Options", "Part", "Plan", "Step", "Subject", "sentence"]

if TYPE_CHECKING:
    from kdiag.machine import Machine
    from kdiag.model import Finding, Report


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. changes: what it changes on the machine, with paths; empty for steps that only choose
    what tools are pointed to.

    needs: `root`, `network`. undo: how it is taken back, in words. helps: titles of what does not fully work
    for lack of it.
    """

    id: str
    title: str
    changes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    undo: str = ""
    helps: tuple[str, ...] = ()
    effect: Effect | None = None
    content: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Part:
    """The steps for one subject, what cannot be done and why, and the path that results.

    unmet: something is lacking that these steps do not bring.
    """

    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    path: Path | None = None
    unmet: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, and what results. tree, btf: what the variables will point to, None for nothing.

    link: where tools will find the tree without variables, None for nowhere of our making. repairs: ids of
    the findings meant.
    """

    release: str
    srcarch: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...]
    tree: Path | None
    btf: Path | None
    variables: tuple[tuple[str, str], ...]
    link: str | None = None
    repairs: tuple[str, ...] = ()
    unmet: bool = False

    @property
    def changes_something(self) -> bool:
        """Whether the machine will be another one afterwards."""
        return any(step.effect is not None for step in self.steps)


def sentence(finding: Finding) -> str:
    """What a finding says, as a sentence."""
    text = f"{finding.summary}: {finding.reason}." if finding.reason else f"{finding.summary}."
    return text if text.startswith(("bpftrace", "modules.dep")) else text[0].upper() + text[1:]


class Subject:
    """What a plan is made from: the machine's facts, the findings, the directories, the wishes."""

    def __init__(self, machine: Machine, report: Report, places: Places, options: Options) -> None:
        self.machine = machine
        self.report = report
        self.places = places
        self.options = options

    @cached_property
    def root(self) -> bool:
        """Whether steps that need root can be taken."""
        return self.machine.system.identity().euid == 0

    @cached_property
    def release(self) -> str:
        """The running kernel's."""
        return self.machine.kernel.release

    @cached_property
    def srcarch(self) -> str:
        """The kernel's own name of its architecture."""
        return self.machine.kernel.source_arch

    def finding(self, finding_id: str) -> Finding | None:
        """One answer of the checks."""
        return self.report.finding(finding_id)

    def stands_in_the_way(self, *finding_ids: str) -> tuple[str, ...]:
        """Ids of the capabilities that do not fully work because of these findings, in the report's order."""
        blocked = {c for f in finding_ids for c in self.report.blocks.get(f, ())}
        return tuple(c.id for c in self.report.capabilities if c.id in blocked)

    def titles(self, *finding_ids: str) -> tuple[str, ...]:
        """The same by their titles."""
        blocked = self.stands_in_the_way(*finding_ids)
        return tuple(c.title for c in self.report.capabilities if c.id in blocked)
