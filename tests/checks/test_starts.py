"""A tool that does not start: its first words are the reason for all that it could do otherwise."""

from __future__ import annotations

import errno

import pytest

from kdiag.model import Finding, Report, Status, Works
from tests.support import known_machines as known
from tests.support import machines
from tests.support.description import Description
from tests.support.programs import elf
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
    assert set(works(report, "BCC").values()) == {Works.FAILS}
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


# -- bpftool -----------------------------------------------------------------------------------------------------------

WRAPPER = """WARNING: bpftool not found for kernel 6.8.0-40

  You may need to install the following packages for this specific kernel:
    linux-tools-6.8.0-40-generic
"""


def bpftool_of(report: Report) -> Works:
    return next(c.status for c in report.capabilities if c.id == "bpftool")


def ubuntu(release: str = "6.8.0-40-generic", builder: str = "buildd@lcy02-amd64-078") -> Description:
    described = machines.linux(release, machines.UBUNTU_2404, builder=builder)
    described.program("bpftool", "/usr/sbin/bpftool")
    return described.command("/usr/sbin/bpftool version", status=2, stderr=WRAPPER)


def test_ubuntus_script_without_the_tools_of_this_kernel() -> None:
    described = ubuntu().file("/usr/lib/linux-tools/6.8.0-31-generic/bpftool", b"\x7fELF", mode=0o755)
    report = report_on(described.recording())
    found = start_of(report, "bpftool")
    assert found.status is Status.FAIL and "not found for kernel 6.8.0-40" in found.summary
    commands = [command for remedy in found.remedies for command in remedy.commands]
    assert any(command.endswith("install linux-tools-6.8.0-40-generic") for command in commands), commands
    assert "/usr/lib/linux-tools/6.8.0-31-generic/bpftool version" in commands
    assert bpftool_of(report) is Works.FAILS


def test_no_package_is_named_for_a_kernel_that_ubuntu_did_not_build() -> None:
    """An image of Ubuntu on WSL's kernel: linux-tools-5.15.153.1-microsoft-standard-WSL2 is nowhere."""
    described = ubuntu("5.15.153.1-microsoft-standard-WSL2", "root@65c757a075e2")
    found = start_of(report_on(described.recording()), "bpftool")
    assert found.status is Status.FAIL
    commands = [command for remedy in found.remedies for command in remedy.commands]
    assert not any(described.release in command for command in commands)
    assert commands[-1].endswith("linux-tools-generic")


def test_bpftool_that_was_not_tried_loses_nothing() -> None:
    described = known.complete()
    del described.commands["/usr/sbin/bpftool", "version"]
    report = report_on(described.recording())
    assert start_of(report, "bpftool").status is Status.UNKNOWN
    assert "bpftool" in {c.id for c in report.capabilities if c.status is not Works.FAILS}


# -- judged from their files, where they are not run -------------------------------------------------------------------

HOME = "/usr/lib/x86_64-linux-gnu"


def without_running(*argv: str) -> Description:
    described = machines.bcc_starts(known.complete())
    described.commands.pop(argv)
    return described.file("/usr/bin/python3", elf("libc.so.6"), mode=0o755).file(f"{HOME}/libc.so.6", elf())


def test_a_library_that_is_not_there_is_seen_without_running() -> None:
    described = without_running("/usr/bin/bpftrace", "--version")
    described.file("/usr/bin/bpftrace", elf("libc.so.6", "libLLVM-14.so.1"), mode=0o755)
    report = report_on(described.recording())
    assert "libLLVM-14.so.1, which /usr/bin/bpftrace needs" in start_of(report).summary
    assert set(works(report, "bpftrace").values()) == {Works.FAILS}


@pytest.mark.parametrize(
    ("libraries", "says"),
    [
        ({}, "libbcc.so.0, which the module bcc loads"),
        ({"libbcc.so.0": elf("libLLVM-14.so.1", interpreter="")}, "libLLVM-14.so.1, which"),
        ({"libbcc.so.0": elf("libc.so.6", interpreter="")}, ""),
    ],
)
def test_bcc_by_the_libraries_of_its_module(libraries: dict[str, bytes], says: str) -> None:
    described = without_running("/usr/bin/python3", "-IBc", "import bcc")
    described.files({f"{HOME}/{name}": data for name, data in libraries.items()})
    found = start_of(report_on(described.recording()), "bcc")
    assert found.status is (Status.FAIL if says else Status.UNKNOWN), found
    assert says in found.summary
