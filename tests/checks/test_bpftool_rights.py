"""What bpftool's commands ask for: a capability of its own for `feature probe`, root where it has no libcap."""

from __future__ import annotations

import re

import pytest

from kdiag.capabilities.definitions import DEFINITIONS
from kdiag.knowledge.tools.bpftool_rights import FEATURE, RIGHTS
from kdiag.machine.privileges import CAPABILITIES
from kdiag.model import Status, Works
from kdiag.smoke.programs import PROGRAMS
from tests.support import known_machines as known
from tests.support import machines
from tests.support.description import Description
from tests.support.paths import REPOSITORY
from tests.support.programs import elf
from tests.support.reports import builtin, finding_of, report_on

PATH = "/usr/sbin/bpftool"
WITH, WITHOUT = ("libelf.so.1", "libcap.so.2", "libc.so.6"), ("libelf.so.1", "libc.so.6")
NO_NET = ("CAP_NET_ADMIN",)


def bpftool(*libraries: str) -> Description:
    return known.complete().file(PATH, elf(*libraries), mode=0o755)


@pytest.mark.parametrize(
    ("libraries", "without", "status"),
    [
        (WITH, (), Status.OK),
        (WITH, NO_NET, Status.FAIL),
        (WITH, ("CAP_BPF", "CAP_PERFMON"), Status.FAIL),
        (WITHOUT, NO_NET, Status.OK),
        ((), NO_NET, Status.UNKNOWN),
    ],
    ids=["all four", "no network", "CAP_SYS_ADMIN does not stand in", "no libcap", "static"],
)
def test_the_probe_asks_for_four(
    libraries: tuple[str, ...], without: tuple[str, ...], status: Status
) -> None:
    described = machines.answers(bpftool(*libraries), machines.without(*without))
    report = report_on(described.recording())
    finding = finding_of(report, "tools.bpftool-feature")
    assert finding.status is status, finding
    works = {c.id: c.status for c in report.capabilities}
    expected = {Status.OK: Works.WORKS, Status.FAIL: Works.FAILS, Status.UNKNOWN: Works.UNKNOWN}
    assert works["bpftool-feature"] is expected[status]
    assert works["bpftool"] is Works.WORKS, "the lists ask for nothing of the network"


def test_a_kernel_before_the_four() -> None:
    """bpftool asks such a kernel for CAP_SYS_ADMIN alone."""
    described = machines.linux("5.4.0-26-generic").program("bpftool", PATH).file(PATH, elf(*WITH), mode=0o755)
    described.command(f"{PATH} version", "bpftool v7.5.0\nusing libbpf v1.5\n")
    described.file("/proc/sys/kernel/cap_last_cap", "37\n")
    machines.answers(described, machines.mask("CAP_SYS_ADMIN"))
    report = report_on(described.recording())
    assert finding_of(report, "tools.bpftool-feature").status is Status.OK


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_in_a_container_the_line_gives_them(engine: str) -> None:
    held = machines.CONTAINER_CAPABILITIES | machines.mask("CAP_SYS_ADMIN", "CAP_BPF", "CAP_PERFMON")
    report = report_on(machines.container(bpftool(*WITH), held, kind=engine).recording())
    finding = finding_of(report, "tools.bpftool-feature")
    assert finding.status is Status.FAIL and "CAP_NET_ADMIN" in finding.summary
    line = finding.remedies[0].commands[0]
    assert line.startswith(f"{engine} run")
    assert all(name.removeprefix("CAP_") in line for name in FEATURE.capabilities), line


def test_a_list_without_its_right_says_how_to_get_it() -> None:
    held = machines.CONTAINER_CAPABILITIES | machines.mask("CAP_BPF", "CAP_PERFMON")
    described = machines.sysctls(machines.container(bpftool(*WITH), held), perf_event_paranoid=2)
    finding = finding_of(report_on(described.recording()), "bpf.listing")
    assert finding.status is Status.FAIL
    assert [r.id for r in finding.remedies] == ["container.listing"]
    assert "--cap-add SYS_ADMIN" in finding.remedies[0].commands[0]


def test_another_user_has_them_as_root() -> None:
    report = report_on(machines.user(bpftool(*WITH)).recording())
    mine = next(c for c in report.capabilities if c.id == "bpftool-feature")
    assert (mine.status, mine.with_root) == (Works.FAILS, Works.WORKS)


def test_ubuntus_script_is_asked_for_the_program_behind_it() -> None:
    described = known.complete().file(PATH, "#!/bin/bash\n", mode=0o755)
    described.file(f"/usr/lib/linux-tools/{described.release}/bpftool", elf(*WITH), mode=0o755)
    machines.answers(described, machines.without(*NO_NET))
    assert finding_of(report_on(described.recording()), "tools.bpftool-feature").status is Status.FAIL


def test_the_table_names_capabilities_and_is_in_the_documentation() -> None:
    told = (REPOSITORY / "docs" / "tools.md").read_text()
    for row in RIGHTS:
        assert {name.removeprefix("CAP_") for name in row.capabilities} <= {*CAPABILITIES}
        assert all(f"`{command}`" in told for command in row.commands), row
        assert row.source in told


def test_the_documentation_names_findings_and_capabilities_that_there_are() -> None:
    told = (REPOSITORY / "docs" / "tools.md").read_text()
    findings = {i for found in builtin().checks for i in found.check.finding_ids}
    parts = {definition.id for definition in DEFINITIONS}
    named = set(re.findall(r"`((?:headers|tools|btf|tracing)\.[a-z-]+)`", told))
    assert named and named <= findings, named - findings
    assert {*re.findall(r"`((?:core|bcc|bpftool)-[a-z]+)`", told)} <= parts
    assert {i for i in parts if i.startswith("core-") and i not in ("core-tools", "core-stock")} <= {
        *re.findall(r"`(core-[a-z]+)`", told)
    }


def test_smoke_runs_what_the_table_has() -> None:
    commands = [command for row in RIGHTS for command in row.commands]
    needs = {one.id: one.needs for one in PROGRAMS if one.tool == "bpftool"}
    assert needs["bpftool-feature"] == ("bpftool-feature",)
    assert {"bpftool prog list", "bpftool feature probe", "bpftool btf dump file"} <= {*commands}
