"""A message held against the findings of a machine: the same words have different causes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kdiag.capabilities.causes import causes_first
from kdiag.capabilities.repair import remedy_of
from kdiag.console import exits
from kdiag.knowledge.tools import errnos
from kdiag.model import Finding, Remedy, Report, Status, Works
from kdiag.why.ages import age, suited
from kdiag.why.narrowing import about, options
from kdiag.why.value import Answer, Explanation, Log, Outcome, Told, Verdict
from kdiag.why.whence import foreign

_WRONG = (Status.FAIL, Status.WARN)
#: Of which a warning says only that it may be in the way: it is a candidate then.
_PERHAPS = ("privileges.seccomp", "privileges.memlock")
_STATUS: Mapping[Verdict, int] = {
    "explained": exits.READY,
    "not-established": exits.NOT_READY,
    "unknown": exits.CANNOT_TELL,
}
#: What a check says of itself where it is not root (its commands: checks/privileges.py); here it is the tool that was
#: not.
_AS_ROOT = "privileges.sudo"
_OF_THE_TOOL = "Run the command that printed this as root: with sudo before it"
_LAST: Mapping[Outcome, int] = {"harmless": 1}
#: Of which nothing on the machine is broken.
_NO_MACHINE: tuple[Outcome, ...] = ("elsewhere", "misfit")


def explained(log: Log, report: Report, place: str = "") -> Explanation:
    """What the log means on the machine of the report."""
    by_id = {finding.id: finding for finding in report.findings}
    tolds = (suited(told, report.machine) for told in log.told)
    absent = _absent(report)
    answers = [judged(told, by_id, absent)._replace(release=age(told, report.machine)) for told in tolds]
    answers.sort(key=lambda one: _LAST.get(one.outcome, 0))  # stable: else as the log has them
    return Explanation(report.machine, tuple(answers), log, place, tuple(foreign(log.origin, report.machine)))


def _absent(report: Report) -> frozenset[str]:
    """Ids of findings that a check skipped because the kernel has no such thing, and that decide by that that a
    capability fails. A message about that very thing has its cause in them.
    """
    skipped = {finding.id for finding in report.findings if finding.status is Status.SKIP}
    firsts = (one.findings[0] for one in report.capabilities if one.status is Works.FAILS and one.findings)
    return frozenset(name for name in firsts if name in skipped)


def judged(told: Told, by_id: Mapping[str, Finding], absent: frozenset[str] = frozenset()) -> Answer:
    """What one message means here. absent: ids of skipped findings that are causes nevertheless."""
    message = told.message
    errno = errnos.answer(message.call, errnos.errno_in(told.text)) if message.call else None
    causes = message.findings if errno is None else about.spared(errno.causes, told.text)
    if message.id == options.ROW:
        causes = (*options.named(told.text, by_id), *causes)
    said = "" if errno is None else errno.meaning
    spoken = about.kinds(told.text)
    listed = [by_id[name] for name in causes if name in by_id and about.fits(name, spoken)]
    perhaps = [f for f in listed if f.id in _PERHAPS and f.status is Status.WARN]
    perhaps += [f for f in listed if errno and about.unsaid(f.id, told.text) and f.status in _WRONG]
    wrong = [f for kind in _WRONG for f in listed if f.status is kind and f not in perhaps]
    wrong += [f for f in listed if f.id in absent]
    open_ = tuple(f for f in listed if f.status is Status.UNKNOWN or f in perhaps)
    fine = tuple(f for f in listed if f.status is Status.OK)
    skipped = tuple(f for f in listed if f.status is Status.SKIP and f.id not in absent)
    if message.weight == "harmless" or _harmless(message.harmless_if, by_id):
        needed = tuple(by_id[name] for name in message.harmless_if if name in by_id)
        return Answer(told, "harmless", next(iter((*wrong, *perhaps)), None), ruled_out=needed)
    if wrong:
        cause = _deepest(wrong[0], causes, by_id)
        chain = tuple(f for f in causes_first((cause,), by_id) if f.id != cause.id and f.status in _WRONG)
        open_ = tuple(f for f in open_ if not _follows(f, cause.id, by_id))
        others = tuple(
            f for f in wrong if f.id != cause.id and not _follows(f, cause.id, by_id) and f not in chain
        )
        remedy = _remedy(cause, chain, by_id)
        return Answer(told, "established", cause, chain, others, open_, fine, skipped, remedy, said)
    in_program = message.else_program if errno is None else errno.else_program
    misfit = message.misfit or (errno is not None and errno.misfit)
    settled = fine and not open_ and not (skipped and not misfit)
    if not causes or ((in_program or misfit) and settled):
        return Answer(told, "misfit" if misfit else "elsewhere", ruled_out=fine, errno=said)
    outcome: Outcome = "none-here" if fine and not open_ and not skipped else "candidates"
    return Answer(told, outcome, candidates=open_, ruled_out=fine, skipped=skipped, errno=said)


def verdict(explanation: Explanation) -> Verdict:
    """How much of what was said is explained."""
    outcomes = [answer.outcome for answer in explanation.answers]
    refusal = explanation.log.refusal
    if not outcomes:
        return "explained" if refusal is not None and refusal.problem else "unknown"
    deciding = [one for one in outcomes if one != "harmless"]
    if "established" in deciding or all(one in _NO_MACHINE for one in deciding):
        return "explained"
    return "not-established"


def status(explanation: Explanation) -> int:
    """The exit status of that."""
    return _STATUS[verdict(explanation)]


def _harmless(needed: Sequence[str], by_id: Mapping[str, Finding]) -> bool:
    return bool(needed) and all(name in by_id and by_id[name].status is Status.OK for name in needed)


def _deepest(finding: Finding, listed: Sequence[str], by_id: Mapping[str, Finding]) -> Finding:
    """What explains the finding, as far as it can cause the message itself."""
    for one in causes_first((finding,), by_id):
        if one.id in listed and one.status in _WRONG:
            return one
    return finding


def _follows(finding: Finding, cause: str, by_id: Mapping[str, Finding]) -> bool:
    return any(one.id == cause for one in causes_first((finding,), by_id))


def _remedy(cause: Finding, chain: Sequence[Finding], by_id: Mapping[str, Finding]) -> Remedy | None:
    found = (remedy_of(one, by_id) for one in (cause, *reversed(chain)))
    remedy = next((remedy for remedy in found if remedy is not None), None)
    if remedy is not None and remedy.id == _AS_ROOT and remedy.commands:
        return remedy._replace(title=_OF_THE_TOOL, kind="manual", commands=())
    return remedy
