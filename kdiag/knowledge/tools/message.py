"""A known message as a value."""

from __future__ import annotations

from typing import Literal, NamedTuple

from kdiag.knowledge.tools.behaviour import Version

Weight = Literal["stop", "cause", "consequence", "harmless"]
"""stop: the tool refused to go on and says why; cause: names what is missing; consequence: follows from
something else, often printed above it; harmless: printed by runs that work."""


#: What can make the kernel refuse bpf(2), likeliest first.
BPF_REFUSED = (
    "bpf.map",
    "privileges.capabilities",
    "privileges.root",
    "privileges.userns",
    "privileges.seccomp",
    "privileges.lsm",
    "kernel.lockdown",
    "privileges.memlock",
)
#: What can make it refuse perf_event_open(2).
PERF_REFUSED = (
    "perf.events",
    "perf.output",
    "privileges.seccomp",
    "privileges.capabilities",
    "privileges.root",
    "privileges.userns",
    "sysctl.kernel.perf_event_paranoid",
    "privileges.lsm",
    "kernel.lockdown",
)


class Message(NamedTuple):
    """A known message. `pattern` is searched in one line; its named groups become the details of a match.

    `findings` are ids of findings that can explain it, likeliest first (empty: it lies in the script or the
    tool). `since` and `until` (inclusive) bound the bpftrace releases that print it; None is unbounded, or
    another program's message. `example` is a line as it was printed, or as the source words it. `misleads` is what
    readers conclude from it wrongly, with the reason. Where all of `harmless_if` are ok, it says nothing about failure.
    """

    id: str
    pattern: str
    weight: Weight
    findings: tuple[str, ...]
    meaning: str
    since: Version | None = None
    until: Version | None = None
    example: str = ""
    misleads: str = ""
    harmless_if: tuple[str, ...] = ()
