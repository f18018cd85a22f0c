"""The plan for tracefs and debugfs: mount what the kernel has and is not mounted, where that is possible and
something needs it.
"""

from __future__ import annotations

from dataclasses import replace

from kdiag.fix.effects import MOUNT_POINTS, Mounted
from kdiag.fix.plan.subject import Subject
from kdiag.fix.plan.values import Part, Step, sentence
from kdiag.model import Finding, Status
from kdiag.system import Unavailable

_WHAT = (("tracing.tracefs", "tracefs"), ("tracing.own-path", "tracefs"), ("tracing.debugfs", "debugfs"))
_WHAT_IT_HOLDS_UP = {
    "tracefs": ("tracing.tracefs", "tracing.own-path"),
    "debugfs": (
        "tracing.debugfs",
        "tracing.debug-path",
        "tracing.tracefs",
        "tracing.bcc-path",
        "tracing.libbpf-path",
        "tools.bcc-lists",
    ),
}


def plan_mounts(subject: Subject) -> Part:
    """Steps for what is not mounted and stands in the way of something; a note where it cannot be mounted
    from here.
    """
    steps: list[Step] = []
    notes: list[str] = []
    for_root = False
    for finding_id, fstype in _WHAT:
        finding = subject.finding(finding_id)
        if finding is None or finding.status in (Status.OK, Status.SKIP, Status.UNKNOWN):
            continue
        helps = subject.titles(*_WHAT_IT_HOLDS_UP[fstype])
        if not helps or (fstype == "debugfs" and not _needs_debugfs(subject)):
            continue
        obstacle = _obstacle(subject, finding, fstype)
        if obstacle:
            notes.append(obstacle)
            continue
        if not subject.root:
            notes.append(subject.as_root(f"{_said(finding)}; mounting it", "sudo kdiag fix"))
            for_root = True
            continue
        where = MOUNT_POINTS[fstype]
        steps.append(
            Step(
                f"{fstype}.mount",
                f"Mount {fstype}",
                changes=(f"mounts {fstype} at {where}, until {_end(subject)}",),
                needs=("root",),
                undo="unmounts it",
                helps=helps,
                effect=Mounted(fstype, where),
            )
        )
    return Part(tuple(steps), tuple(notes), for_root=for_root)


def _needs_debugfs(subject: Subject) -> bool:
    """Whether a tool looks for tracefs only below it, or BCC for the functions that it must not probe."""
    lists = subject.finding("tools.bcc-lists")
    mounts = lists is not None and any(remedy.id == "debugfs.mount" for remedy in lists.remedies)
    return mounts or bool(subject.machine.tracing.old_users)


def _end(subject: Subject) -> str:
    """How long a mount lasts: in a container as long as its mount namespace."""
    place = subject.machine.environment.container
    return "the next boot" if place is None else "this container ends"


def _said(finding: Finding) -> str:
    """What it says, to go on after."""
    return sentence(replace(finding, reason="")).rstrip(".")


def _obstacle(subject: Subject, finding: Finding, fstype: str) -> str:
    """Why it cannot be mounted by us, and what would help; empty if it can."""
    machine = subject.machine
    summary = _said(finding)
    if not any(remedy.id == f"{fstype}.mount" for remedy in finding.remedies):
        elsewhere = next((r for r in finding.remedies if r.commands), None)
        if elsewhere is not None:
            return f"{sentence(finding)} {elsewhere.title} ({elsewhere.run_on}): {elsewhere.commands[0]}"
        if reason := machine.confinement.no_mount:
            return f"{summary}: {reason}; mount it on the host and pass it in"
        return sentence(finding)
    where = MOUNT_POINTS[fstype]
    try:
        there = machine.system.stat(where)
    except Unavailable as gap:
        return f"{summary}, and whether it can be mounted is not known: {gap.reason}"
    if there is None:
        return f"{summary}, and {where} is not there to mount it on: mount sysfs at /sys first"
    return ""
