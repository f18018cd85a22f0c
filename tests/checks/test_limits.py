"""Few open files: scripts that are predicted to work must not die of them."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from kdiag.model import Finding, Report, Status, Works
from kdiag.report.formats import render_as
from tests.support import kernel_parts as parts
from tests.support import machines
from tests.support.needs import need, need_program, need_root
from tests.support.reports import Examine, finding_of, report_on
from tests.support.waiting import HANG


def told(report: Report) -> Finding:
    found = report.finding("privileges.open-files")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("version", "soft", "hard", "status"),
    [
        ("0.23.2", 12, 524288, Status.WARN),
        ("0.23.2", 65, 524288, Status.WARN),  # two CPUs
        ("0.23.2", 66, 524288, Status.OK),
        ("0.23.2", 1024, "unlimited", Status.OK),
        ("0.27.1", 12, 12, Status.OK),  # it raises the limit, and root may
    ],
)
def test_how_many_are_enough(version: str, soft: int, hard: int | str, status: Status) -> None:
    described = machines.bpftrace(machines.linux(), version).file(
        "/proc/self/limits", parts.limits(soft, hard)
    )
    report = report_on(described.recording())
    assert told(report).status is status
    kstack = next(c.status for c in report.capabilities if c.id == "kstack")
    assert kstack is (Works.WORKS if status is Status.OK else Works.CAVEAT)


@pytest.mark.parametrize(("hard", "status"), [(12, Status.WARN), (4096, Status.OK)])
def test_who_may_not_raise_the_hard_limit(hard: int, status: Status) -> None:
    held = machines.mask("CAP_BPF", "CAP_PERFMON", "CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE")
    described = machines.bpftrace(machines.user(machines.linux(), held), "0.27.1").file(
        "/proc/self/limits", parts.limits(12, hard)
    )
    assert told(report_on(described.recording())).status is status


def test_a_recording_that_never_asked_loses_nothing() -> None:
    described = machines.bpftrace(machines.linux(), "0.23.2").remove("/proc/self/limits")
    report = report_on(described.recording())
    assert told(report).status is Status.UNKNOWN
    assert next(c.status for c in report.capabilities if c.id == "hello") is Works.WORKS


def test_the_real_one_dies_of_it() -> None:
    need_root()
    path, limited = need_program("bpftrace"), (need_program("prlimit"), "--nofile=12")
    script = "profile:hz:99 { @[kstack] = count(); } interval:ms:200 { exit(); }"

    def status(*before: str) -> int:
        done = subprocess.run([*before, path, "-e", script], capture_output=True, timeout=HANG, check=False)
        return done.returncode

    need(status() == 0, "a machine where stacks work")
    few = [
        *limited,
        sys.executable,
        "-m",
        "kdiag",
        "check",
        "--only",
        "privileges.open-files",
        "--format",
        "json",
    ]
    done = subprocess.run(few, capture_output=True, text=True, timeout=HANG, check=False)
    if status(*limited) != 0:
        assert "only 12 files" in done.stdout


def test_a_harmless_limit_explains_nothing(examine: Examine) -> None:
    """A message about RLIMIT_MEMLOCK is no cause, of a refused call neither, and no row's reason."""
    described = machines.bpftrace(machines.linux(), "0.23.2")
    machines.user(described, machines.without("CAP_SYS_RESOURCE"), uid=0)
    described.memlock = (65536, 65536)
    machines.refuse_calls(described, errno.EPERM, f"bpf:fentry:{parts.FENTRY_TEST}")
    report = examine(described)
    assert finding_of(report, "bpf.fentry").status is Status.FAIL
    found = finding_of(report, "privileges.memlock")
    assert found.status is Status.OK and "harmless" in found.summary
    assert not [f.id for f in report.findings if "privileges.memlock" in f.causes]
    assert "privileges.memlock" not in report.blocks
    assert not [c for c in report.capabilities if "MEMLOCK" in c.because]
    assert "MEMLOCK" not in render_as("text", report)


# -- memory -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "available", "swap", "works"),
    [
        ("0.23.2", 90_000, 0, Works.FAILS),
        ("0.23.2", 90_000, 500_000, Works.WORKS),
        ("0.23.2", 200_000, 0, Works.WORKS),
        ("0.11.3", 90_000, 0, Works.WORKS),
        ("0.25.1", 90_000, 0, Works.WORKS),
    ],
)
def test_a_map_of_stacks_takes_130_mib(version: str, available: int, swap: int, works: Works) -> None:
    """Read in the sources of each release: 0.11 has a map for 4096 stacks, and 0.25 none."""
    described = machines.bpftrace(machines.linux(), version)
    described.file(
        "/proc/meminfo", f"MemTotal: 999999 kB\nMemAvailable: {available} kB\nSwapFree: {swap} kB\n"
    )
    described.file("/proc/self/limits", parts.limits(1024, "unlimited"))
    report = report_on(described.recording())
    assert next(c.status for c in report.capabilities if c.id == "kstack") is works
    assert next(c.status for c in report.capabilities if c.id == "profile") is Works.WORKS


@pytest.mark.parametrize("refused", [False, True], ids=["no such line", "cannot be read"])
def test_memory_that_cannot_be_seen_is_taken_to_be_there(refused: bool) -> None:
    described = machines.bpftrace(machines.linux(), "0.23.2").file("/proc/meminfo", "MemTotal: 999999 kB\n")
    if refused:
        described.refuse("/proc/meminfo")
    found = next(f for f in report_on(described.recording()).findings if f.id == "environment.stack-memory")
    assert (found.status, found.likely) == (Status.UNKNOWN, Status.OK)
