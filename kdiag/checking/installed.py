"""What a kernel that is installed and not running will be like: what its files show, and what they let expect.

Three things are told apart. What its files show (its BTF, its configuration, its modules, its headers) is found. What
its configuration rules out fails. What only a running kernel can tell is unknown, and is expected to be fine where the
configuration has it, or where it is so on the running kernel of this machine: it is never called more than expected.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from kdiag.capabilities.expression import EXPECTED_TO_WORK
from kdiag.capabilities.judging import blocked, evaluate, repairs_of
from kdiag.capabilities.verdict import judge, required_ones
from kdiag.checking.analysis import analyse, behaviours_of
from kdiag.knowledge.options import INDISPENSABLE
from kdiag.model import Evidence, Readiness, Status, Verdict, Works, expect, unknown
from kdiag.system import Unavailable
from kdiag.system.installed import BTF_FILE, Installed

if TYPE_CHECKING:
    from kdiag.checking.registry import Registered, Registry
    from kdiag.machine import Machine
    from kdiag.model import Capability, Finding, Report

_FINE = (Status.OK, Status.WARN, Status.SKIP)
_THERE = (Works.WORKS, Works.CAVEAT)
_OFF = (Status.FAIL, Status.WARN)


class Loss(NamedTuple):
    """A capability that the running kernel has. lost: the other one has it not; else it cannot be told."""

    capability: Capability
    required: bool
    lost: bool


def analyse_installed(  # noqa: PLR0913, PLR0917  as `analyse`
    machine: Machine,
    system: Installed,
    registry: Registry,
    chosen: Sequence[Registered],
    required: Sequence[str] = (),
    tools: Sequence[str] = (),
    now: Report | None = None,
) -> Report:
    """The report on an installed kernel. now: that on the running one of the same machine, None for another root."""
    report = analyse(machine, registry, chosen, required, tools)
    running = {} if now is None else {finding.id: finding for finding in now.findings}
    release = "" if now is None else now.machine.release
    findings = _predicted(report.findings, system, running, release)
    behaviours, selected = behaviours_of(machine), tuple(chosen) != tuple(registry.checks)
    sure = evaluate(findings, behaviours, as_root_matters=False, selected=selected)
    hoped = evaluate(_hoped(findings), behaviours, as_root_matters=False, selected=selected)
    capabilities = tuple(map(_expected, sure, hoped)) if len(sure) == len(hoped) else sure
    steps = repairs_of(
        capabilities, findings, behaviours, report.required, as_root_matters=False, selected=selected
    )
    verdict = judge(capabilities, findings, report.required, steps)
    wanted = [c for c in capabilities if c.id in report.required]
    if verdict.status is Readiness.UNKNOWN and wanted and all(map(_is_expected, wanted)):
        verdict = _after_boot(len(wanted), system.release)
    open_ones = [c for c in capabilities if not _is_expected(c)]
    return replace(
        report,
        findings=findings,
        capabilities=capabilities,
        verdict=verdict,
        blocks=blocked(open_ones, findings),
        repairs=steps,
    )


def losses(now: Report, then: Report) -> tuple[Loss, ...]:
    """What works on the running kernel and not, or not for certain, on the installed one; what is required first."""
    before = {c.id: c.status for c in now.capabilities}
    found = (
        Loss(c, c.id in then.required, c.status is Works.FAILS)
        for c in then.capabilities
        if before.get(c.id) in _THERE and c.status not in _THERE and not _is_expected(c)
    )
    return tuple(sorted(found, key=lambda loss: (not loss.lost, not loss.required)))


def _is_expected(capability: Capability) -> bool:
    return capability.status in _THERE or capability.because.startswith(EXPECTED_TO_WORK.strip(": "))


def _expected(sure: Capability, hoped: Capability) -> Capability:
    """The capability as it is known; where nothing is against it, with that instead of what could not be looked at."""
    if sure.status is not Works.UNKNOWN or hoped.status not in _THERE:
        return sure
    limit = f": {hoped.because}" if hoped.status is Works.CAVEAT and hoped.because else ""
    return sure._replace(because=f"expected to work{limit}")


def _after_boot(number: int, release: str) -> Verdict:
    what = required_ones(number, "is", "are")
    return Verdict(
        Readiness.UNKNOWN,
        f"{what} expected to work on {release}: nothing in its files is against it, and only its boot proves it",
        "kdiag check",
        "this machine once that kernel runs",
    )


def _hoped(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(replace(f, status=Status.OK) if _may_hope(f) else f for f in findings)


def _may_hope(finding: Finding) -> bool:
    return finding.status is Status.UNKNOWN and finding.likely is Status.OK


def _predicted(
    findings: Sequence[Finding], system: Installed, running: Mapping[str, Finding], release: str
) -> tuple[Finding, ...]:
    by_id = {finding.id: finding for finding in findings}
    findings = (*findings, *_not_reached(by_id, system, running))

    def one(finding: Finding) -> Finding:
        found = _not_refuted(_sourced(finding, system), system)
        if found.status is not Status.UNKNOWN or found.id.startswith("config."):
            return found
        ids = [f"config.{name}" for name in INDISPENSABLE.get(found.id, ())]
        mine = [by_id[config] for config in ids if config in by_id]
        before = tuple(running[c.id] for c in mine if c.id in running)
        return _by_config(found, mine) or _by_running(found, mine, before, running.get(found.id), release)

    return tuple(sorted(map(one, findings), key=lambda finding: finding.id))


def _not_reached(
    by_id: Mapping[str, Finding], system: Installed, running: Mapping[str, Finding]
) -> Iterator[Finding]:
    """What the checks of the running kernel found and these did not come to, as they had nothing to look at."""
    ids = dict.fromkeys((*running, *INDISPENSABLE))
    for finding_id in ids:
        if finding_id in by_id or "@" in finding_id or finding_id.startswith("plugin."):
            continue
        title = running[finding_id].title if finding_id in running else finding_id
        yield unknown(system.gap.reason, id=finding_id, title=title)


def _not_refuted(finding: Finding, system: Installed) -> Finding:
    """A file of a running kernel that a tool cannot open makes it fail there; here it could not be looked at."""
    seen = (finding.reason, *(item.observed for item in finding.evidence))
    if finding.status is Status.FAIL and any(system.gap.reason in text for text in seen):
        return replace(finding, status=Status.UNKNOWN, summary=system.gap.reason, reason="", remedies=())
    return finding


def _by_config(finding: Finding, mine: Sequence[Finding]) -> Finding | None:
    """The finding that the configuration decides against."""
    off = [c for c in mine if c.status in _OFF and not _is_on(c)]
    if not off:
        return None
    return replace(
        finding,
        status=Status.FAIL,
        summary=off[0].summary,
        reason="",
        evidence=off[0].evidence,
        causes=tuple(c.id for c in off),
        remedies=(),
        likely=None,
    )


def _is_on(config: Finding) -> bool:
    """Compiled in: what is a module may be loaded or not."""
    return any(item.observed.endswith("=y") for item in config.evidence)


def _by_running(
    finding: Finding, mine: Sequence[Finding], before: Sequence[Finding], now: Finding | None, release: str
) -> Finding:
    """The finding with what is expected of it, and why. before: what `mine` are on the running kernel."""
    configured = bool(mine) and all(map(_is_on, mine))
    # What fails now for an option that is off now says nothing about a kernel that has the option.
    other = now is None or any(c.status in _OFF for c in before)
    if now is not None and (now.status in _FINE or _may_hope(now)):
        said = expect(f"{finding.id} on the running kernel {release}", now.summary)
    elif configured and other:
        said = expect(mine[-1].evidence[0].source, mine[-1].summary)
    else:
        return finding
    return replace(finding, evidence=(*finding.evidence, said), likely=Status.OK)


def _sourced(finding: Finding, system: Installed) -> Finding:
    """The finding with the image in the place of the file that its BTF will be."""
    if not any(item.source.startswith(BTF_FILE) for item in finding.evidence):
        return finding
    try:
        image = system.btf()[0]
    except Unavailable:
        return finding

    def moved(item: Evidence) -> Evidence:
        return item._replace(source=f"BTF in {image}") if item.source.startswith(BTF_FILE) else item

    return replace(finding, evidence=tuple(map(moved, finding.evidence)))
