"""RLIMIT_MEMLOCK counts before 5.11, also for a user who is not root and holds what tracing asks for. Seen on Linux
5.10 with 64 kB: programs with one small map load, a ring buffer of 64 kB is refused with EPERM.
"""

from __future__ import annotations

import pytest

from kdiag.model import Report, Status, Works
from tests.support import machines
from tests.support.reports import finding_of, report_on

TRACER = machines.mask("CAP_BPF", "CAP_PERFMON", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH")


def asked(release: str, effective: int, limit: int = 64 * 1024) -> Report:
    described = machines.user(machines.bpftrace(machines.linux(release), "0.27.1"), effective)
    described.memlock = (limit, limit)
    return report_on(described.recording())


def works(report: Report, capability: str) -> Works:
    return next(c.status for c in report.capabilities if c.id == capability)


@pytest.mark.parametrize(
    ("release", "effective", "status"),
    [
        ("5.10.223", TRACER, Status.FAIL),
        ("5.10.223", 0, Status.SKIP),
        ("5.10.223", TRACER | machines.mask("CAP_SYS_RESOURCE"), Status.OK),
        ("6.1.100", TRACER, Status.OK),
    ],
)
def test_it_counts_for_who_may_load_programs(release: str, effective: int, status: Status) -> None:
    assert finding_of(asked(release, effective), "privileges.memlock").status is status


def test_larger_maps_are_what_has_no_room() -> None:
    report = asked("5.10.223", TRACER)
    tools = next(c for c in report.capabilities if c.id == "core-tools")
    assert tools.status is Works.CAVEAT
    assert "larger maps" in tools.because
    hello = next(c for c in report.capabilities if c.id == "hello")
    assert hello.status is Works.FAILS
    assert hello.with_root in (Works.WORKS, Works.CAVEAT), "root may raise it"


def test_with_room_nothing_is_said() -> None:
    report = asked("5.10.223", TRACER, limit=64 * 1024 * 1024)
    assert works(report, "core-tools") in (Works.WORKS, Works.CAVEAT)
    assert "larger maps" not in next(c for c in report.capabilities if c.id == "core-tools").because
