"""BEGIN: a uprobe up to 0.15, run on demand since 0.16 where the kernel can (5.10), and since 0.22 in no other way."""

from __future__ import annotations

import errno

import pytest

from kdiag.machine import Machine
from kdiag.model import Status, Works
from kdiag.system.live import Live
from tests.support import machines
from tests.support.description import Description
from tests.support.needs import need_root
from tests.support.reports import finding_of, report_on


def hello(described: Description) -> Works:
    return next(c.status for c in report_on(described.recording()).capabilities if c.id == "hello")


def without_raw_tracepoints(described: Description) -> Description:
    """Before 4.17."""
    described.probe("bpf:prog:raw_tracepoint", errno.EINVAL).probe("bpf:test-run", errno.EINVAL, "load")
    return described.probe("bpf:read-kernel", errno.EINVAL)


@pytest.mark.parametrize(
    ("release", "version", "works"),
    [
        ("6.12.107+deb13-amd64", "0.23.2", Works.WORKS),
        ("5.10.0-30-amd64", "0.23.2", Works.WORKS),
        ("5.4.0-216-generic", "0.23.2", Works.FAILS),
        ("5.4.0-216-generic", "0.22.1", Works.FAILS),
        ("5.4.0-216-generic", "0.21.3", Works.WORKS),
        ("5.4.0-216-generic", "0.17.0", Works.WORKS),
        ("5.4.0-216-generic", "0.14.0", Works.WORKS),
    ],
)
def test_who_runs_begin_where(release: str, version: str, works: Works) -> None:
    assert hello(machines.bpftrace(machines.linux(release), version)) is works


@pytest.mark.parametrize(("version", "works"), [("0.20.2", Works.WORKS), ("0.23.2", Works.FAILS)])
def test_a_kernel_without_raw_tracepoints(version: str, works: Works) -> None:
    """4.14 with 0.20: BEGIN falls back to a uprobe."""
    assert (
        hello(
            machines.bpftrace(
                without_raw_tracepoints(machines.linux("4.14.355-275.570.amzn2.x86_64")), version
            )
        )
        is works
    )


def test_neither_way() -> None:
    described = without_raw_tracepoints(machines.linux("4.14.355-275.570.amzn2.x86_64"))
    for place in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        described.remove(f"{place}/uprobe_events")
    described.remove("/sys/bus/event_source/devices/uprobe")
    assert hello(machines.bpftrace(described, "0.20.2")) is Works.FAILS


def unasked(described: Description) -> Description:
    """A recording from before the question."""
    del described.probes["bpf:test-run"]
    return described


def test_a_recording_that_never_asked() -> None:
    """What came later and was seen proves it; a release alone only promises it."""
    found = finding_of(report_on(unasked(machines.linux()).recording()), "bpf.test-run")
    assert found.status is Status.OK and "5.11" in found.evidence[-1].observed
    bare = machines.without_btf(unasked(machines.linux("5.15.49-linuxkit")))
    bare.probe("bpf:memcg", errno.EINVAL)
    found = finding_of(report_on(bare.recording()), "bpf.test-run")
    assert found.status is Status.UNKNOWN and found.likely is Status.OK
    found = finding_of(report_on(unasked(machines.linux("5.4.0-216-generic")).recording()), "bpf.test-run")
    assert found.status is Status.UNKNOWN and found.likely is None
    assert hello(machines.bpftrace(unasked(machines.linux("5.4.0-216-generic")), "0.23.2")) is Works.UNKNOWN


def test_an_empty_program_is_run_here() -> None:
    need_root()
    bpf = Machine(Live()).bpf
    if bpf.btf_by_id.ok and bpf.program("raw_tracepoint").ok:
        assert bpf.test_run.ok
    assert finding_of(report_on(Live()), "bpf.test-run").status is (
        Status.OK if bpf.test_run.ok else Status.FAIL
    )
