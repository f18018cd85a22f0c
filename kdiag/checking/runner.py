"""Runs the checks: each on its own, so that one that raises becomes a finding and the rest go on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from kdiag.console.trouble import interrupt, shortage
from kdiag.model import Evidence, Finding, Status, unknown
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.checking.registry import Registered, Registry
    from kdiag.machine import Machine


#: The checks that read the kernel's BTF: run after those that need not wait for it.
WAITING = frozenset(
    {
        "bpf.fentry",
        "bpf.iter",
        "bpf.loop",
        "btf.bpftrace",
        "btf.by-id",
        "btf.fallback",
        "btf.fentry-test",
        "btf.modules",
        "btf.readers",
        "btf.vmlinux",
    }
)


def waits(found: Registered) -> bool:
    """Whether the check asks for what is read ahead (kdiag.checking.prefetch); a plug-in's check never counts."""
    return found.builtin and found.check.id in WAITING


def run(machine: Machine, registry: Registry, chosen: Iterable[Registered]) -> tuple[Finding, ...]:
    """The findings of the chosen checks, in the order of their ids, which are unique."""
    done = [(found, finding) for found in sorted(chosen, key=waits) for finding in run_one(machine, found)]
    findings: dict[str, Finding] = {}
    # Built-in findings take their ids first: capabilities follow ids, and a plug-in must not take one of them.
    for found, finding in sorted(done, key=lambda pair: not pair[0].builtin):
        key, number = finding.id, 1
        while key in findings:
            key = f"{finding.id}@{found.check.id}" + (f"#{number}" if number > 1 else "")
            number += 1
        if key != finding.id:
            reason = f"the id {finding.id} was already taken; {finding.reason}"
            findings[key] = replace(finding, id=key, reason=reason)
        else:
            findings[key] = finding
    for problem in registry.problems:
        name = f"plugin.{problem.name}"
        findings[name] = unknown(
            f"{problem.name} of {problem.distribution} {problem.message}",
            id=name,
            title="A package of checks could not be used",
            reason="its checks were not run; reinstall or remove the package, or use --no-plugins",
        )
    return tuple(_known_causes(dict(sorted(findings.items()))))


def _known_causes(findings: dict[str, Finding]) -> Iterator[Finding]:
    """Keep those causes that are findings of this run and are not fine themselves."""
    for finding in findings.values():
        causes = tuple(
            dict.fromkeys(
                c
                for c in finding.causes
                if c in findings and findings[c].status not in (Status.OK, Status.SKIP) and c != finding.id
            )
        )
        yield finding if causes == finding.causes else replace(finding, causes=causes)


def run_one(machine: Machine, found: Registered) -> list[Finding]:
    """The findings of one check, with id and title filled in."""
    check = found.check
    done: list[Finding] = []
    try:
        for finding in check.run(machine):
            if not isinstance(finding, Finding):
                raise TypeError(f"yielded {type(finding).__name__}, not a Finding")
            done.append(
                _sound(replace(finding, id=finding.id or check.id, title=finding.title or check.title))
            )
    except Unavailable as gap:
        if all(f.id != check.id for f in done):
            done.append(
                unknown(gap.reason, id=check.id, title=check.title, evidence=(Evidence("kdiag", gap.reason),))
            )
    except (Exception, SystemExit) as error:
        if stop := interrupt(error):
            raise stop from None
        place = _place(error)
        lacking = shortage(error)
        reason = f"this is a defect of {found.distribution} {found.version}, not of this machine"
        done.append(
            unknown(
                f"the check itself failed: {type(error).__name__}: {error}",
                id=check.id if all(f.id != check.id for f in done) else f"{check.id}.error",
                title=check.title,
                reason=lacking or reason,
                evidence=(Evidence(found.module, f"{type(error).__name__} at {place}"),),
            )
        )
    return done


def _sound(finding: Finding) -> Finding:
    """The finding, if reports can carry it: a plug-in's check may fill the fields with anything. Raises
    TypeError.
    """
    remedies = finding.remedies
    words = (finding.id, finding.title, finding.summary, finding.reason, finding.with_root, *finding.causes)
    words += tuple(w for e in finding.evidence for w in (e.source, e.observed))
    words += tuple(w for r in remedies for w in (r.id, r.title, r.run_on, *r.commands, *r.needs, *r.undo))
    words += tuple(w for wrong in finding.wrong_remedies for w in (wrong.advice, wrong.why))
    if not all(isinstance(word, str) for word in words):
        raise TypeError(f"finding {finding.id} holds something that is not text")
    if not isinstance(finding.status, Status):
        raise TypeError(f"finding {finding.id} has status {finding.status!r}")
    if any(r.kind not in ("safe", "unsafe", "manual") for r in remedies):
        raise TypeError(f"finding {finding.id} has a remedy that is neither safe, unsafe nor manual")
    if finding.status is Status.OK and any(e.is_expected for e in finding.evidence):
        # What a table or a configuration promises was not seen, whichever package's check says so.
        return replace(finding, status=Status.UNKNOWN, likely=Status.OK)
    return finding


def _place(error: BaseException) -> str:
    """File and line of the innermost frame, without the directories."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "an unknown place"
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
