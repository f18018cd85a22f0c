"""The package with this kernel's headers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.model import Evidence, Finding, Remedy, WrongRemedy, fail, ok, unknown
from kdiag.remedies.packages import header_package, instead, newest_kernel
from kdiag.system import Unavailable

from .judged import links


def _installed(machine: Machine, name: str, version: str | None, evidence: tuple[Evidence, ...]) -> Finding:
    """A package whose name and version say nothing of the release may hold another kernel's headers: files decide."""
    release = machine.kernel.release
    others = machine.headers.other_releases
    if version is None and release not in name and not machine.headers.links["build"].is_dir and others:
        return fail(
            f"{name} is installed, with headers for another kernel: {', '.join(others[:3])}",
            evidence=(*evidence, *links(machine)),
            causes=("kernel.rebooted",),
            remedies=_own(machine),
        )
    return ok(f"{name} is installed", evidence=evidence)


def _own(machine: Machine) -> tuple[Remedy, ...]:
    """Installing the package, where that is possible and of use."""
    remedy = header_package(machine)
    return () if remedy is None else (remedy,)


def _of_others(machine: Machine) -> str:
    """Headers that are installed for other kernels, and are no use for this one."""
    try:
        others = [f"{package.name} {package.version}" for package in machine.packages.other_headers]
    except Unavailable:
        return ""
    return f"installed are headers for another kernel: {', '.join(others[:3])}" if others else ""


@check("headers.package", "The header package for this kernel")
def package(machine: Machine) -> Iterator[Finding]:
    """The package for exactly this release, decided by the release string and not by os-release; installed
    or not by the package database read as files; obtainable from this system's repositories, or never
    (vendor kernels).
    """
    # The kernel is the host's: where its files can be seen, its package database is the one that counts.
    for finding in _package(machine.origin):
        if machine.origin.of_host:
            evidence = (
                e if e.side or e.source == "decided by" else e._replace(side="host") for e in finding.evidence
            )
            yield replace(finding, evidence=tuple(evidence))
        else:
            yield finding


def _package(machine: Machine) -> Iterator[Finding]:
    packages = machine.packages
    advice = packages.advice
    evidence = [Evidence("decided by", text) for text in advice.decided_by]
    if machine.of_host:
        evidence.append(Evidence(machine.system.root, "the host's files: its package database is asked"))
    if advice.obtainable == "no":
        yield fail(
            "no package of headers exists for this kernel",
            reason=advice.reason,
            evidence=tuple(evidence),
            causes=("kernel.identity",),
            remedies=instead(machine),
            wrong_remedies=(
                WrongRemedy(f"apt install linux-headers-{machine.kernel.release}", advice.reason),
            ),
        )
        return
    if not advice.name:
        yield unknown(
            "which package has headers for this kernel is not known",
            reason="; ".join(filter(None, (advice.reason, _of_others(machine)))),
            evidence=tuple(evidence),
            causes=("kernel.identity",),
            remedies=instead(machine),
        )
        return
    try:
        installed = packages.installed_headers
    except Unavailable as gap:
        yield unknown(
            f"{advice.name} is the package; cannot tell whether it is installed",
            reason=gap.reason,
            evidence=tuple(evidence),
            remedies=_own(machine),
        )
        return
    evidence += [Evidence("installed", f"{package.name} {package.version}") for package in installed]
    lacking = packages.lacking
    if not lacking:
        yield _installed(machine, advice.name, advice.version, tuple(evidence))
        return
    if advice.name not in lacking:
        what = f"only half of the headers is installed; missing: {', '.join(lacking)}"
    elif len(lacking) <= len(advice.parts):
        what = f"only half of the headers is installed; missing: {advice.name}"
    else:
        what = f"{advice.name} is not installed"
    place = "/var/lib/dpkg/status" if advice.manager == "apt" else "package database"
    place = machine.seen_at(place) if place.startswith("/") else place
    names = {package.name for package in installed}
    absent = [
        Evidence(place, f"{name}: {'none for this kernel' if name in names else 'not installed'}")
        for name in lacking
    ]
    reason = _of_others(machine)
    if advice.obtainable == "unknown":
        reason = "; ".join(filter(None, (advice.reason, reason)))
    elif packages.listed(advice.name) is False:
        gone = f"{advice.manager}'s lists here have no {advice.name}: archives keep the newest kernel's only"
        reason = "; ".join(filter(None, (gone, reason)))
    if advice.here == "no":
        reason = f"{advice.here_reason}; {reason}" if reason else advice.here_reason
    yield fail(
        what,
        reason=reason,
        evidence=(*absent, *evidence),
        causes=("environment.container", "kernel.rebooted"),
        remedies=(*_own(machine), *newest_kernel(machine)) or instead(machine),
        wrong_remedies=tuple(
            WrongRemedy(f"installing {trap}", "user-space (UAPI) headers only") for trap in advice.traps[:2]
        ),
    )
