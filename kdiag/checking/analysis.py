"""From a machine to a report: run the checks, judge the capabilities, give the verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from kdiag import __version__
from kdiag.capabilities.judging import ABOUT_THE_USER, blocked, evaluate, release_needed, repairs_of
from kdiag.capabilities.repair import explained
from kdiag.capabilities.settings import beyond, needed
from kdiag.capabilities.tools import about
from kdiag.capabilities.tools import required as required_of
from kdiag.capabilities.verdict import judge
from kdiag.checking.runner import run
from kdiag.checking.sides import sided
from kdiag.knowledge.tools.bpftrace import behaviour
from kdiag.knowledge.tools.bpftrace_history import NEWEST_READ, ROWS
from kdiag.model import MachineInfo, Report, Status
from kdiag.remedies import container
from kdiag.remedies.packages import newer_bpftrace
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.checking.registry import Registered, Registry
    from kdiag.knowledge.tools.behaviour import Behaviour, Version
    from kdiag.machine import Machine
    from kdiag.model import Finding

ENGINES = container.ENGINES


def analyse(
    machine: Machine,
    registry: Registry,
    chosen: Sequence[Registered],
    required: Sequence[str] = (),
    tools: Sequence[str] = (),
) -> Report:
    """The whole answer about one machine. `chosen` are the checks to run, `required` ids of capabilities, `tools` names
    of tools; without the last two, those of the installed tools (kdiag.capabilities.tools).
    """
    with suppress(Unavailable):
        machine.tools.start()
    behaviours, elsewhere = behaviours_of(machine), root_is_elsewhere(machine)
    findings = sided(machine, run(machine, registry, chosen))
    told = about(tools, {finding.id: finding for finding in findings})
    required = required or required_of(tools, told)
    findings = _started_so(machine, findings, behaviours, required)
    selected = tuple(chosen) != tuple(registry.checks)
    findings, newer = _too_old(machine, findings, behaviours, required)
    capabilities = evaluate(findings, behaviours, as_root_matters=elsewhere, selected=selected)
    steps = repairs_of(
        capabilities,
        findings,
        behaviours,
        required,
        as_root_matters=elsewhere,
        selected=selected,
        newer=newer,
    )
    return Report(
        kdiag=__version__,
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        machine=describe(machine),
        findings=findings,
        capabilities=capabilities,
        required=tuple(required),
        verdict=judge(capabilities, findings, required, steps),
        blocks=blocked(capabilities, findings),
        tools=told,
        repairs=steps,
    )


def forecast(machine: Machine, report: Report, repaired: Collection[str]) -> Report:
    """The report once these findings are repaired, and what they cause with them: judged as a check judges, so that a
    plan of repairs and the next step of a check come from one place.
    """
    by_id = {finding.id: finding for finding in report.findings}
    fine = explained([i for i in repaired if i in by_id], by_id) - ABOUT_THE_USER
    findings = tuple(
        replace(f, status=Status.OK, remedies=()) if f.id in fine and f.status is not Status.SKIP else f
        for f in report.findings
    )
    behaviours, elsewhere = behaviours_of(machine), root_is_elsewhere(machine)
    capabilities = evaluate(findings, behaviours, as_root_matters=elsewhere)
    steps = repairs_of(capabilities, findings, behaviours, report.required, as_root_matters=elsewhere)
    return replace(
        report,
        findings=findings,
        capabilities=capabilities,
        verdict=judge(capabilities, findings, report.required, steps),
        blocks=blocked(capabilities, findings),
        repairs=steps,
    )


def _too_old(
    machine: Machine, findings: tuple[Finding, ...], behaviours: Sequence[Behaviour], required: Sequence[str]
) -> tuple[tuple[Finding, ...], Behaviour | None]:
    """The findings; where a newer bpftrace does what is required and the installed one cannot, that of bpftrace with
    the way to it, and how the newer one behaves. The check of bpftrace does not know what is required.
    """
    mine = next((f for f in findings if f.id == "tools.bpftrace" and f.status is Status.OK), None)
    tool = machine.tools.bpftrace if mine is not None else None
    have = tool.version if tool is not None else None
    if mine is None or have is None or len(behaviours) != 1:
        return findings, None
    later = [behaviour(row.since) for row in ROWS if row.since > have]
    found = release_needed(findings, behaviours[0], later, required)
    if found is None:
        return findings, None
    newer, titles = found
    more = f" and {len(titles) - 1} more" if len(titles) > 1 else ""
    told = replace(
        mine,
        status=Status.WARN,
        summary=f"bpftrace {'.'.join(map(str, have))} is too old for {titles[0]}{more}: "
        f"{'.'.join(map(str, newer.since))} or newer is required",
        remedies=(newer_bpftrace(machine, newer.since),),
    )
    return tuple(told if f is mine else f for f in findings), newer


def _started_so(
    machine: Machine, findings: tuple[Finding, ...], behaviours: Sequence[Behaviour], required: Sequence[str]
) -> tuple[Finding, ...]:
    """The findings; where a container is to be started anew, with what these capabilities need and no more.

    A check does not know what is required.
    """
    if not any(remedy.id == container.RUN for finding in findings for remedy in finding.remedies):
        return findings
    hopeless = beyond(findings, behaviours, required)
    again = () if hopeless else container.run(machine, needed(findings, behaviours, required))

    def with_it(finding: Finding) -> Finding:
        kept = (r for r in finding.remedies if r.id != container.RUN_OLDER)
        others = tuple(one for r in kept for one in (again if r.id == container.RUN else (r,)))
        return replace(finding, remedies=others) if others != finding.remedies else finding

    return tuple(map(with_it, findings))


def run_line(machine: Machine, report: Report, engine: str) -> str:
    """How this engine (one of `ENGINES`) starts a container in which what the report requires works. Raises
    Unavailable where it works in none.
    """
    behaviours = behaviours_of(machine)
    why = beyond(report.findings, behaviours, report.required)
    if why:
        raise Unavailable(f"no container can do what is required on this kernel: {why}")
    return container.printed(machine, engine, needed(report.findings, behaviours, report.required))


def behaviours_of(machine: Machine) -> list[Behaviour]:
    """The one behaviour of the installed release; of the release that would be installed where there is
    none; every one's where a bpftrace is there and does not say, the newest's where it does not start.
    """
    try:
        known = machine.tools.behaviour
        start = machine.tools.bpftrace_start
        installed = start is not None
    except Unavailable:
        known, start, installed = None, None, True
    if known is not None:
        return [known]
    if not installed:
        return [behaviour(machine.tools.packaged_bpftrace or _newest_for(machine))]
    if start is not None and start.runs is False:
        # Whatever release it is: the reason is that it does not start, and not what an old one could not do.
        return [behaviour(NEWEST_READ)]
    # No supported distribution ships releases older than Debian 11's.
    return [behaviour(row.since) for row in ROWS if row.since >= (0, 11, 0)]


def _newest_for(machine: Machine) -> Version:
    """The newest release that does not ask for what the kernel is too old for: programs run on demand, by which BEGIN
    runs since 0.22, came with 5.10, ring buffers with 5.8.
    """
    try:
        kernel = machine.kernel.version_numbers
    except Unavailable:
        return NEWEST_READ
    fitting = (
        row.since
        for row in reversed(ROWS)
        if (kernel >= (5, 10, 0) or row.begin_program != "raw-tracepoint")
        and (kernel >= (5, 8, 0) or row.output != "ring-buffer")
    )
    return NEWEST_READ if kernel >= (5, 10, 0) else next(fitting, NEWEST_READ)


def root_is_elsewhere(machine: Machine) -> bool:
    """Whether the caller could become the machine's root, so that the answer for root is another one."""
    try:
        return not machine.privileges.is_root and machine.privileges.initial_user_namespace
    except Unavailable:
        return False


