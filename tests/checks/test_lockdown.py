"""Lockdown where securityfs does not tell: a kernel that refuses to read its memory, and one that is only old."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from kdiag.machine import Machine
from kdiag.model import Report, Status, Works
from kdiag.system import Unavailable
from kdiag.system.live import Live
from tests.support import machines
from tests.support.description import Description
from tests.support.needs import need, need_root
from tests.support.reports import report_on

Change = Callable[[Description], Description]


def silent(
    release: str, *, system: str = machines.UBUNTU_2404, tracefs: bool = False, **probes: int
) -> Description:
    """Neither securityfs nor (by default) tracefs, as in most containers."""
    described = machines.linux(release, system, config_at=None)
    described.remove("/sys/kernel/security")
    if not tracefs:
        machines.unmounted(described)
    for name, number in probes.items():
        described.probe(f"bpf:{name.replace('_', '-')}", number)
    return machines.bpftrace(described, "0.17.0")


def answer(report: Report) -> tuple[Status, Works]:
    found = report.finding("kernel.lockdown")
    hello = next(c for c in report.capabilities if c.id == "hello")
    assert found is not None
    return found.status, hello.status


@pytest.mark.parametrize("release", ["5.4.0-216-generic", "4.19.0-27-amd64"])
def test_an_old_kernel_is_not_locked_down(release: str) -> None:
    """bpf_probe_read_kernel came with 5.5: the verifier answers EINVAL to what it does not know."""
    described = silent(release, read_kernel=errno.EINVAL, read_any=0)
    assert answer(report_on(described.recording())) == (Status.UNKNOWN, Works.UNKNOWN)
    unasked = silent(release, read_kernel=errno.EINVAL)
    assert answer(report_on(unasked.recording()))[0] is Status.UNKNOWN


def test_a_locked_kernel_refuses_both_helpers() -> None:
    """Also a backport that calls itself 4.18."""
    for release in ("6.12.107+deb13-amd64", "4.18.0-553.el8.x86_64"):
        described = silent(release, read_kernel=errno.EINVAL, read_any=errno.EINVAL)
        assert answer(report_on(described.recording())) == (Status.FAIL, Works.FAILS)


def test_a_recording_that_never_asked_the_older_helper() -> None:
    described = silent("6.12.107+deb13-amd64", read_kernel=errno.EINVAL)
    assert answer(report_on(described.recording()))[0] is Status.FAIL


def test_tracefs_that_opens_is_proof() -> None:
    """Confidentiality refuses every file of tracefs, whatever the program says."""
    described = silent("5.4.0-216-generic", tracefs=True, read_kernel=errno.EINVAL)
    report = report_on(described.recording())
    assert answer(report) == (Status.OK, Works.WORKS)


def test_bpf_is_never_refused_by_lockdown() -> None:
    """Upstream's lockdown refuses helpers, no maps and no empty programs: it is not named as their cause."""
    described = silent("6.12.107+deb13-amd64", read_kernel=errno.EPERM)
    for name in ("map", "prog:kprobe", "prog:raw_tracepoint"):
        described.probe(f"bpf:{name}", errno.EPERM)
    report = report_on(described.recording())
    for finding_id in ("bpf.map", "bpf.prog.kprobe"):
        found = report.finding(finding_id)
        assert found is not None and found.status is Status.FAIL
        assert "kernel.lockdown" not in found.causes


def test_both_helpers_here() -> None:
    need_root()
    bpf = Machine(Live()).bpf
    try:
        newer, older = bpf.read_kernel, bpf.read_any
    except Unavailable as gap:
        need(False, gap.reason)
    assert older.ok or not newer.ok, "a kernel that knows the newer helper knows the older"
