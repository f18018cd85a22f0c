"""What kdiag says in containers as they were seen under the real docker and podman: what works, why not, which line."""

from __future__ import annotations

import pytest

from kdiag.model import Report, Status, Works
from tests.support.engine_cells import EngineCell, cells
from tests.support.reports import report_on


def status(report: Report, finding_id: str) -> Status:
    found = report.finding(finding_id)
    assert found is not None, finding_id
    return found.status


@pytest.mark.parametrize("name", cells())
def test_a_container(name: str) -> None:
    cell = cells()[name]
    report = report_on(cell.build().recording())
    predicted = {c.id: c.status for c in report.capabilities if c.id in cell.works}
    assert {i: s is not Works.FAILS for i, s in predicted.items()} == cell.works
    assert Works.UNKNOWN not in predicted.values()
    assert {i: status(report, i) for i in cell.because} == dict.fromkeys(cell.because, Status.FAIL)
    assert line(report) == cell.line
    blamed = {
        i
        for i in ("privileges.seccomp", "privileges.lsm", "privileges.userns")
        if status(report, i) is Status.FAIL
    }
    if cell.because:
        assert blamed == blamed & {*cell.because}, "what does not refuse is not blamed"


def line(report: Report) -> str:
    remedies = (r for f in report.findings for r in f.remedies)
    return next((r.commands[0] for r in remedies if r.id == "container.run" and r.commands), "")


def test_each_kind_is_there() -> None:
    """Both engines, and each thing that can refuse."""
    runs = " ".join(cell.run for cell in cells().values())
    assert "docker run" in runs and "podman run" in runs
    assert {i for cell in cells().values() for i in cell.because} >= KINDS


KINDS = {
    *("privileges.capabilities", "privileges.seccomp", "privileges.lsm", "privileges.userns"),
    *("tracing.tracefs", "sysctl.kernel.perf_event_paranoid"),
}


def test_the_lines_were_tried() -> None:
    """Each line that is printed was started, too, and everything required worked in it."""
    tried = {cell.run: cell for cell in cells().values()}
    for cell in cells().values():
        if cell.line:
            assert all(works(tried[cell.line.removeprefix("sudo ")]).values()), cell.name


def works(cell: EngineCell) -> dict[str, bool]:
    return {i: cell.works[i] for i in ("hello", "tracepoint-args", "tracepoint-net", "tracepoint-sched")}
