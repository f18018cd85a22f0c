"""tracefs where each tool looks for it, held against where it is; the releases are those of the tools' sources."""

from __future__ import annotations

import errno

import pytest

from kdiag.knowledge.tools.tracefs_paths import BELOW_DEBUGFS, OWN, tracefs_paths
from kdiag.machine.tracing import KPROBE_BLACKLIST as BLACKLIST
from kdiag.model import Finding, Report, Status, Works
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import report_on


def old_and_new(version: str = "0.23.2", **mounts: bool) -> Description:
    return machines.bpftrace(machines.mounted(machines.linux("5.15.0-1"), **mounts), version)


def bcc(described: Description, release: str) -> Description:
    machines.bcc_starts(described).program("execsnoop-bpfcc", "/usr/sbin/execsnoop-bpfcc")
    return described.file(f"/usr/lib/x86_64-linux-gnu/libbcc.so.{release}", b"\x7fELF")


def finding(report: Report, finding_id: str) -> Finding:
    found = report.finding(finding_id)
    assert found is not None
    return found


def works(report: Report, capability: str) -> Works:
    return next(c.status for c in report.capabilities if c.id == capability)


def commands(found: Finding) -> str:
    return "\n".join(command for remedy in found.remedies for command in remedy.commands)


@pytest.mark.parametrize(
    ("tool", "release", "paths"),
    [
        ("BCC", (0, 25, 0), (BELOW_DEBUGFS,)),
        ("BCC", (0, 26, 0), (BELOW_DEBUGFS, OWN)),
        ("libbpf", (0, 8, 3), (BELOW_DEBUGFS,)),
        ("libbpf", (1, 0, 0), (BELOW_DEBUGFS, OWN)),
    ],
)
def test_the_release_that_learnt_the_second_path(
    tool: str, release: tuple[int, int, int], paths: tuple[str, ...]
) -> None:
    assert tracefs_paths(tool, release) == paths


@pytest.mark.parametrize(
    ("version", "debugfs", "expected"),
    [
        ("0.16.0", True, Works.WORKS),
        ("0.16.0", False, Works.FAILS),
        ("0.17.0", False, Works.WORKS),
        ("0.27.1", False, Works.WORKS),
    ],
)
def test_tracefs_at_its_own_place_only(version: str, debugfs: bool, expected: Works) -> None:
    report = report_on(old_and_new(version, debugfs=debugfs).recording())
    assert works(report, "tracepoint-args") is expected


def test_tracefs_below_debugfs_only() -> None:
    """A node that mounts it on demand: bpftrace and libbpf find it there, those that know only the other do not."""
    described = machines.mounted(machines.linux("6.8.0-1"))
    described.remove(OWN).mount(OWN, machines.SYSFS)
    report = report_on(machines.bpftrace(described, "0.23.2").recording())
    found = finding(report, "tracing.own-path")
    assert found.status is Status.WARN and "empty directory" in found.reason
    assert commands(found) == f"sudo mount -t tracefs tracefs {OWN}"
    assert works(report, "tracepoint-args") is Works.WORKS
    assert works(report, "core-tools") is Works.CAVEAT


def test_a_container_is_not_told_to_take_a_directory_that_is_empty_on_the_host_too() -> None:
    described = machines.container(machines.linux("6.8.0-1"))
    described.mount("/sys/kernel/debug", machines.DEBUGFS).mount(BELOW_DEBUGFS, machines.TRACEFS)
    found = finding(report_on(described.recording()), "tracing.own-path")
    assert found.status is Status.WARN
    assert [remedy.run_on for remedy in found.remedies] == ["the host"]
    assert "docker run" not in commands(found)


@pytest.mark.parametrize("version", ["0.17.0", "0.23.2", "0.27.1"])
def test_a_directory_of_that_name_is_taken_be_it_empty(version: str) -> None:
    """Seen with bpftrace 0.17.0: a tmpfs over debugfs with an empty `tracing`, and "tracepoint not found"."""
    described = old_and_new(version, debugfs=False)
    described.mount("/sys/kernel/debug", machines.TMPFS).mount(BELOW_DEBUGFS, machines.TMPFS)
    report = report_on(described.recording())
    assert finding(report, "tracing.first-path").status is Status.FAIL
    assert finding(report, "tracing.tracefs").status is Status.OK
    assert works(report, "tracepoint-args") is Works.FAILS
    assert works(report, "hello") is (Works.FAILS if version == "0.27.1" else Works.WORKS)


def test_a_user_whom_debugfs_is_closed_to_gets_the_other() -> None:
    described = old_and_new().close("/sys/kernel/debug", errno.EACCES)
    report = report_on(machines.user(described).recording())
    assert finding(report, "tracing.first-path").status is Status.OK


@pytest.mark.parametrize(
    ("kernel", "debugfs", "says"),
    [
        ("5.15.0-1", False, "sudo mount -t debugfs debugfs /sys/kernel/debug"),
        ("6.17.5-1", True, "unshare --mount"),
        ("6.17.5-1", False, "unshare --mount"),
    ],
)
def test_what_brings_it_to_old_tools(kernel: str, debugfs: bool, says: str) -> None:
    """Since 6.17 debugfs brings no tracefs unless it is configured to: mounting debugfs is no remedy by itself."""
    described = machines.mounted(machines.linux(kernel), debugfs=debugfs).remove(BELOW_DEBUGFS)
    found = finding(report_on(machines.bpftrace(described, "0.16.0").recording()), "tracing.debug-path")
    assert found.status is Status.WARN and "bpftrace 0.16.0" in found.reason
    assert says in commands(found)


@pytest.mark.parametrize(
    ("release", "status", "lists"),
    [
        ("0.25.0", Status.FAIL, Status.OK),
        ("0.26.0", Status.OK, Status.OK),
        ("0.28.0", Status.OK, Status.FAIL),
        ("0.36.1", Status.OK, Status.FAIL),
        ("0.37.0", Status.OK, Status.OK),
    ],
)
def test_bcc_by_its_release(release: str, status: Status, lists: Status) -> None:
    """From 0.28 on it takes the list of functions from the old path alone, which 0.37 mended (iovisor/bcc#5423)."""
    described = bcc(machines.linux("6.17.5-1").remove(BELOW_DEBUGFS), release)
    report = report_on(described.file(BLACKLIST, "0x0-0x1\tnotrace\n").recording())
    assert finding(report, "tracing.bcc-path").status is status
    assert finding(report, "tools.bcc-lists").status is lists


def test_without_any_tracefs_the_others_do_not_speak_of_tracepoints_either() -> None:
    described = bcc(machines.unmounted(machines.linux("6.1.0-1")), "0.30.0")
    report = report_on(machines.debian_headers(described).recording())
    for name in ("first", "bcc", "own"):
        assert finding(report, f"tracing.{name}-path").status is Status.SKIP
    assert works(report, "core-tools") is Works.CAVEAT
