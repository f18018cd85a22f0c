"""Tracepoints, each looked up by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.model import Evidence, Finding, fail, ok
from kdiag.system import Unavailable
from kdiag.words import Subject

from ..refusals import closed_by
from .configured import by_config

_GROUPS = (
    (
        "tracing.syscalls",
        "syscalls",
        "sys_enter_openat",
        Subject("syscall tracepoints", plural=True),
        "FTRACE_SYSCALLS",
    ),
    (
        "tracing.sock",
        "sock",
        "inet_sock_set_state",
        Subject("the tracepoint sock:inet_sock_set_state"),
        "INET",
    ),
    (
        "tracing.sched",
        "sched",
        "sched_process_fork",
        Subject("the tracepoint sched:sched_process_fork"),
        "TRACING",
    ),
)


@check("tracing.events", "Tracepoints of a first session", ids=tuple(g[0] for g in _GROUPS))
def events(machine: Machine) -> Iterator[Finding]:
    """Whether this kernel has the tracepoints that the first exercises use: each is looked up in tracefs by
    name.

    See it yourself: `ls /sys/kernel/tracing/events/syscalls/sys_enter_openat`.
    """
    for finding_id, group, name, what, option in _GROUPS:
        title = f"{group}:{name}"
        if machine.tracing.root is None:
            found = by_config(machine, what, option, "tracefs is not mounted")
        else:
            found = _event(machine, group, name, what, option)
        yield replace(found, id=finding_id, title=title)


def _event(machine: Machine, group: str, name: str, what: Subject, option: str) -> Finding:
    path = f"{machine.tracing.root}/events/{group}/{name}"
    try:
        number = machine.tracing.event(group, name)
    except Unavailable as gap:
        if machine.privileges.may_look:
            return fail(
                f"the id of {what} cannot be read",
                reason=gap.reason,
                causes=closed_by(machine, gap),
            )
        return by_config(machine, what, option, gap.reason)
    if number is not None:
        return ok(
            f"{what} {what.verb('is', 'are')} there",
            evidence=(Evidence(f"{path}/id", str(number)),),
        )
    if not machine.tracing.has_events:
        return fail(
            f"{what} cannot be seen: tracefs is empty",
            reason="lockdown=confidentiality empties it",
            causes=("kernel.lockdown",),
        )
    return fail(
        f"this kernel does not have {what}",
        evidence=(Evidence(path, "absent"),),
        causes=(f"config.{option}",),
    )
