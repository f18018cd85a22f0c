"""BEGIN: a uprobe up to 0.15, run on demand since 0.16 where the kernel can (5.10), and since 0.22 in no other way."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from kdiag.machine import Machine
from kdiag.model import Status, Works
from kdiag.system.live import Live
from kdiag.system.recorder import Recorder
from kdiag.system.recording import Recording
from tests.support import kernel_parts as parts
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


@pytest.mark.parametrize(
    ("release", "builder", "works"),
    [
        ("5.4.0-216-generic", "buildd@lcy02-amd64-055) (gcc (Ubuntu 9.4.0", Works.FAILS),
        (
            "4.18.0-553.el8_10.x86_64",
            "mockbuild@x86-64-01.build.eng.rdu2.redhat.com) (gcc (GCC 8.5.0",
            Works.UNKNOWN,
        ),
        ("5.4.0-216-generic", "me@home) (gcc (GCC 14.2.0", Works.UNKNOWN),
    ],
)
def test_whose_older_kernels_are_not_given_later_bpf(release: str, builder: str, works: Works) -> None:
    """RHEL's 4.18 has most of the BPF of 5.x; Ubuntu's 5.4 has that of 5.4."""
    described = machines.linux(
        release, machines.os_release("ubuntu", "20.04", "Ubuntu 20.04.6 LTS"), builder=builder
    )
    assert hello(machines.bpftrace(unasked(described), "0.23.2")) is works


def test_an_empty_program_is_run_here() -> None:
    need_root()
    bpf = Machine(Live()).bpf
    if bpf.btf_by_id.ok and bpf.program("raw_tracepoint").ok:
        assert bpf.test_run.ok
    assert finding_of(report_on(Live()), "bpf.test-run").status is (
        Status.OK if bpf.test_run.ok else Status.FAIL
    )


# -- the names of the functions that BEGIN and END are probes on ------------------------------------------------------

UBUNTU_2204 = machines.os_release("ubuntu", "22.04", "Ubuntu 22.04.5 LTS", ID_LIKE="debian")
JAMMY = "5.15.0-139-generic"
BUILD = bytes(range(20))
DEBUG_FILE = f"/usr/lib/debug/.build-id/{BUILD.hex()[:2]}/{BUILD.hex()[2:]}.debug"


def stripped(version: str, release: str = JAMMY, *, build_id: bytes = BUILD) -> Description:
    described = machines.bpftrace(machines.linux(release, UBUNTU_2204), version)
    return described.file("/usr/bin/bpftrace", parts.program(build_id=build_id), mode=0o755)


def working(described: Description) -> dict[str, Works]:
    return {c.id: c.status for c in report_on(described.recording()).capabilities if c.tool == "bpftrace"}


@pytest.mark.parametrize(
    ("version", "release", "works"),
    [
        ("0.11.3", JAMMY, Works.FAILS),
        ("0.14.0", JAMMY, Works.FAILS),
        ("0.15.0", "6.8.0-87-generic", Works.FAILS),
        ("0.16.0", JAMMY, Works.WORKS),  # run on demand
        ("0.20.2", "5.4.0-216-generic", Works.FAILS),  # cannot be
        ("0.23.2", JAMMY, Works.WORKS),
    ],
)
def test_a_program_that_was_stripped_of_its_names(version: str, release: str, works: Works) -> None:
    status = working(machines.libc_headers(machines.debian_headers(stripped(version, release))))
    assert status["hello"] is works
    assert {status[name] for name in ("tracepoint-args", "kprobe", "uprobe", "profile")} == {Works.WORKS}
    assert (status["stock-tools"] is Works.FAILS) == (works is Works.FAILS)


def test_the_names_are_the_reason_and_the_remedy() -> None:
    report = report_on(stripped("0.14.0").recording())
    found = finding_of(report, "tools.bpftrace-begin")
    assert found.status is Status.FAIL and "stripped" in found.summary
    assert "bpftrace-dbgsym" in report.verdict.next
    assert [e.observed for e in found.evidence] == [
        "no BEGIN_trigger and no END_trigger (stripped)",
        "absent",
    ]


def test_the_debug_file_of_the_build_brings_them_back() -> None:
    described = stripped("0.14.0").file(DEBUG_FILE, parts.program("main", "BEGIN_trigger", "END_trigger"))
    assert hello(described) is Works.WORKS
    assert hello(stripped("0.14.0").file(DEBUG_FILE, parts.program("main"))) is Works.FAILS


def test_a_debug_link_does_not() -> None:
    """It is followed from the directory of /proc/self/exe."""
    described = stripped("0.14.0", build_id=b"")
    for place in ("/usr/bin", "/usr/bin/.debug", "/usr/lib/debug/usr/bin"):
        described.file(f"{place}/bpftrace.debug", parts.program("BEGIN_trigger", "END_trigger"))
    assert hello(described) is Works.FAILS


def test_one_of_the_two_is_not_both() -> None:
    described = stripped("0.11.3").file("/usr/bin/bpftrace", parts.program("BEGIN_trigger"), mode=0o755)
    found = finding_of(report_on(described.recording()), "tools.bpftrace-begin")
    assert found.status is Status.FAIL and found.evidence[0].observed == "no END_trigger"


@pytest.mark.parametrize(
    ("system", "works"), [(UBUNTU_2204, Works.UNKNOWN), (machines.DEBIAN["11"], Works.WORKS)]
)
def test_a_program_that_was_not_looked_into(system: str, works: Works) -> None:
    """Ubuntu's are stripped, others are not known to be; neither was seen."""
    described = machines.bpftrace(machines.linux(JAMMY, system), "0.14.0")
    described.file("/usr/bin/bpftrace", b"\x7fELF", mode=0o755)
    assert hello(described) is works
    found = finding_of(report_on(described.recording()), "tools.bpftrace-begin")
    assert found.status is Status.UNKNOWN


def test_what_ubuntu_would_install_is_said_before() -> None:
    report = report_on(machines.linux(JAMMY, UBUNTU_2204).recording())
    assert finding_of(report, "tools.bpftrace-begin").status is Status.WARN
    assert "debug symbols" in next(c.because for c in report.capabilities if c.id == "hello")


def test_a_recording_carries_what_was_seen(tmp_path: Path) -> None:
    """Of a program of megabytes the few pieces that answer."""
    padding = bytes(4 * 1024 * 1024)
    described = stripped("0.14.0").file(
        "/usr/bin/bpftrace", parts.program(build_id=BUILD) + padding, mode=0o755
    )
    recorder = Recorder(described.recording())
    first = finding_of(report_on(recorder), "tools.bpftrace-begin")
    recorder.write(tmp_path / "made")
    assert finding_of(report_on(Recording(tmp_path / "made")), "tools.bpftrace-begin") == first
    assert (tmp_path / "made/root/usr/bin/bpftrace.pieces").stat().st_size < 1024
