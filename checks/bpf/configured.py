"""The answer of the kernel's configuration where it cannot be asked, and an answer under another id."""

from __future__ import annotations

from dataclasses import replace

from kdiag.machine import Machine
from kdiag.model import Evidence, Finding, expect, expected, fail, unknown
from kdiag.system import ProbeResult, Unavailable
from kdiag.words import Subject


def by_config(
    machine: Machine, what: Subject, options: tuple[str, ...], result: ProbeResult, call: str = "bpf(2)"
) -> Finding:
    """The verdict where only root may ask: the running kernel's own configuration, named as such."""
    evidence = [Evidence(call, result.describe())]
    try:
        values = {name: machine.config.value(name) for name in options}
        path = machine.config.found.path
    except Unavailable as gap:
        return unknown(
            f"only root may try {what}, and no kernel configuration is readable here",
            reason=gap.reason,
            evidence=tuple(evidence),
            causes=("privileges.root", "privileges.capabilities"),
            with_root=f"one harmless {call} call answers",
        )
    off = [name for name, value in values.items() if value not in ("y", "m")]
    if off:
        evidence += [Evidence(path, f"CONFIG_{name}={value or 'absent'}") for name, value in values.items()]
        return fail(
            f"CONFIG_{off[0]} is off: no {what}",
            evidence=tuple(evidence),
            causes=tuple(f"config.{name}" for name in off),
            with_root=f"one harmless {call} call answers for sure",
        )
    evidence += [expect(path, f"CONFIG_{name}={value}") for name, value in values.items()]
    return expected(
        f"only root may try {what}; the kernel's configuration has {what.verb('it', 'them')}",
        evidence=tuple(evidence),
        causes=("privileges.root", "privileges.capabilities"),
        with_root=f"one harmless {call} call answers",
    )


def renamed(finding: Finding, finding_id: str, title: str) -> Finding:
    return replace(finding, id=finding_id, title=title)
