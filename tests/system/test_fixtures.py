"""Every recorded and every described machine gives a report without a defect, and the fixtures give the right one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from kdiag.model import Readiness, Report, Status
from kdiag.report.faces.json import render as render_json
from kdiag.report.faces.text import render as render_text
from kdiag.system.recording import Recording
from tests.support import known_machines
from tests.support.on_disk import OnDisk, write_machine
from tests.support.paths import FIXTURES
from tests.support.reports import report_on

OK, WARN, FAIL, UNKNOWN, SKIP = Status.OK, Status.WARN, Status.FAIL, Status.UNKNOWN, Status.SKIP

#: Directory -> (verdict, {finding: status}).
EXPECTED: dict[str, tuple[Readiness, Mapping[str, Status]]] = {
    "minimal": (Readiness.UNKNOWN, {"kernel.running": OK, "kernel.identity": OK, "btf.vmlinux": UNKNOWN}),
    "docker-desktop-old": (
        Readiness.NOT_READY,
        {"btf.vmlinux": FAIL, "config.DEBUG_INFO_BTF": FAIL, "headers.package": FAIL, "environment.container": WARN},
    ),
    "gvisor": (Readiness.NOT_READY, {"environment.vm": FAIL, "bpf.map": FAIL, "tracing.tracefs": FAIL}),
    "user-namespace": (Readiness.NOT_READY, {"privileges.userns": FAIL, "bpf.map": FAIL, "btf.vmlinux": OK}),
    "wrong-recipe": (Readiness.NOT_READY, {"headers.env": FAIL, "headers.intact": FAIL, "btf.vmlinux": OK}),
    "wsl1": (Readiness.NOT_READY, {"environment.vm": FAIL, "bpf.map": FAIL}),
    "wsl2-6.18": (Readiness.NOT_READY, {"config.source": UNKNOWN, "btf.vmlinux": OK, "tools.bpftrace": FAIL}),
    "cos": (Readiness.NOT_READY, {"tools.bpftrace": FAIL, "btf.vmlinux": OK, "headers.tree": FAIL}),
    "docker-desktop": (Readiness.READY, {"btf.vmlinux": OK, "headers.package": FAIL, "kheaders.module": FAIL}),
    "kind-node": (Readiness.READY, {"headers.tree": FAIL, "environment.container": WARN}),
    "orbstack-amd64-machine": (Readiness.NOT_READY, {"kernel.arch": FAIL, "btf.vmlinux": FAIL}),
    "orbstack-container": (Readiness.READY, {"kheaders.archive": OK, "headers.package": FAIL}),
    "raspberry-pi": (Readiness.NOT_READY, {"btf.vmlinux": FAIL}),
    "talos": (Readiness.NOT_READY, {"kernel.lockdown": FAIL, "headers.package": FAIL, "btf.vmlinux": OK}),
    # Ubuntu's bpftrace 0.14, and nothing of it but the version.
    "wsl2-5.15": (
        Readiness.UNKNOWN,
        {"config.source": OK, "btf.vmlinux": OK, "kheaders.module": FAIL, "tools.bpftrace-begin": UNKNOWN},
    ),
    "lab-6.12-btf-kheaders": (Readiness.READY, {"btf.vmlinux": OK, "kheaders.module": WARN, "headers.tree": FAIL}),
    "lab-6.12-nobtf-kheaders": (Readiness.NOT_READY, {"btf.vmlinux": FAIL, "kheaders.module": WARN}),
    "debian-6.12-headers": (Readiness.READY, {"headers.tree": OK, "headers.package": OK, "kheaders.module": FAIL}),
    "debian-6.12-half-headers": (Readiness.NOT_READY, {"headers.intact": FAIL, "headers.package": FAIL}),
    "debian-6.12-lockdown": (Readiness.NOT_READY, {"kernel.lockdown": FAIL}),
    "debian-6.12-arm64-wrong-arch": (Readiness.READY, {"headers.tree": FAIL, "headers.env": FAIL, "btf.vmlinux": OK}),
    "container-without-tracefs": (
        Readiness.NOT_READY,
        {"tracing.tracefs": FAIL, "environment.container": WARN, "privileges.capabilities": FAIL},
    ),
    "firecracker": (
        Readiness.NOT_READY,
        {
            "tracing.tracefs": FAIL,
            "tracing.kprobes": FAIL,
            "kernel.modules": FAIL,
            "kheaders.module": FAIL,
            "btf.vmlinux": OK,
            "bpf.fentry": FAIL,
            "tools.bpftrace": OK,
            "privileges.memlock": OK,
        },
    ),
}  # fmt: skip


def is_whole(report: Report) -> None:
    """No check failed itself, ids are unique, and the report can be shown."""
    assert not [f for f in report.findings if "the check itself failed" in f.summary]
    ids = [f.id for f in report.findings]
    assert len(set(ids)) == len(ids)
    assert json.loads(render_json(report))["findings"]
    text = render_text(report, width=80, color=False, verbose=True, unicode=False)
    # Paths and commands are not cut: they are to be copied.
    prose = [
        line
        for line in text.splitlines()
        if "/" not in line and "$ " not in line and not line.startswith("Next:")
    ]
    assert max(map(len, prose)) <= 80


def test_every_fixture_is_expected() -> None:
    assert sorted(EXPECTED) == sorted(path.name for path in FIXTURES.iterdir() if path.is_dir())


@pytest.mark.parametrize("name", EXPECTED)
def test_fixture(name: str) -> None:
    directory = FIXTURES / name
    size = sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
    # A real kernel's BTF is 1 MB compressed; machines described by hand bring a small one.
    assert size < (1_600_000 if any(directory.rglob("vmlinux.xz")) else 200_000)
    report = report_on(Recording(directory))
    is_whole(report)
    verdict, statuses = EXPECTED[name]
    got = {finding_id: report.finding(finding_id) for finding_id in statuses}
    assert {k: f and f.status for k, f in got.items()} == statuses, got
    assert report.verdict.status is verdict, report.verdict


def test_the_least_that_is_a_recording() -> None:
    """Three files. All that they do not tell is unknown; nothing is called missing, nothing fine."""
    directory = FIXTURES / "minimal"
    assert len([file for file in directory.rglob("*") if file.is_file()]) == 3
    report = report_on(Recording(directory))
    told = {"kernel.running", "kernel.identity", "headers.package"}
    for finding in report.findings:
        if finding.id not in told and finding.status is not SKIP:
            assert finding.status is UNKNOWN, finding


@pytest.mark.slow
@pytest.mark.parametrize("name", known_machines.BY_NAME)
def test_described_machine(name: str, tmp_path: Path) -> None:
    """A description written as a recording and one written as real files are the same machine."""
    described = known_machines.BY_NAME[name]()
    recorded = report_on(Recording(described.write(tmp_path / "recorded")))
    is_whole(recorded)
    if described.refused:
        return  # real files cannot refuse root
    written = report_on(OnDisk(described, write_machine(described, tmp_path / "real")))
    assert {f.id: f.status for f in written.findings} == {f.id: f.status for f in recorded.findings}
    assert written.capabilities == recorded.capabilities
