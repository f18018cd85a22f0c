"""What a release of bpftrace takes for granted: PID namespaces, ring buffers, /proc/meminfo."""

from __future__ import annotations

import errno

import pytest

from kdiag.model import Report, Status, Works
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import finding_of, report_on

#: Those whose programs print `pid`, as most scripts do.
SHOW_PIDS = ("tracepoint-args", "kprobe", "uprobe", "profile", "software")
OWN = "pid:[4026532300]"


def works(report: Report, *ids: str) -> set[Works]:
    return {c.status for c in report.capabilities if c.id in ids}


def on(version: str, release: str = "6.12.107+deb13-amd64") -> Description:
    return machines.bpftrace(machines.linux(release), version)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("0.17.0", Works.WORKS),
        ("0.22.1", Works.WORKS),
        ("0.23.0", Works.FAILS),
        ("0.23.2", Works.FAILS),
        ("0.23.3", Works.FAILS),
        ("0.23.4", Works.WORKS),
        ("0.24.0", Works.WORKS),
        ("0.27.1", Works.WORKS),
    ],
)
def test_a_kernel_without_pid_namespaces(version: str, expected: Works) -> None:
    report = report_on(on(version).remove("/proc/self/ns/pid").recording())
    assert works(report, *SHOW_PIDS) == {expected}
    assert works(report, "hello", "tracepoint-net", "kprobe-multi", "kstack") == {Works.WORKS}
    if expected is Works.FAILS:
        assert "/proc/self/ns/pid" in report.verdict.summary
        assert "0.23.4" in report.verdict.next


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("0.17.0", "filter by pid"),
        ("0.23.5", "each other's place"),
        ("0.24.2", "EINVAL"),
        ("0.27.1", "EINVAL"),
    ],
)
def test_a_pid_namespace_of_its_own(version: str, says: str) -> None:
    """Scripts run, and their `pid` is not what one thinks."""
    described = machines.container(on(version), machines.ALL_CAPABILITIES).link("/proc/self/ns/pid", OWN)
    report = report_on(machines.mounted(described).recording())
    found = finding_of(report, "environment.pids")
    assert found.status is Status.WARN and says in found.reason
    assert "--pid=host" in found.remedies[0].title
    assert works(report, "tracepoint-args") == {Works.CAVEAT}
    assert works(report, "hello") == {Works.WORKS}


def test_the_hosts_pid_namespace_is_the_cure() -> None:
    described = machines.mounted(machines.container(on("0.23.5"), machines.ALL_CAPABILITIES))
    report = report_on(described.link("/proc/self/ns/pid", "pid:[4026531836]").recording())
    assert finding_of(report, "environment.pids").status is Status.OK


@pytest.mark.parametrize(
    ("version", "release", "expected"),
    [
        ("0.23.5", "5.4.0-216-generic", Works.FAILS),  # bpf_get_ns_current_pid_tgid(): 5.7
        ("0.23.5", "5.10.0-30-amd64", Works.CAVEAT),
        ("0.22.1", "5.4.0-216-generic", Works.CAVEAT),  # the first namespace's ids
    ],
)
def test_a_namespace_of_its_own_on_an_old_kernel(version: str, release: str, expected: Works) -> None:
    described = machines.container(on(version, release), machines.ALL_CAPABILITIES).link(
        "/proc/self/ns/pid", OWN
    )
    report = report_on(machines.mounted(described).recording())
    assert works(report, *SHOW_PIDS) == {expected}
    assert works(report, "tracepoint-net") == {Works.WORKS}


@pytest.mark.parametrize(
    ("version", "output", "expected"),
    [
        ("0.17.0", True, Works.WORKS),  # perf events, and knows no other way
        ("0.21.3", True, Works.WORKS),  # falls back to them
        ("0.21.3", False, Works.FAILS),
        ("0.25.0", True, Works.FAILS),
    ],
)
def test_a_kernel_without_ring_buffers(version: str, output: bool, expected: Works) -> None:
    described = on(version).probe("bpf:ring-buffer", errno.EINVAL)
    if not output:
        described.probe("perf:bpf-output", errno.EINVAL)
    assert works(report_on(described.recording()), "hello") == {expected}


def test_the_ring_buffer_is_the_reason() -> None:
    report = report_on(on("0.24.2", "5.4.0-216-generic").recording())
    assert "bpf.ringbuf" in next(c.findings for c in report.capabilities if c.id == "hello")


def test_a_recording_that_never_asked_keeps_its_answer() -> None:
    described = on("0.27.1")
    del described.probes["bpf:ring-buffer"]
    report = report_on(described.recording())
    assert finding_of(report, "bpf.ringbuf").status is Status.UNKNOWN
    assert works(report, "hello") == {Works.WORKS}


@pytest.mark.parametrize(("version", "expected"), [("0.24.2", Works.WORKS), ("0.27.1", Works.FAILS)])
def test_proc_of_processes_only(version: str, expected: Works) -> None:
    described = on(version).remove("/proc/meminfo").remove("/proc/version")
    assert works(report_on(described.recording()), "hello") == {expected}


def test_a_description_that_leaves_meminfo_out() -> None:
    """Every /proc that shows /proc/version shows /proc/meminfo, too: its lack was not seen, and nothing rests on it."""
    report = report_on(on("0.27.1").remove("/proc/meminfo").recording())
    assert finding_of(report, "environment.meminfo").status is Status.UNKNOWN
    assert works(report, "hello") == {Works.WORKS}


def test_what_was_not_looked_at_is_not_fine() -> None:
    """A refused look is neither the file nor its lack."""
    report = report_on(on("0.17.0").remove("/bin/sh").refuse("/bin/sh").recording())
    assert finding_of(report, "environment.shell").status is Status.UNKNOWN
    assert "environment.shell" in next(c.findings for c in report.capabilities if c.id == "struct")


@pytest.mark.parametrize(
    ("version", "works_without", "fails_without"),
    [
        ("0.14.1", ("hello", "tracepoint-args", "struct"), ()),  # its clang does not ask for directories
        (
            "0.17.0",
            ("hello", "kprobe", "profile"),
            ("struct", "tracepoint-args"),
        ),  # seen: hello works, 139 for struct
        ("0.23.2", ("hello", "struct", "kprobe"), ("tracepoint-args",)),  # seen: 139 for C definitions only
        ("0.24.0", (), ("hello", "kprobe", "tracepoint-args")),  # clang runs for all scripts
        ("0.24.2", ("hello", "struct", "tracepoint-args"), ()),  # execvp(3), no shell
        ("0.27.1", ("hello", "struct", "tracepoint-args"), ()),
    ],
)
def test_no_shell(version: str, works_without: tuple[str, ...], fails_without: tuple[str, ...]) -> None:
    """popen(3) asks clang for its directories: only scripts that reach clang crash without /bin/sh."""
    report = report_on(on(version).remove("/bin/sh").recording())
    assert works(report, *works_without) <= {Works.WORKS}
    assert works(report, *fails_without) <= {Works.FAILS}


@pytest.mark.parametrize(("version", "expected"), [("0.24.2", Works.WORKS), ("0.25.0", Works.FAILS)])
def test_no_dev_fd(version: str, expected: Works) -> None:
    """0.24 compiles C only for scripts that import some; 0.25 has a piece of C of its own in every script."""
    report = report_on(on(version).remove("/dev/fd").recording())
    assert works(report, "hello", "kprobe") == {expected}
