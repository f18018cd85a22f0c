"""What could not be looked at is not absent: a closed or unmounted tracefs, a /proc of processes only, no /sys."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from kdiag.model import Status
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import finding_of, report_on

AMAZON_2 = machines.os_release("amzn", "2", "Amazon Linux 2")
OLD = "4.14.355-275.570.amzn2.x86_64"
KINDS = ("kprobe", "uprobe")


def sourceless(
    release: str,
    config: str | None = "/boot/config-{release}",
    hide: Callable[[Description], Description] = lambda described: described,
    **options: str | None,
) -> Description:
    """A kernel without the event sources of 4.17."""
    described = hide(machines.linux(release, AMAZON_2, config_at=config, options={**options}))
    return described.remove(*(f"/sys/bus/event_source/devices/{kind}" for kind in KINDS))


def closed(described: Description) -> Description:
    return described.close("/sys/kernel/tracing").close("/sys/kernel/debug")


@pytest.mark.parametrize("hide", [closed, machines.unmounted, machines.user])
@pytest.mark.parametrize("kind", KINDS)
def test_an_old_kernel_may_have_what_only_tracefs_shows(
    kind: str, hide: Callable[[Description], Description]
) -> None:
    for config in ("/boot/config-{release}", None):
        found = finding_of(report_on(sourceless(OLD, config, hide).recording()), f"tracing.{kind}s")
        assert found.status is Status.UNKNOWN, found
        assert found.causes[:1] == ("tracing.tracefs",) or "privileges.root" in found.causes
        assert (found.likely is Status.OK) is (config is not None)


@pytest.mark.parametrize("kind", KINDS)
def test_tracefs_shows_what_an_old_kernel_has(kind: str) -> None:
    found = finding_of(report_on(sourceless(OLD).recording()), f"tracing.{kind}s")
    assert found.status is Status.OK
    without = sourceless(OLD)
    without.remove(f"/sys/kernel/tracing/{kind}_events", f"/sys/kernel/debug/tracing/{kind}_events")
    assert finding_of(report_on(without.recording()), f"tracing.{kind}s").status is Status.FAIL


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_kernel_without_the_source_has_none(kind: str) -> None:
    """Unless its configuration says that it has."""
    new = "6.12.107+deb13-amd64"
    found = finding_of(report_on(sourceless(new, None, machines.unmounted).recording()), f"tracing.{kind}s")
    assert found.status is Status.FAIL
    off = {f"{kind.upper()}_EVENTS": "n"}
    found = finding_of(
        report_on(sourceless(new, hide=machines.unmounted, **off).recording()), f"tracing.{kind}s"
    )
    assert found.status is Status.FAIL
    on = {f"{kind.upper()}_EVENTS": "y"}
    found = finding_of(
        report_on(sourceless(new, hide=machines.unmounted, **on).recording()), f"tracing.{kind}s"
    )
    assert found.status is Status.UNKNOWN


def of_processes(described: Description) -> Description:
    """/proc mounted with subset=pid."""
    for path in [p for p in described.nodes if p.startswith("/proc/")]:
        if not path.startswith(("/proc/self", "/proc/1/")):
            described.remove(path)
    return described


def test_a_proc_of_processes_says_nothing_about_the_kernel() -> None:
    report = report_on(of_processes(machines.bpftrace(machines.linux(), "0.23.2")).recording())
    for found in report.findings:
        if found.id.startswith("sysctl."):
            assert found.status is Status.UNKNOWN, found
        assert "this kernel has no /proc" not in found.summary, found
    # but of the tools here it is certain: none of them sees it
    assert finding_of(report, "tracing.kallsyms").status is Status.FAIL
    assert "not shown" in finding_of(report, "tracing.kallsyms").summary
    assert "not shown" in finding_of(report, "kernel.modules").summary
    assert finding_of(report, "kernel.modules").remedies


def test_what_a_whole_proc_lacks_the_kernel_lacks() -> None:
    report = report_on(machines.linux().remove("/proc/kallsyms", "/proc/modules").recording())
    assert finding_of(report, "tracing.kallsyms").status is Status.FAIL
    assert finding_of(report, "kernel.modules").summary == "this kernel has no loadable modules"


def test_no_place_to_mount_on() -> None:
    described = machines.linux().remove("/sys")
    report = report_on(described.recording())
    tracefs = finding_of(report, "tracing.tracefs")
    assert tracefs.status is Status.FAIL and not tracefs.remedies
    assert tracefs.causes == ("environment.sysfs",)
    [remedy] = finding_of(report, "environment.sysfs").remedies
    assert remedy.commands == ("sudo mount -t sysfs sysfs /sys",)
    assert "sysfs" in report.verdict.next, report.verdict


def test_a_closed_debugfs_is_not_no_tracefs() -> None:
    """/sys/kernel/tracing is a plain directory, and what is below /sys/kernel/debug is not to be seen."""
    described = sourceless(OLD, hide=machines.unmounted).refuse("/sys/kernel/debug/tracing", errno.EACCES)
    assert finding_of(report_on(described.recording()), "tracing.kprobes").status is Status.UNKNOWN
