"""The pytest plug-in, in sessions of its own, as a stranger's project would have it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from kdiag.model import Works
from kdiag.report.faces.json import render
from tests.support.report_samples import everything, live

pytest_plugins = ("pytester",)

TESTS = """
import pytest

@pytest.mark.requires_capability("works", "caveat")
def test_works(): pass

@pytest.mark.requires_capability("works", "broken")
def test_broken(no_fixture_is_set_up): pass

@pytest.mark.requires_capability("unsure")
@pytest.mark.requires_capability("bcc-other")
def test_unsure(): pass

def test_fixture(kdiag):
    assert kdiag.finding("a.root").status.value == "fail"
"""


@pytest.fixture
def session(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with the plug-in and a stored report."""
    pytester.makefile(".json", report=render(everything()))
    pytester.makepyfile(TESTS)
    pytester.makeconftest(
        "import pytest\n@pytest.fixture\ndef no_fixture_is_set_up(): raise AssertionError('set up')\n"
    )
    return pytester


def run(session: pytest.Pytester, *options: str) -> pytest.RunResult:
    """With the plug-in once: by its name, as long as no installed entry point loads it."""
    installed = any(e.value == "kdiag.pytest_plugin" for e in entry_points(group="pytest11"))
    load = () if installed else ("-p", "kdiag.pytest_plugin")
    return session.runpytest_inprocess(*load, "--strict-markers", "-rs", "-p", "no:cacheprovider", *options)


def test_what_is_missing_skips_with_the_reason(session: pytest.Pytester) -> None:
    result = run(session, "--kdiag-report=report.json")
    result.assert_outcomes(passed=2, skipped=2)
    told = result.stdout.str()
    assert "broken does not work here: why broken is fails (as root it would)" in told
    assert "bcc-other does not work here: why bcc-other is fails; unsure cannot be told here: why" in told


def test_skips_become_failures_where_all_is_expected(session: pytest.Pytester) -> None:
    result = run(session, "--kdiag-report=report.json", "--kdiag-missing=fail")
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(["*broken does not work here: why broken is fails*"])


def test_mistakes_in_marks_are_told(session: pytest.Pytester) -> None:
    session.makepyfile(
        """
import pytest
@pytest.mark.requires_capability("brokn")
def test_name(): pass
@pytest.mark.requires_capability
def test_none(): pass
@pytest.mark.requires_capability(3)
def test_number(): pass
"""
    )
    result = run(session, "--kdiag-report=report.json")
    assert result.parseoutcomes().get("passed", 0) == 0 and result.ret != 0
    told = result.stdout.str()
    assert "no capability is called 'brokn'; did you mean broken?" in told
    assert told.count("requires_capability takes names of capabilities") >= 2


@pytest.mark.parametrize(
    ("text", "message"), [("{}", "schema: expected a string, found nothing"), (None, "No such file")]
)
def test_a_report_that_cannot_be_read_is_told(
    text: str | None, message: str, session: pytest.Pytester
) -> None:
    path = Path("report.json")
    path.unlink()
    if text is not None:
        path.write_text(text)
    result = run(session, "--kdiag-report=report.json")
    assert result.ret != 0 and result.parseoutcomes().get("passed", 0) == 0
    told = result.stdout.str() + result.stderr.str()
    assert "--kdiag-report report.json: " in told and message in told


@pytest.mark.live
def test_this_machine_is_looked_at_once(session: pytest.Pytester) -> None:
    works = [c.id for c in live().capabilities if c.status in (Works.WORKS, Works.CAVEAT)]
    missing = [c.id for c in live().capabilities if c.id not in works]
    session.makepyfile(
        f"""
import pytest
from kdiag.model import Report
reports = []
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.requires_capability(n)) for n in {works + missing}])
def test_name(name, kdiag):
    assert isinstance(kdiag, Report)
    reports.append(id(kdiag))
    assert len(set(reports)) == 1
"""
    )
    run(session).assert_outcomes(passed=len(works), skipped=len(missing))


def test_the_plugin_is_light() -> None:
    """It is loaded into every session of every project that has kdiag installed."""
    code = "import sys, kdiag.pytest_plugin; print({m for m in sys.modules if m.startswith('kdiag')})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert eval(done.stdout) == {"kdiag", "kdiag.model", "kdiag.pytest_plugin", "kdiag.words"}


@pytest.mark.slow
def test_the_machine_is_not_looked_at_for_others(session: pytest.Pytester) -> None:
    session.makeconftest(
        "import kdiag.pytest_plugin\ndef refuse(): raise AssertionError('looked')\nkdiag.pytest_plugin._look = refuse\n"
    )
    session.makepyfile("def test_other(): pass\n")
    run(session).assert_outcomes(passed=1)
    session.makepyfile("def test_asks(kdiag): pass\n")
    run(session).assert_outcomes(errors=1)


def test_the_marker_is_documented(session: pytest.Pytester) -> None:
    result = run(session, "--markers")
    result.stdout.fnmatch_lines(
        ["@pytest.mark.requires_capability(name, ...): skip unless these capabilities*"]
    )
