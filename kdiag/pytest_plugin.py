"""A pytest plug-in for projects with eBPF tests: they say what they need, and skip with the reason where it is not.

    @pytest.mark.requires_capability("fentry")
    def test_my_fentry_program(): ...

    def test_on_a_kernel_with_btf(kdiag):
        if kdiag.finding("btf.vmlinux").status is not Status.OK: ...

`--kdiag-missing=fail` turns the skips into failures: for the CI jobs where everything is expected to be there. The
machine is looked at once a session, and only if a test asks.
"""

from __future__ import annotations

import pytest

from kdiag.model import Capability, Report, Works
from kdiag.words import did_you_mean

_KEY: pytest.StashKey[Report] = pytest.StashKey()
_MARK = "requires_capability"
_WORDS = {Works.FAILS: "does not work here", Works.UNKNOWN: "cannot be told here"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Our options, in a group of their own."""
    group = parser.getgroup("kdiag", "what can be traced with eBPF on this machine")
    group.addoption(
        "--kdiag-missing",
        choices=("skip", "fail"),
        default="skip",
        help="what becomes of tests whose capability is missing (default: skip)",
    )
    group.addoption(
        "--kdiag-report",
        metavar="FILE",
        default=None,
        help="take the capabilities from this report (kdiag check --format json) instead of this machine",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, for --strict-markers and --markers."""
    config.addinivalue_line(
        "markers",
        f"{_MARK}(name, ...): skip unless these capabilities of kdiag work here, perhaps with a caveat "
        "(kdiag list shows the names)",
    )


@pytest.fixture(scope="session")
def kdiag(pytestconfig: pytest.Config) -> Report:
    """What kdiag says about this machine: a `kdiag.model.Report`."""
    return _report(pytestconfig)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Decide before any fixture is set up."""
    names: list[str] = []
    for mark in item.iter_markers(_MARK):
        if not mark.args or mark.kwargs or not all(isinstance(name, str) for name in mark.args):
            pytest.fail(f"{_MARK} takes names of capabilities: @pytest.mark.{_MARK}('fentry')", pytrace=False)
        names += mark.args
    report = _report(item.config) if names else None
    missing = [
        told for name in dict.fromkeys(names) if report is not None and (told := _missing(name, report))
    ]
    if missing and item.config.getoption("--kdiag-missing") == "fail":
        pytest.fail("; ".join(missing), pytrace=False)
    if missing:
        pytest.skip("; ".join(missing))


def _missing(name: str, report: Report) -> str:
    """Why a capability is missing; empty where it is not."""
    capability = next((c for c in report.capabilities if c.id == name), None)
    if capability is None:
        known = [c.id for c in report.capabilities]
        hint = did_you_mean(name, known, lead="") or f"there are {', '.join(known)}"
        pytest.fail(f"{_MARK}: no capability is called {name!r}; {hint}", pytrace=False)
    return _reason(capability) if capability.status in _WORDS else ""


def _reason(capability: Capability) -> str:
    root = capability.with_root
    more = " (as root it would)" if root in (Works.WORKS, Works.CAVEAT) else ""
    because = f": {capability.because}" if capability.because else ""
    return f"{capability.id} {_WORDS[capability.status]}{because}{more}"


def _report(config: pytest.Config) -> Report:
    """The session's report, made or read once."""
    if _KEY not in config.stash:
        path = config.getoption("--kdiag-report")
        config.stash[_KEY] = _read(str(path)) if path else _look()
    return config.stash[_KEY]


def _look() -> Report:
    from kdiag.checking.analysis import analyse
    from kdiag.checking.registry import discover
    from kdiag.machine import Machine
    from kdiag.system.live import Live

    registry = discover()
    return analyse(Machine(Live("/")), registry, registry.checks)


def _read(path: str) -> Report:
    from kdiag.report.document import DOCUMENT_LIMIT, BadReport, load
    from kdiag.trust import read

    try:
        return load(read.user_file(path, DOCUMENT_LIMIT))
    except (OSError, BadReport) as error:
        raise pytest.UsageError(f"--kdiag-report {path}: {error}") from None
