"""Reports to compare: a fixed one of this project's own, and ways to break things on a machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kdiag.model import (
    Capability,
    Evidence,
    Finding,
    MachineInfo,
    Readiness,
    Remedy,
    Report,
    Status,
    Verdict,
    Works,
)

SAMPLE = Path(__file__).parents[1] / "report" / "sample.json"


def finding(
    id_: str, status: Status = Status.OK, *causes: str, summary: str = "", command: str = ""
) -> Finding:
    return Finding(
        status,
        summary or f"{id_} is {status.value}",
        id=id_,
        title=f"title of {id_}",
        causes=causes,
        evidence=(Evidence("/proc/version", "Linux"),),
        remedies=(Remedy("fix", "Repair it", commands=(command,)),) if command else (),
    )


def capability(id_: str, status: Works = Works.WORKS, *decided_by: str) -> Capability:
    because = "" if status is Works.WORKS else f"{id_} {status.value}"
    return Capability(id_, f"Do {id_}", "bpftrace", status, because, decided_by)


def machine(**properties: str) -> MachineInfo:
    known = {"release": "6.12.1", "arch": "x86_64", "distribution": "Debian 13", "container": "no container"}
    return MachineInfo(**{**known, "bpftrace": "0.23.2", "user": "root", **properties})


def report(
    *changes: Finding | Capability, created: str = "2026-01-01T00:00:00Z", **properties: str
) -> Report:
    """A machine on which all is well but for the changes: findings a <- b <- c (c causes b causes a), d; things to
    do: one (decided by a), two (by d), three.
    """
    findings = {i: finding(i) for i in ("x.a", "x.b", "x.c", "x.d")}
    capabilities = {i: capability(i) for i in ("one", "two", "three")}
    for change in changes:
        if isinstance(change, Finding):
            findings[change.id] = change
        else:
            capabilities[change.id] = change
    return Report(
        "0.1.0",
        created,
        machine(**properties),
        tuple(findings.values()),
        tuple(capabilities.values()),
        ("one",),
        Verdict(Readiness.READY, "fine"),
    )


def broken(command: str = "sudo repair c", **properties: str) -> Report:
    """`one` fails, because of a, because of b, because of c, which can be repaired."""
    return report(
        finding("x.a", Status.FAIL, "x.b"),
        finding("x.b", Status.WARN, "x.c"),
        finding("x.c", Status.FAIL, summary="c is missing", command=command),
        capability("one", Works.FAILS, "x.a"),
        **properties,
    )


def without(of: Report, *capabilities: str) -> Report:
    """A report that does not speak of these capabilities."""
    return replace(of, capabilities=tuple(c for c in of.capabilities if c.id not in capabilities))
