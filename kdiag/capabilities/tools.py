"""Which tools a report is about: those that were asked for, else those that are installed, else bpftrace.

A tool that was not asked for is judged as well, so that documents are complete, but it is no row of a report for people
and stands in no one's way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kdiag.capabilities.definitions import DEFAULT_REQUIRED
from kdiag.model import Finding, Status

#: By the name that `--tool` takes, which is Capability.tool in lower case: what has to work if it is asked for.
REQUIRED: dict[str, tuple[str, ...]] = {
    "bpftrace": DEFAULT_REQUIRED,
    "bcc": ("bcc-tools",),
    "libbpf": ("core-tools",),
    "bpftool": ("bpftool",),
}


def about(asked: Sequence[str], findings: Mapping[str, Finding]) -> tuple[str, ...]:
    """The tools of the report. CO-RE tools bring their own library, so no file shows whether there are any."""
    if asked:
        return tuple(name for name in REQUIRED if name in asked)
    bcc, bpftool = (_is_there(findings, f"tools.{name}") for name in ("bcc", "bpftool"))
    bpftrace = not bcc or _is_there(findings, "tools.bpftrace")
    there = {"bpftrace": bpftrace, "bcc": bcc, "libbpf": True, "bpftool": bpftool}
    return tuple(name for name in REQUIRED if there[name])


def required(asked: Sequence[str], tools: Sequence[str]) -> tuple[str, ...]:
    """What has to work: of each tool that was asked for; else of bpftrace, or of BCC where only that is there."""
    chosen = asked or [next((name for name in ("bpftrace", "bcc") if name in tools), "bpftrace")]
    return tuple(dict.fromkeys(id_ for name in REQUIRED if name in chosen for id_ in REQUIRED[name]))


def _is_there(findings: Mapping[str, Finding], finding_id: str) -> bool:
    found = findings.get(finding_id)
    return found is not None and found.status in (Status.OK, Status.WARN, Status.UNKNOWN)