def describe(machine: Machine) -> MachineInfo:
    """The first line of the report as a value; what cannot be known stays empty."""
    kernel, place = machine.kernel, machine.environment
    questions: dict[str, Callable[[], str]] = {
        "release": lambda: kernel.release,
        "version": lambda: kernel.uname.version,
        "arch": lambda: kernel.arch,
        "kernel": lambda: kernel.identity.name if kernel.identity else "",
        "distribution": lambda: _distribution(machine),
        "container": lambda: place.container.name if place.container else "no container",
        "vm": lambda: place.vm.name if place.vm else "",
        "bpftrace": lambda: _tool(machine),
        "host": lambda: machine.host.place,
        "user": lambda: "root" if machine.privileges.is_root else f"uid {machine.system.identity().euid}",
    }
    values: dict[str, str] = {}
    for name, ask in questions.items():
        try:
            values[name] = ask()
        except Unavailable:
            values[name] = ""
    return MachineInfo(**values, root=machine.system.root)


def _distribution(machine: Machine) -> str:
    system = machine.kernel.os_release
    return (system.pretty_name or system.name or system.id or "") if system is not None else ""


def _tool(machine: Machine) -> str:
    tool = machine.tools.bpftrace
    if tool is None:
        return "not installed"
    return ".".join(map(str, tool.version)) if tool.version else "version unknown"
