"""Addresses in /proc/kallsyms: what one who may trace sees is the answer, and says how to be shown them."""

from __future__ import annotations

import pytest

from kdiag.model import Report, Status, Works
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import finding_of, report_on

ZEROS = "0000000000000000 T _stext\n" * 9
TRACING = machines.mask("CAP_BPF", "CAP_PERFMON", "CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE")
ADMIN = machines.CONTAINER_CAPABILITIES | machines.mask("CAP_SYS_ADMIN", "CAP_PERFMON")


def hidden(described: Description, release: str = "0.27.1") -> Description:
    return machines.bpftrace(described.file("/proc/kallsyms", ZEROS), release)


def kstack(report: Report) -> tuple[Works, Works | None]:
    return next((c.status, c.with_root) for c in report.capabilities if c.id == "kstack")


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_root_of_a_container_has_no_names(engine: str) -> None:
    """Seen under podman: tracing works, every frame is a number. The line to start it with adds the capability."""
    described = machines.container(machines.linux(), ADMIN, kind=engine)
    report = report_on(hidden(machines.mounted(described, debugfs=False)).recording())
    finding = finding_of(report, "tracing.kallsyms")
    assert finding.status is Status.FAIL and "CAP_SYSLOG" in finding.summary
    assert kstack(report) == (Works.FAILS, None)
    line = finding.remedies[0].commands[0]
    assert line.startswith(f"{engine} run") and "SYSLOG" in line


def test_a_user_who_may_trace_and_not_see_them() -> None:
    described = machines.sysctls(machines.user(machines.linux(), TRACING), perf_event_paranoid=2)
    machines.answers(described, TRACING)
    report = report_on(hidden(described).recording())
    assert finding_of(report, "tracing.kallsyms").status is Status.FAIL
    assert kstack(report) == (Works.FAILS, Works.WORKS)


def test_a_user_who_may_not_trace_says_nothing_of_root() -> None:
    report = report_on(hidden(machines.user(machines.linux())).recording())
    finding = finding_of(report, "tracing.kallsyms")
    assert (finding.status, finding.likely) == (Status.UNKNOWN, Status.OK)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_kptr_restrict_2_hides_them_from_root_too(level: int) -> None:
    """With CAP_SYSLOG it is 2 that hides them; whatever it says, what is seen decides."""
    described = machines.sysctls(machines.linux(), kptr_restrict=level)
    finding = finding_of(report_on(hidden(described).recording()), "tracing.kallsyms")
    assert finding.status is Status.FAIL
    assert ("sysctl.kernel.kptr_restrict" in finding.causes) is (level == 2), "what is fine is no cause"
    assert not any("SYSLOG" in " ".join(r.commands) for r in finding.remedies)
