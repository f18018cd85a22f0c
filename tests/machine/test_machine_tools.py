"""Libraries and programs: those of this user space, which a machine of several architectures has beside others."""

from __future__ import annotations

import struct

import pytest

from kdiag.machine import Machine
from kdiag.model import Status
from kdiag.system import CommandResult
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import report_on

ELF = {
    "x86_64": (62, 2, 1),
    "i386": (3, 1, 1),
    "arm": (40, 1, 1),
    "loongarch64": (258, 2, 1),
    "mips": (8, 1, 1),
}


def interpreter(described: Description, machine: str) -> Description:
    number, bits, order = ELF[machine]
    kind = struct.pack("<HH" if order == 1 else ">HH", 2, number)
    head = b"\x7fELF" + bytes([bits, order, 1]) + bytes(9) + kind
    return described.file("/usr/bin/python3", head + bytes(44), mode=0o755)


@pytest.mark.parametrize(
    ("uname", "elf", "directory"),
    [
        ("x86_64", "x86_64", "x86_64-linux-gnu"),
        ("i686", "i386", "i386-linux-gnu"),
        ("x86_64", "i386", "i386-linux-gnu"),
        ("aarch64", "arm", "arm-linux-gnueabihf"),
        ("loongarch64", "loongarch64", "loongarch64-linux-gnu"),
        ("mips64", "mips", "mipsel-linux-gnu"),
    ],
)
def test_the_library_of_this_user_space(uname: str, elf: str, directory: str) -> None:
    described = interpreter(machines.linux(), elf).file(f"/usr/lib/{directory}/libbpf.so.1.2.0", b"\x7fELF")
    described.machine = uname
    assert Machine(described.recording()).tools.libbpfs == (
        (f"/usr/lib/{directory}/libbpf.so.1.2.0", (1, 2, 0)),
    )


def test_a_tool_is_started_once_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = machines.bpftrace(machines.linux(), "0.23.2").recording()
    asked: list[tuple[str, ...]] = []
    real = recording.run

    def run(argv: tuple[str, ...], timeout: float = 10.0) -> CommandResult:
        asked.append(argv)
        return real(argv, timeout)

    monkeypatch.setattr(recording, "run", run)
    tools = Machine(recording).tools
    assert tools.bpftrace is not None
    assert tools.bpftrace_start is not None
    assert [argv[1:] for argv in asked] == [("--version",)]


def test_another_architectures_library_is_none() -> None:
    """Beside it for cross builds: newer, and of no use to a program here."""
    described = machines.linux().file("/usr/lib/x86_64-linux-gnu/libbpf.so.1.1.0", b"\x7fELF")
    described.file("/usr/lib/s390x-linux-gnu/libbpf.so.1.6.0", b"\x7fELF")
    assert Machine(described.recording()).tools.libbpfs == (
        ("/usr/lib/x86_64-linux-gnu/libbpf.so.1.1.0", (1, 1, 0)),
    )


@pytest.mark.parametrize(
    ("held", "status", "says"),
    [
        (machines.mask("CAP_BPF", "CAP_PERFMON"), Status.OK, "is 1"),
        (machines.mask("CAP_PERFMON"), Status.WARN, "CAP_BPF or CAP_SYS_ADMIN"),
        (0, Status.WARN, "CAP_BPF or CAP_SYS_ADMIN"),
        (machines.ALL_CAPABILITIES, Status.OK, "is 1"),
    ],
)
def test_bpf_is_for_those_who_hold_a_capability(held: int, status: Status, says: str) -> None:
    """kernel.unprivileged_bpf_disabled is about users without any, root or not."""
    described = machines.sysctls(machines.user(machines.linux(), held), unprivileged_bpf_disabled=1)
    found = report_on(described.recording()).finding("sysctl.kernel.unprivileged_bpf_disabled")
    assert found is not None
    assert found.status is status and says in found.summary and "root" not in found.summary


def test_an_interpreter_that_cannot_be_read_leaves_the_rest_to_be_told() -> None:
    """A virtual environment below /root, and another user who asks."""
    described = machines.bpftrace(machines.linux(), "0.23.2").refuse("/usr/bin/python3")
    report = report_on(described.recording())
    found = report.finding("kernel.arch")
    assert found is not None and found.status is Status.OK
    assert Machine(described.recording()).tools.libbpfs
