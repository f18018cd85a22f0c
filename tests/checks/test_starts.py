"""A tool that does not start: its first words are the reason for all that it could do otherwise."""

from __future__ import annotations

import errno

import pytest

from kdiag.model import Finding, Report, Status, Works
from tests.support import known_machines as known
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import report_on

VERSION = "/usr/bin/bpftrace --version"


def installed() -> Description:
    return machines.bpftrace(machines.linux(), "0.23.2")


def start_of(report: Report, tool: str = "bpftrace") -> Finding:
    found = report.finding(f"tools.{tool}-start")
    assert found is not None
    return found


def works(report: Report, tool: str) -> dict[str, Works]:
    return {c.id: c.status for c in report.capabilities if c.tool == tool}


@pytest.mark.parametrize(
    ("status", "stderr", "says"),
    [
        (
            127,
            "/usr/bin/bpftrace: error while loading shared libraries: libbcc.so.0: cannot open shared object file\n",
            "does not start: error while loading shared libraries: libbcc.so.0",
        ),
        (
            1,
            "bpftrace: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by bpftrace)\n",
            "version `GLIBC_2.38' not found",
        ),
        (
            127,
            "Error loading shared library libLLVM-17.so: No such file (needed by /usr/bin/bpftrace)\n"
            "Error relocating /usr/bin/bpftrace: _ZN4llvm: symbol not found\n",
            "libLLVM-17.so",
        ),
        (
            127,
            "bpftrace: symbol lookup error: bpftrace: undefined symbol: bpf_map__set\n",
            "undefined symbol",
        ),
        (-4, "", "SIGILL"),
        (3, "", "status 3"),
    ],
)
def test_everything_of_bpftrace_waits_for_its_start(status: int, stderr: str, says: str) -> None:
    report = report_on(installed().command(VERSION, status=status, stderr=stderr).recording())
    assert start_of(report).status is Status.FAIL
    assert says in start_of(report).summary
    assert set(works(report, "bpftrace").values()) == {Works.FAILS}
    assert all(says in c.because for c in report.capabilities if c.tool == "bpftrace")
    assert says in report.verdict.summary
    assert "--reinstall bpftrace" in report.verdict.next


def test_its_own_release_is_the_packages() -> None:
    """What an older release could not do is no reason where no release starts."""
    report = report_on(installed().command(VERSION, status=127, stderr="libX\n").recording())
    assert report.machine.bpftrace == "0.23.2"


def test_one_that_comes_before_the_packages() -> None:
    described = installed().program("bpftrace", "/opt/bin/bpftrace")
    described.command(
        "/opt/bin/bpftrace --version", status=127, stderr="libLLVM.so.15: cannot open shared object file\n"
    )
    report = report_on(described.recording())
    assert "/opt/bin/bpftrace" in report.verdict.next and "/usr/bin/bpftrace" in report.verdict.next


def test_a_program_for_another_c_library() -> None:
    """execve(2) says ENOENT of a file that is there: its loader is not."""
    described = installed()
    del described.commands["/usr/bin/bpftrace", "--version"]
    described.refused_commands["/usr/bin/bpftrace", "--version"] = errno.ENOENT
    report = report_on(described.recording())
    assert start_of(report).status is Status.FAIL
    assert "interpreter" in start_of(report).summary


def test_what_was_not_tried_loses_nothing_and_says_so() -> None:
    described = installed()
    del described.commands["/usr/bin/bpftrace", "--version"]
    report = report_on(described.recording())
    assert start_of(report).status is Status.UNKNOWN
    hello = next(c for c in report.capabilities if c.id == "hello")
    assert hello.status is Works.WORKS and "tools.bpftrace-start" in hello.findings


def test_bcc_without_its_library() -> None:
    stderr = "Traceback (most recent call last):\nOSError: libbcc.so.0: cannot open shared object file\n"
    described = machines.bcc_starts(known.complete(), status=1, stderr=stderr)
    report = report_on(described.recording())
    assert works(report, "BCC") == {"bcc-tools": Works.FAILS}
    assert "libbcc.so.0" in next(c.because for c in report.capabilities if c.id == "bcc-tools")
    assert Works.FAILS not in works(report, "bpftrace").values()


def test_bcc_for_a_python_that_is_not_there() -> None:
    described = machines.bcc_starts(known.complete())
    described.file("/usr/sbin/execsnoop-bpfcc", "#!/usr/bin/env python\n", mode=0o755)
    described.programs["python"] = None
    report = report_on(described.recording())
    assert "asks for python" in start_of(report, "bcc").summary


def test_a_recording_that_does_not_know_the_interpreter() -> None:
    described = machines.bcc_starts(known.complete())
    described.file("/usr/sbin/execsnoop-bpfcc", "#!/usr/bin/env python\n", mode=0o755)
    report = report_on(described.recording())
    assert start_of(report, "bcc").status is Status.UNKNOWN
    assert works(report, "BCC") != {"bcc-tools": Works.FAILS}
