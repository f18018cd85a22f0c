"""32-bit ARM: the kernel puts uprobes on ARM code only, and most distributions build Thumb."""

from __future__ import annotations

import pytest

from kdiag.model import Report, Status, Works
from tests.support import machines
from tests.support.description import Description
from tests.support.programs import elf
from tests.support.reports import finding_of, report_on

PYTHON = "/usr/bin/python3"


def arm(entry: int | None, machine: str = "armv7l") -> Description:
    """Entries as Debian's armhf has them (0x15f529), and Raspbian's for ARMv6 (even)."""
    described = machines.bpftrace(machines.linux(), "0.23.2")
    described.machine = machine
    if entry is None:
        return described.remove(PYTHON)
    program = bytearray(elf("libc.so.6", bits=32, machine=40))
    program[24:28] = entry.to_bytes(4, "little")
    return described.file(PYTHON, bytes(program), mode=0o755)


def works(report: Report) -> dict[str, Works]:
    return {c.id: c.status for c in report.capabilities}


@pytest.mark.parametrize(
    ("entry", "status"),
    [(0x15F529, Status.FAIL), (0x10480, Status.OK), (None, Status.UNKNOWN)],
    ids=["Thumb", "ARM", "not seen"],
)
def test_thumb_code_takes_no_uprobes(entry: int | None, status: Status) -> None:
    report = report_on(arm(entry).recording())
    assert finding_of(report, "tracing.thumb").status is status
    mine = works(report)
    expected = {Status.FAIL: Works.FAILS, Status.UNKNOWN: Works.UNKNOWN}.get(status)
    for capability in ("uprobe", "usdt"):
        assert mine[capability] is expected or expected is None, capability
    assert (mine["uprobe"] is not Works.FAILS) is (status is not Status.FAIL)
    assert mine["kprobe"] is not Works.FAILS, "the kernel itself takes both"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_others_are_not_asked(machine: str) -> None:
    report = report_on(arm(0x15F529, machine).recording())
    assert finding_of(report, "tracing.thumb").status is Status.SKIP
