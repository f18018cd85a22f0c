"""Runs the checks: each on its own, so that one that raises becomes a finding and the rest go on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from kdiag.model import Evidence, Finding, Status, unknown
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine
    from kdiag.registry import Found, Registry


def run(machine: Machine, registry: Registry, chosen: Iterable[Found]) -> tuple[Finding, ...]:
    """The findings of the chosen checks, in the checks' order, ids unique."""
    findings: dict[str, Finding] = {}
    for found in chosen:
        for finding in run_one(machine, found):
            if finding.id in findings:
                finding = replace(
                    finding,
                    id=f"{finding.id}@{found.check.id}",
                    reason=f"the id {finding.id} was already taken; {finding.reason}",
                )
            findings[finding.id] = finding
    for problem in registry.problems:
        name = f"plugin.{problem.name}"
        findings[name] = unknown(
            f"{problem.name} of {problem.distribution} {problem.message}",
            id=name,
            title="A package of checks could not be used",
            reason="its checks were not run; reinstall or remove the package, or use --no-plugins",
        )
    return tuple(_known_causes(findings))


def _known_causes(findings: dict[str, Finding]) -> Iterator[Finding]:
    """Keep those causes that are findings of this run and are not fine themselves."""
    for finding in findings.values():
        causes = tuple(
            dict.fromkeys(
                c
                for c in finding.causes
                if c in findings and findings[c].status is not Status.OK and c != finding.id
            )
        )
        yield finding if causes == finding.causes else replace(finding, causes=causes)


def run_one(machine: Machine, found: Found) -> list[Finding]:
    """The findings of one check, with id and title filled in."""
    check = found.check
    done: list[Finding] = []
    try:
        for finding in check.run(machine):
            if not isinstance(finding, Finding):
                raise TypeError(f"yielded {type(finding).__name__}, not a Finding")
            done.append(replace(finding, id=finding.id or check.id, title=finding.title or check.title))
    except Unavailable as gap:
        if all(f.id != check.id for f in done):
            done.append(
                unknown(gap.reason, id=check.id, title=check.title, evidence=(Evidence("kdiag", gap.reason),))
            )
    except Exception as error:
        place = _place(error)
        done.append(
            unknown(
                f"the check itself failed: {type(error).__name__}: {error}",
                id=check.id if all(f.id != check.id for f in done) else f"{check.id}.error",
                title=check.title,
                reason=f"this is a defect of {found.distribution} {found.version}, not of this machine",
                evidence=(Evidence(found.module, f"{type(error).__name__} at {place}"),),
            )
        )
    return done


def _place(error: BaseException) -> str:
    """File and line of the innermost frame, without the directories."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "an unknown place"
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
