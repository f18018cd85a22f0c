"""The answer of the kernel's configuration where tracefs cannot be looked into."""

from __future__ import annotations

from kdiag.machine import Machine
from kdiag.model import Evidence, Finding, expect, expected, fail, unknown
from kdiag.system import Unavailable
from kdiag.words import Subject


def by_config(machine: Machine, what: Subject, option: str, why: str) -> Finding:
    """The answer where tracefs cannot be looked into: the running kernel's configuration, named as such."""
    root_adds = "a look into tracefs answers"
    try:
        value, path = machine.config.value(option), machine.config.found.path
    except Unavailable as gap:
        return unknown(
            f"{what} cannot be seen",
            reason=f"{why}; {gap.reason}",
            causes=("tracing.tracefs", "privileges.root"),
            with_root=root_adds,
        )
    if value == "y":
        return expected(
            f"{what} cannot be seen; the kernel's configuration has {what.verb('it', 'them')}",
            reason=why,
            evidence=(Evidence("tracefs", why), expect(path, f"CONFIG_{option}=y")),
            causes=("tracing.tracefs", "privileges.root"),
            with_root=root_adds,
        )
    return fail(
        f"CONFIG_{option} is off: this kernel does not have {what}",
        evidence=(Evidence("tracefs", why), Evidence(path, f"CONFIG_{option}={value or 'absent'}")),
        causes=(f"config.{option}",),
        with_root=root_adds,
    )
