"""What pytest is told: the profile of generated tests, what is slow, and machines to examine."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import cases, left_out
from tests.support.reports import Examine, report_on
from tests.support.slow import is_slow

# How long an example or its making takes says something about the machine, not about kdiag.
settings.register_profile("kdiag", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kdiag")

# What a shell without job control starts in the background ignores SIGINT (POSIX, 2.11), and what nohup starts SIGHUP;
# so would all that tests start.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


@pytest.fixture
def examine() -> Examine:
    """A function that plays a described machine back as a recording and reports on it."""
    return lambda described: report_on(described.recording())


@pytest.fixture
def shared_path() -> Iterator[Path]:
    """As tmp_path, for tests in which another user takes part: no other session of pytest closes the way to it."""
    with tempfile.TemporaryDirectory(prefix="kdiag-test-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what is seen to be (`tests.support.slow`)."""
    for item in items:
        if isinstance(item, pytest.Function) and is_slow(item):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails for lack of a recording is skipped where the source distribution left that out.

    The failure names the recording, or the file of the test does: what a program answers without it need not.
    """
    report = yield
    if report.failed and (name := left_out.asked_for(report.longreprtext) or _of_the_file(item.path)):
        path, line, _ = item.location
        report.outcome = "skipped"
        report.longrepr = (path, line or 0, left_out.reason(name))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A file of tests that reads such a recording as it is imported is skipped as a whole."""
    report = yield
    if report.failed and (name := left_out.asked_for(report.longreprtext)):
        report.outcome = "skipped"
        report.longrepr = (str(collector.path), 0, left_out.reason(name))
    return report


def _of_the_file(path: Path) -> str:
    return left_out.asked_for(path.read_text(encoding="utf-8")) if left_out.names() else ""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The coverage of reported problems is a number that everybody sees."""
    reports = (one for several in terminalreporter.stats.values() for one in several)
    if any(getattr(one, "nodeid", "").startswith("tests/test_cases.py") for one in reports):
        terminalreporter.write_line(cases.summary())
