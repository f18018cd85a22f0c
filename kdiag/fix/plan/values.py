"""The plan and its parts: frozen values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kdiag.fix.effects import Effect

if TYPE_CHECKING:
    from kdiag.model import Finding


class Step(NamedTuple):
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
    content: bytes | None = None


class Part(NamedTuple):
    """The steps for one subject, what cannot be done and why, and the path that results. for_root: whether a step is
    left out for no other reason than that the caller is not root.
    """

    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    path: Path | None = None
    for_root: bool = False


class Plan(NamedTuple):
    """What will be done, and what results. tree, btf: what the variables will point to, None for nothing.

    link: where tools will find the tree without variables, None for nowhere of our making. repairs: ids of
    the findings meant. tools: those that it is for, () for all. for_root: whether root could do more.
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
    tools: tuple[str, ...] = ()
    for_root: bool = False

    @property
    def changes_something(self) -> bool:
        """Whether the machine will be another one afterwards."""
        return any(step.effect is not None for step in self.steps)


def sentence(finding: Finding) -> str:
    """What a finding says, as a sentence."""
    text = f"{finding.summary}: {finding.reason}." if finding.reason else f"{finding.summary}."
    return text if text.startswith(("bpftrace", "modules.dep")) else text[0].upper() + text[1:]
