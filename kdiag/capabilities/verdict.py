"""The verdict over a check: ready, not ready or unknown, in one sentence, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from kdiag.capabilities.causes import causes_first
from kdiag.model import Capability, Finding, Readiness, Status, Verdict, Works


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
                "the required capability does not work"
                if len(wanted) == 1
                else f"none of the {len(wanted)} required capabilities works"
            )
        else:
            verb = "does" if len(broken) == 1 else "do"
            what = f"{len(broken)} of the {len(wanted)} required capabilities {verb} not work"
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
        f"; of the others, {len(limits)} {'does' if len(limits) == 1 else 'do'} not work, or only in part"
        if limits
        else ", and so do all others"
    )
    what = (
        "the required capability works"
        if len(wanted) == 1
        else f"all {len(wanted)} required capabilities work"
    )
    return Verdict(Readiness.READY, f"{what}{rest}", "kdiag smoke")


def _next(findings: Sequence[Finding], decisive: Sequence[str], blocks: dict[str, tuple[str, ...]]) -> str:
    """The first command among the remedies of what decided, causes before symptoms."""
    by_id = {finding.id: finding for finding in findings}
    ordered = list(causes_first((by_id[i] for i in decisive if i in by_id), by_id))
    for wanted in (Status.FAIL, Status.UNKNOWN, Status.WARN):
        for finding in ordered:
            if finding.status is wanted and (finding.id in blocks or wanted is Status.FAIL):
                for remedy in finding.remedies:
                    if remedy.commands:
                        return " && ".join(remedy.commands)
    return "kdiag check --verbose"
