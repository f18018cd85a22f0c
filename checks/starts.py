"""Whether the tools start at all: what each of their capabilities needs first, and an upgrade breaks most."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.tools import Start
from kdiag.model import Evidence, Finding, Remedy, expected, fail, ok, skip
from kdiag.remedies.packages import bcc_package, reinstall

#: Where a distribution's package puts it.
_PACKAGED = ("/usr/bin/bpftrace", "/usr/sbin/bpftrace")


@check("tools.bpftrace-start", "bpftrace starts")
def bpftrace(machine: Machine) -> Iterator[Finding]:
    """Whether `bpftrace --version` runs. A library that an upgrade replaced (libLLVM, libbcc, libbpf), an interpreter
    that is not there, or a processor without an instruction ends it before any script is read. See it yourself:
    `bpftrace --version`, `ldd $(command -v bpftrace)`.
    """
    start, path = machine.tools.bpftrace_start, machine.tools.bpftrace_path or ""
    if start is None:
        yield skip("bpftrace is not installed")
    elif start.runs is False:
        yield _stops("bpftrace", start, _another(machine, path))
    else:
        yield _told("bpftrace", start)


@check("tools.bcc-start", "BCC's tools start")
def bcc(machine: Machine) -> Iterator[Finding]:
    """Whether the interpreter of BCC's tools finds the module bcc, and that the library libbcc. See it yourself:
    `python3 -c 'import bcc'`.
    """
    start = machine.tools.bcc_start
    if start is None:
        yield skip("BCC's tools are not installed")
    elif start.runs is False:
        yield _stops("BCC's tools", start, reinstall(machine, "bcc.reinstall", bcc_package(machine)))
    else:
        yield _told("BCC's tools", start)


def _told(tool: str, start: Start) -> Finding:
    verb = "start" if tool.endswith("s") else "starts"
    if start.runs:
        return ok(f"{tool} {verb}", evidence=(Evidence(start.command, start.words or "status 0"),))
    return expected(
        f"whether {tool} {verb} was not tried",
        reason=start.words,
        evidence=(Evidence(start.command, start.words),),
    )


def _stops(tool: str, start: Start, remedies: tuple[Remedy, ...]) -> Finding:
    verb = "do" if tool.endswith("s") else "does"
    return fail(
        f"{tool} {verb} not start: {start.words}",
        reason="nothing that it can do otherwise is reached",
        evidence=(Evidence(start.command, start.words),),
        remedies=remedies,
    )


def _another(machine: Machine, path: str) -> tuple[Remedy, ...]:
    """The package again, or the package's program where another one comes before it in PATH."""
    if path not in _PACKAGED:
        for place in _PACKAGED:
            info = machine.system.stat(place)
            if info is not None and info.kind == "file":
                title = f"Remove {path}, or rebuild it: it comes before {place} in PATH"
                return (Remedy("bpftrace.other", title, "manual", needs=("root",)),)
    return reinstall(machine, "bpftrace.reinstall", "bpftrace")
