"""Dynamic kprobe events that other programs left behind."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.model import Evidence, Finding, Remedy, WrongRemedy, ok, skip, unknown, warn
from kdiag.system import Unavailable


@check("tracing.kprobe-leftovers", "Dynamic kprobe events of others")
def leftovers(machine: Machine) -> Iterator[Finding]:
    """Events in kprobe_events that an earlier program left behind: they make `echo > kprobe_events` fail
    with EBUSY.

    Remove them with `-:NAME` appended, never by truncating the file: other programs may own some.
    """
    if machine.tracing.root is None:
        yield skip("tracefs is not mounted, so there are none to see", causes=("tracing.tracefs",))
        return
    try:
        events = machine.tracing.kprobe_events
    except Unavailable as gap:
        yield unknown(
            "dynamic kprobe events cannot be seen",
            reason=gap.reason,
            causes=("privileges.root",),
            with_root="the list of events is shown",
        )
        return
    if not events:
        path = f"{machine.tracing.root}/kprobe_events"
        yield ok("no leftover events", evidence=(Evidence(path, "absent" if events is None else "empty"),))
        return
    yield warn(
        f"{len(events)} dynamic kprobe events are defined",
        reason="left by an earlier program or in use by another",
        evidence=tuple(Evidence(f"{machine.tracing.root}/kprobe_events", line[:200]) for line in events[:20]),
        remedies=_remove(machine.tracing.root, events[0]),
        wrong_remedies=(
            WrongRemedy("echo > kprobe_events", "it truncates the events of all users, and fails with EBUSY"),
        ),
    )


def _remove(root: str, line: str) -> tuple[Remedy, ...]:
    """How to take one leftover event away (Documentation/trace/kprobetrace.rst: `-:GROUP/EVENT`, appended)."""
    name = line.split(" ", 1)[0].partition(":")[2]
    if not name or not all(c.isalnum() or c in "_/" for c in name):
        return ()
    commands = (
        f"echo 0 | sudo tee {root}/events/{name}/enable",
        f"echo '-:{name}' | sudo tee -a {root}/kprobe_events",
    )
    return (
        Remedy(
            "kprobes.remove",
            f"Remove {name}, if no running program owns it",
            "unsafe",
            commands,
            needs=("root",),
        ),
    )
