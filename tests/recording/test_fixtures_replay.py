"""Every recorded machine in fixtures/ gives a report, and no check fails on it by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdiag.recording.pack import opened
from kdiag.report.document import load
from kdiag.report.faces.json import render
from tests.support.paths import FIXTURES
from tests.support.reports import report_on

DIRECTORIES = sorted(path.parent for path in FIXTURES.glob("*/recording.json"))


def test_there_are_fixtures() -> None:
    assert DIRECTORIES


@pytest.mark.slow
@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda path: path.name)
def test_replay(directory: Path) -> None:
    report = report_on(opened(str(directory)))
    assert len(report.findings) > 50
    assert report.capabilities
    for finding in report.findings:
        assert "the check itself failed" not in finding.summary, finding
    assert load(render(report)).findings == report.findings
