"""What the tests share: machines to examine, and skipping that can be forbidden.

`KDIAG_TEST_STRICT=1` turns every skip for something that is missing (bpftool, bpftrace, root, ...) into a failure: run
the tests so where all of it is expected to be there. A test says what it needs with `need(condition, "what")`.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

from fixtures_builder import World

from kdiag.capabilities.definitions import DEFAULT_REQUIRED
from kdiag.checking.analysis import analyse
from kdiag.checking.registry import Registry, discover
from kdiag.machine import Machine
from kdiag.model import Report
from kdiag.system import System
from tests.support.slow import is_slow

REPOSITORY = Path(__file__).parents[1]
FIXTURES = REPOSITORY / "fixtures"

# How long an example or its making takes says something about the machine, not about kdiag.
settings.register_profile("kdiag", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kdiag")

STRICT = os.environ.get("KDIAG_TEST_STRICT", "") not in ("", "0")

Examine = Callable[[World], Report]


def need(there: object, what: str) -> None:
    """Skip unless `there` is true; fail instead where KDIAG_TEST_STRICT is set."""
    if there:
        return
    if STRICT:
        pytest.fail(f"KDIAG_TEST_STRICT is set, and this is missing: {what}")
    pytest.skip(f"needs {what}")


def need_root() -> None:
    """Skip (or fail) unless this is root."""
    need(os.geteuid() == 0, "root")


def need_program(name: str) -> str:
    """The path of a program on PATH; skip (or fail) without."""
    path = shutil.which(name)
    need(path, name)
    assert path is not None
    return path


def as_user(uid: int, work: Callable[[], str]) -> str:
    """What `work` returns when done by another user, in a child of this process."""
    need_root()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            text = work()
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(write, text.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        text = answer.read().decode()
    os.waitpid(child, 0)
    return text


@cache
def builtin() -> Registry:
    """The built-in checks, found as kdiag finds them."""
    registry = discover(plugins=False)
    assert registry.checks, "kdiag is not installed here: pip install -e ."
    return registry


def report_on(system: System, required: tuple[str, ...] = DEFAULT_REQUIRED) -> Report:
    """The whole report on a system, by the built-in checks."""
    registry = builtin()
    return analyse(Machine(system), registry, registry.checks, required)


@pytest.fixture
def examine() -> Examine:
    """A function that plays a world back as a recording and reports on it."""
    return lambda world: report_on(world.recording())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what is seen to be (`tests.support.slow`)."""
    for item in items:
        if isinstance(item, pytest.Function) and is_slow(item):
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The coverage of reported problems is a number that everybody sees."""
    cases = sys.modules.get("test_cases")
    if cases is not None:
        terminalreporter.write_line(cases.summary())
