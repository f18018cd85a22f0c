"""bpftool: whether it is there, and what its commands ask of who calls them."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.knowledge.tools.bpftool_rights import FEATURE
from kdiag.machine import Machine
from kdiag.model import Evidence, Finding, Remedy, expected, fail, ok, skip, unknown, warn
from kdiag.remedies.container import run_with
from kdiag.remedies.packages import bpftool_package, install
from kdiag.words import listed


@check("tools.bpftool", "bpftool")
def bpftool(machine: Machine) -> Iterator[Finding]:
    """bpftool is not needed for tracing, but shows BTF and features. Ubuntu's is a wrapper that wants
    linux-tools of the running kernel.
    """
    tool, start = machine.tools.bpftool, machine.tools.bpftool_start
    if tool is None:
        yield fail(
            "bpftool is not installed",
            evidence=(Evidence("PATH", "no bpftool"),),
            remedies=install(machine, "bpftool.install", bpftool_package(machine)),
        )
    elif tool.problem and start is not None and start.runs is None and not start.hung:
        yield expected(
            "bpftool is installed; whether it runs was not tried",
            reason=tool.problem,
            evidence=(Evidence(tool.path, tool.problem),),
        )
    elif tool.problem:
        yield warn(
            "bpftool does not run here",
            reason=tool.problem,
            evidence=(Evidence(tool.path, tool.problem),),
            causes=("tools.bpftool-start",),
        )
    else:
        yield ok(
            tool.printed, evidence=(Evidence(tool.path, tool.printed), Evidence("installed as", tool.origin))
        )


@check("tools.bpftool-feature", "What bpftool feature probe asks for")
def feature(machine: Machine) -> Iterator[Finding]:
    """`bpftool feature probe` looks at its own capabilities before it probes anything, and ends where one of four is
    missing: CAP_SYS_ADMIN, CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON (on kernels before 5.8, CAP_SYS_ADMIN alone). No other
    command of bpftool asks for CAP_NET_ADMIN first, which containers do not have. A bpftool that was built without
    libcap asks for root instead. See it yourself: `grep CapEff /proc/self/status`, `bpftool feature probe`.
    """
    if machine.tools.bpftool_path is None:
        yield skip("bpftool is not installed")
        return
    libcap, divided = machine.tools.bpftool_libcap, machine.privileges.knows("CAP_BPF")
    asked = FEATURE.capabilities if divided else FEATURE.capabilities[:1]
    missing = [name for name in asked if not machine.privileges.has(name)]
    evidence = (
        Evidence(
            "/proc/self/status CapEff", f"lacks {listed(missing)}" if missing else f"has {listed(asked)}"
        ),
        Evidence(machine.tools.bpftool_path, _built(libcap)),
    )
    if libcap is False:
        yield _for_root_only(machine, evidence)
    elif not missing:
        yield ok("bpftool feature probe has the capabilities that it asks for", evidence=evidence)
    elif libcap is None and machine.privileges.is_root:
        yield unknown(
            f"{listed(missing)} {_is(missing)} missing, which bpftool feature probe may ask for",
            reason="a bpftool that was built with libcap asks for all four, one without it for root",
            evidence=evidence,
            causes=("privileges.capabilities",),
            remedies=_remedies(machine),
        )
    else:
        yield fail(
            f"{listed(missing)} {_is(missing)} missing, which bpftool feature probe asks for",
            reason="it looks at its capabilities before it tries anything, and ends",
            evidence=evidence,
            causes=("privileges.capabilities",),
            remedies=_remedies(machine),
        )


def _built(libcap: bool | None) -> str:
    if libcap is None:
        return "whether it uses libcap is not known"
    return "uses libcap" if libcap else "built without libcap"


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _for_root_only(machine: Machine, evidence: tuple[Evidence, ...]) -> Finding:
    if machine.privileges.is_root:
        return ok("bpftool feature probe asks for root, which this is", evidence=evidence)
    return fail(
        "this user is not root, which this bpftool asks for",
        reason="it was built without libcap, and cannot look at capabilities",
        evidence=evidence,
        causes=("privileges.root",),
    )


def _remedies(machine: Machine) -> tuple[Remedy, ...]:
    """More for the container; what needs no right at all, for who cannot have it."""
    title = "Ask what an ordinary user may do, for which it gives its capabilities up"
    return (
        *run_with(machine, "features"),
        Remedy("bpftool.unprivileged", title, "manual", ("bpftool feature probe unprivileged",)),
    )
