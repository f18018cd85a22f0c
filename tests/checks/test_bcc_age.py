"""BCC compiles the kernel's headers with a bpf.h of its own: too old a one cannot."""

from __future__ import annotations

import pytest

from kdiag.knowledge.tools.bcc_history import unmet
from kdiag.model import Report, Status
from tests.support import machines
from tests.support.reports import report_on


def with_bcc(release: str, version: str) -> Report:
    described = machines.bcc_starts(machines.linux(release))
    return report_on(described.file(f"/usr/lib/x86_64-linux-gnu/libbcc.so.{version}", b"\x7fELF").recording())


@pytest.mark.parametrize(
    ("release", "version", "status", "said"),
    [
        ("6.1.0-50-amd64", "0.26.0", Status.OK, "new enough"),
        ("6.12.117+deb12-amd64", "0.26.0", Status.WARN, "linux/bpf.h"),
        ("6.12.117+deb13-amd64", "0.31.0", Status.OK, "new enough"),
        ("6.18.2-arch1-1", "0.35.0", Status.WARN, "linux/bpf.h"),
        ("6.19.1-arch1-1", "0.36.1", Status.WARN, "pid_namespace"),
        ("7.0.0", "0.36.1", Status.FAIL, "linux/fs.h"),
        ("7.0.0", "0.37.0", Status.OK, "new enough"),
    ],
)
def test_what_is_said(release: str, version: str, status: Status, said: str) -> None:
    finding = with_bcc(release, version).finding("headers.bcc-age")
    assert finding is not None
    assert finding.status is status
    assert said in finding.summary


def test_the_newest_requirement_is_said_with_the_release_that_meets_it() -> None:
    found = unmet((6, 12, 0), (0, 20, 0))
    assert found is not None
    assert (found.kernel, found.bcc) == ((6, 10, 0), (0, 31, 0))
    assert unmet((5, 10, 0), (0, 18, 0)) is None
