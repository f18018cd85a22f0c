"""Which side an answer came from, where a container can see its host: the kernel that both share, the host's files, or
this container's own. Elsewhere there is one side, and nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdiag.machine import Machine
    from kdiag.model import Evidence, Finding, Remedy
from kdiag.words import listed

KERNEL, HOST, HERE = "kernel", "host", "here"

#: What /proc and /dev show of this process and its namespaces, and not of the kernel.
_OF_PROCESSES = re.compile(r"/proc/(?:self|thread-self|mounts|\d+)\b|/dev/fd\b")
#: The kernel's own file systems, its system calls, and its options.
_OF_KERNEL = re.compile(r"/(?:proc|sys|dev)\b|uname\b|CONFIG_|\w+\(2\)|\w+\((?:BPF|PERF)_\w+")
#: Files here, and this Python.
_OF_FILES = re.compile(r"[/$~]|ELF machine\b")
_TABLES = ("knowledge", "decided by")
#: What a finding is about whose evidence names no place.
_ABOUT_KERNEL = ("bpf.", "btf.", "config.", "kernel.", "lockdown.", "sysctl.")
#: Where a remedy is for the host.
_ON_HOST = "the host"
#: Remedies that start another container in place of this one.
_OF_ENGINES = "container."


def sided(machine: Machine, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings with the sides that they are from, and with how a command for the host is typed from here."""
    if machine.origin is machine:
        return tuple(findings)
    root, way = machine.origin.system.root, machine.host.way

    def remedy(one: Remedy) -> Remedy:
        if not way or one.run_on != _ON_HOST or one.id.startswith(_OF_ENGINES):
            return one
        return one._replace(run_on=f"{_ON_HOST} (from here: {way} COMMAND)")

    def finding(one: Finding) -> Finding:
        about = _about(one.id)
        evidence = tuple(e if e.side else e._replace(side=side_of(e, root, about)) for e in one.evidence)
        remedies = tuple(remedy(r) if r.commands else r for r in one.remedies)
        return replace(one, evidence=evidence, remedies=remedies, side=_joined(one.id, evidence))

    return tuple(map(finding, findings))


def side_of(evidence: Evidence, root: str, about: str = "") -> str:
    """The side of one piece of evidence, by the place that it names, else `about`; empty for what a table says. root:
    where the host's files are.
    """
    source, seen = evidence.source, evidence.observed
    named = source if source.startswith("/") else seen
    if named == root or named.startswith(f"{root}/"):
        return HOST
    if _OF_PROCESSES.match(source):
        return HERE
    if _OF_KERNEL.match(source):
        return KERNEL
    if _OF_FILES.match(source):
        return HERE
    return "" if source in _TABLES or evidence.is_expected else about


def _joined(finding_id: str, evidence: Iterable[Evidence]) -> str:
    sides = {item.side for item in evidence}
    named = [side for side in (KERNEL, HOST, HERE) if side in sides]
    return listed(named) or _about(finding_id)


def _about(finding_id: str) -> str:
    """The side of what names no place, by what the finding is about."""
    return KERNEL if finding_id.startswith(_ABOUT_KERNEL) else HERE
