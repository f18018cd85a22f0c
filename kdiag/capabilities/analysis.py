"""From a system to a report: run the checks, judge the capabilities, say the verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from kdiag import __version__
from kdiag.capabilities.definitions import DEFAULT_REQUIRED, blocked, evaluate
from kdiag.checking.runner import run
from kdiag.model import Capability, Finding, MachineInfo, Readiness, Report, Status, Verdict, Works
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.checking.registry import Found, Registry
    from kdiag.knowledge.behaviour import Behaviour
    from kdiag.machine import Machine


#: Longer chains of causes than this are nobody's.
_DEEPEST = 50


def analyse(
    machine: Machine, registry: Registry, chosen: Sequence[Found], required: Sequence[str] = DEFAULT_REQUIRED
) -> Report:
    """The whole answer about one machine. `chosen` are the checks to run, `required` ids of capabilities."""
    with suppress(Unavailable):
        machine.tools.start()
    findings = run(machine, registry, chosen)
    capabilities = evaluate(findings, _behaviours(machine), as_root_matters=_root_is_elsewhere(machine))
    blocks = blocked(capabilities, findings)
    return Report(
        kdiag=__version__,
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        machine=describe(machine),
        findings=findings,
        capabilities=capabilities,
        required=tuple(required),
        verdict=judge(capabilities, findings, required, blocks),
        blocks=blocks,
    )


def _behaviours(machine: Machine) -> list[Behaviour]:
    """The one behaviour of the installed release; of the release that would be installed where there is
    none; every one's where a bpftrace is there and does not tell.
    """
    from kdiag.knowledge.bpftrace import behaviour
    from kdiag.knowledge.bpftrace_history import NEWEST_READ, ROWS

    try:
        known = machine.tools.behaviour
        installed = machine.tools.bpftrace is not None
    except Unavailable:
        known, installed = None, True
    if known is not None:
        return [known]
    if not installed:
        return [behaviour(machine.tools.packaged_bpftrace or NEWEST_READ)]
    # Nobody ships releases older than Debian 11's any more.
    return [behaviour(row.since) for row in ROWS if row.since >= (0, 11, 0)]


def _root_is_elsewhere(machine: Machine) -> bool:
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


def judge(
    capabilities: Sequence[Capability],
    findings: Sequence[Finding],
    required: Sequence[str],
    blocks: dict[str, tuple[str, ...]],
) -> Verdict:
    """Ready if every required capability works, perhaps with a caveat; cannot tell if none fails and one is
    unknown.
    """
    wanted = [capability for capability in capabilities if capability.id in required]
    broken = [c for c in wanted if c.status is Works.FAILS]
    unsure = [c for c in wanted if c.status is Works.UNKNOWN]
    if broken:
        reasons = list(dict.fromkeys(c.because for c in broken))
        others = len(reasons) - 1
        more = "" if others == 0 else f"; and {others} other reason{'s' if others > 1 else ''}"
        if len(broken) == len(wanted):
            what = (
                "the required thing does not work"
                if len(wanted) == 1
                else f"none of the {len(wanted)} required things works"
            )
        else:
            what = f"{len(broken)} of the {len(wanted)} required things {'does' if len(broken) == 1 else 'do'} not work"
        text = f"{what}: {reasons[0]}{more}"
        return Verdict(
            Readiness.NOT_READY, text, _next(findings, [i for c in broken for i in c.findings], blocks)
        )
    if unsure:
        return Verdict(
            Readiness.UNKNOWN,
            f"{unsure[0].title}: {unsure[0].because}",
            _next(findings, [i for c in unsure for i in c.findings], blocks),
        )
    limits = [c for c in capabilities if c.status is not Works.WORKS and c.id not in required]
    rest = (
        f"; of the rest, {len(limits)} cannot or can only partly be done here"
        if limits
        else ", and so does all the rest"
    )
    what = "the required thing works" if len(wanted) == 1 else f"all {len(wanted)} required things work"
    return Verdict(Readiness.READY, f"{what}{rest}", "kdiag smoke")


def _next(findings: Sequence[Finding], decisive: Sequence[str], blocks: dict[str, tuple[str, ...]]) -> str:
    """The first command among the remedies of what decided, causes before symptoms."""
    by_id = {finding.id: finding for finding in findings}
    seen: dict[str, None] = {}
    for finding_id in decisive:
        _causes_first(finding_id, by_id, seen, ())
    for wanted in (Status.FAIL, Status.UNKNOWN, Status.WARN):
        for finding_id in seen:
            finding = by_id[finding_id]
            if finding.status is wanted and (finding_id in blocks or wanted is Status.FAIL):
                for remedy in finding.remedies:
                    if remedy.commands:
                        return " && ".join(remedy.commands)
    return "kdiag check --verbose"


def _causes_first(
    finding_id: str, by_id: dict[str, Finding], seen: dict[str, None], above: tuple[str, ...]
) -> None:
    """Add the finding's causes and then itself; a circle of causes (a stranger's check) is cut where it closes."""
    if finding_id in seen or finding_id in above or finding_id not in by_id or len(above) > _DEEPEST:
        return
    for cause in by_id[finding_id].causes:
        _causes_first(cause, by_id, seen, (*above, finding_id))
    seen.setdefault(finding_id)
