"""CAP_PERFMON was enough for a uprobe from Linux 5.8 until July 2025; CAP_SYS_ADMIN is asked for since."""

from __future__ import annotations

import errno

import pytest

from kdiag.knowledge.kernel_changes import UPROBES_ASK_FOR_ADMIN
from kdiag.model import Report, Status, Works
from kdiag.system import Unavailable
from kdiag.system.perf_probes import perf_probe
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import finding_of, report_on

#: What bpftrace 0.25 asks of a user who is not root.
TRACER = machines.mask("CAP_BPF", "CAP_PERFMON", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH")
SOURCE = "/sys/bus/event_source/devices/uprobe/type"


def tracer(release: str, bpftrace: str) -> Description:
    return machines.user(machines.bpftrace(machines.linux(release), bpftrace), TRACER)


def contained(release: str, bpftrace: str) -> Description:
    """Root whose bounding set lacks CAP_SYS_ADMIN."""
    described = machines.bpftrace(machines.linux(release), bpftrace)
    return machines.answers(described, machines.without("CAP_SYS_ADMIN"))


def works(report: Report) -> dict[str, Works]:
    return {c.id: c.status for c in report.capabilities}


@pytest.mark.parametrize(
    ("version", "asks"),
    [
        ((5, 10, 239), False),
        ((5, 10, 240), True),
        ((5, 14, 0), False),
        ((6, 1, 145), False),
        ((6, 6, 99), True),
        ((6, 12, 38), False),
        ((6, 12, 117), True),
        ((6, 14, 11), False),
        ((6, 15, 7), True),
        ((6, 16, 0), True),
        ((7, 3, 4), True),
    ],
)
def test_stable_series_have_it_from_their_own_release(version: tuple[int, int, int], asks: bool) -> None:
    assert UPROBES_ASK_FOR_ADMIN.is_in(version) is asks


def test_a_release_that_attaches_by_libbpf_attaches_no_single_uprobe() -> None:
    report = report_on(tracer("7.3.4", "0.27.1").recording())
    found = finding_of(report, "perf.uprobes")
    assert found.status is Status.FAIL
    assert "CAP_SYS_ADMIN" in found.summary
    assert "CVE-2025-38466" in found.reason
    mine = works(report)
    assert mine["uprobe"] is Works.FAILS
    assert mine["usdt"] is not Works.FAILS, "a link of the kind uprobe.multi is not asked for it"
    assert mine["kprobe"] is not Works.FAILS
    uprobe = next(c for c in report.capabilities if c.id == "uprobe")
    assert uprobe.with_root in (Works.WORKS, Works.CAVEAT), "root has it"


def test_without_links_for_many_usdt_fails_with_it() -> None:
    mine = works(report_on(tracer("6.1.150", "0.27.1").recording()))
    assert mine["usdt"] is Works.FAILS
    assert mine["uprobe"] is Works.FAILS


def test_a_release_that_attaches_by_libbcc_has_another_way_that_nobody_tried() -> None:
    report = report_on(contained("6.12.117", "0.23.2").recording())
    uprobe = next(c for c in report.capabilities if c.id == "uprobe")
    assert uprobe.status is Works.UNKNOWN
    assert "uprobe_events" in uprobe.because


@pytest.mark.parametrize("release", ["6.12.38", "6.1.120", "5.15.100"])
def test_before_that_nothing_is_said(release: str) -> None:
    report = report_on(tracer(release, "0.27.1").recording())
    assert finding_of(report, "perf.uprobes").status is Status.OK
    assert works(report)["uprobe"] is not Works.FAILS


def test_the_kernel_is_believed_before_its_release() -> None:
    """Distributions take it into older releases, and may leave it out of newer ones."""
    older = tracer("5.14.0-611.el9", "0.27.1").probe("perf:uprobe:8", errno.EACCES)
    newer = tracer("7.3.4", "0.27.1").probe("perf:uprobe:8", errno.EINVAL)
    assert finding_of(report_on(older.recording()), "perf.uprobes").status is Status.FAIL
    assert finding_of(report_on(newer.recording()), "perf.uprobes").status is Status.OK


@pytest.mark.parametrize(("release", "likely"), [("7.3.4", None), ("6.12.38", Status.OK)])
def test_a_recording_without_the_answer_is_not_guessed_at(release: str, likely: Status | None) -> None:
    described = tracer(release, "0.27.1")
    del described.probes["perf:uprobe:8"]
    found = finding_of(report_on(described.recording()), "perf.uprobes")
    assert found.status is Status.UNKNOWN
    assert found.likely is likely


def test_root_is_not_asked() -> None:
    described = machines.bpftrace(machines.linux("7.3.4"), "0.27.1")
    del described.probes["perf:uprobe:8"]
    assert finding_of(report_on(described.recording()), "perf.uprobes").status is Status.OK


def test_the_live_call_makes_no_probe() -> None:
    """Whoever asks this kernel gets an error: EINVAL who may have a uprobe, and another who may not."""
    try:
        with open(SOURCE) as file:
            source = file.read().strip()
        result = perf_probe("uprobe", source)
    except OSError:
        pytest.skip("this kernel has no event source for uprobes, or /sys is not to be seen")
    except Unavailable as gap:
        pytest.skip(f"the call cannot be made here: {gap.reason}")
    assert result.name in {"EINVAL", "EACCES", "EPERM", "ENOSYS"}
