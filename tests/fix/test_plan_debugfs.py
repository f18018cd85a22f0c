"""debugfs in the plan: for tools that look for tracefs below it, and for BCC's list of functions not to be probed."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdiag.checking.analysis import analyse
from kdiag.fix.options import Options
from kdiag.fix.plan.compose import make_plan
from kdiag.fix.store.places import Places
from kdiag.machine import Machine
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import builtin


def with_bcc(*, debugfs: bool = False) -> Description:
    described = machines.debian_headers(machines.mounted(machines.linux(), debugfs=debugfs))
    described.file("/usr/lib/x86_64-linux-gnu/libbcc.so.0.26.0", b"\x7fELF")
    return machines.bcc_starts(described)


def steps(described: Description, home: Path, *tools: str) -> list[str]:
    registry = builtin()
    machine = Machine(described.recording())
    report = analyse(machine, registry, registry.checks, tools=tools)
    places = Places(home / "headers", (home / "headers",), home / "state", home / "modules")
    return [step.id for step in make_plan(machine, report, places, Options(tools=tools)).steps]


@pytest.mark.parametrize(
    ("tools", "debugfs", "planned"),
    [(("bcc",), False, True), (("bcc",), True, False), (("bpftrace",), False, False)],
    ids=["bcc", "mounted already", "bpftrace does without"],
)
def test_debugfs_is_mounted_for_who_reads_it(
    tmp_path: Path, tools: tuple[str, ...], debugfs: bool, planned: bool
) -> None:
    assert ("debugfs.mount" in steps(with_bcc(debugfs=debugfs), tmp_path, *tools)) is planned


def test_a_kernel_without_kprobes_has_no_list_to_mount(tmp_path: Path) -> None:
    described = with_bcc().remove("/sys/bus/event_source/devices/kprobe", "/sys/kernel/tracing/kprobe_events")
    assert "debugfs.mount" not in steps(described, tmp_path, "bcc")
