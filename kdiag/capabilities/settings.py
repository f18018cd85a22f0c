"""What a container has to be given for the required capabilities: found by taking each setting away."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from kdiag.capabilities.definitions import DEFINITIONS
from kdiag.capabilities.expression import Context, Outcome
from kdiag.knowledge.container_settings import SETTINGS
from kdiag.model import Finding, Status, Works, fail

if TYPE_CHECKING:
    from kdiag.knowledge.tools.behaviour import Behaviour

#: What is the kernel's own and no setting changes: not even BTF, unless it is only hidden (`UNHIDE`, a remedy).
_KERNELS = ("environment.vm", "kernel.lockdown", "kernel.arch", "bpf.loop", "config.*")
_BTF, UNHIDE = "btf.*", "btf.unhide"


def needed(
    findings: Sequence[Finding], behaviours: Sequence[Behaviour], required: Collection[str]
) -> frozenset[str]:
    """The settings without which one of the required capabilities works worse than with all of them.

    All that is not the kernel's own is taken to be as it should be, so that neither this container nor what is
    installed in it counts.
    """
    best = _ranks(findings, behaviours, required, ())
    without: list[str] = []
    for setting in SETTINGS:
        if _ranks(findings, behaviours, required, (*without, setting)) == best:
            without.append(setting)
    return frozenset(SETTINGS) - frozenset(without)


def beyond(findings: Sequence[Finding], behaviours: Sequence[Behaviour], required: Collection[str]) -> str:
    """Why one of the required capabilities fails in every container on this kernel; empty where none is known to."""
    outcomes = _outcomes(findings, behaviours, required, ())
    return next((outcome.because for outcome in outcomes if outcome.works is Works.FAILS), "")


def _ranks(
    findings: Sequence[Finding],
    behaviours: Sequence[Behaviour],
    required: Collection[str],
    without: Collection[str],
) -> list[int]:
    return [outcome.rank for outcome in _outcomes(findings, behaviours, required, without)]


def _outcomes(
    findings: Sequence[Finding],
    behaviours: Sequence[Behaviour],
    required: Collection[str],
    without: Collection[str],
) -> list[Outcome]:
    missing = [pattern for setting in without for pattern in SETTINGS[setting]]
    hidden = any(remedy.id == UNHIDE for finding in findings for remedy in finding.remedies)
    every = {finding.id: finding for finding in findings}
    by_id: dict[str, Finding] = {}
    fine = set()
    for finding in findings:
        own = _matches(finding.id, _KERNELS)
        if _matches(finding.id, (_BTF,)) and finding.id != "btf.by-id" and not hidden:
            own = _own_btf(finding, every)
        if _matches(finding.id, missing):
            by_id[finding.id] = fail("", id=finding.id)
        elif own and finding.status is Status.FAIL:
            by_id[finding.id] = finding
        else:
            fine.add(finding.id)
    context = Context(by_id, frozenset(fine))
    return [d.needs(b)(context) for d in DEFINITIONS if d.id in required for b in behaviours]


def _own_btf(finding: Finding, by_id: Mapping[str, Finding]) -> bool:
    """Whether it is the kernel, or the release of the tool, that has no BTF: not the caller who may not list it."""
    kernel = by_id.get("btf.vmlinux")
    return (kernel is not None and kernel.status is Status.FAIL) or "tools.bpftrace" in finding.causes


def _matches(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
