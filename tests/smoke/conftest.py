from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kdiag.smoke.cause import Cause, start

SOURCE = Path(__file__).with_name("fake_bpftrace.py")


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """An executable that stands in for bpftrace; the environment variable FAKE says how it behaves."""
    program = tmp_path / "bpftrace"
    program.write_text(f"#!{sys.executable} -IS\n{SOURCE.read_text(encoding='utf-8')}", encoding="utf-8")
    program.chmod(0o755)
    return program


@pytest.fixture
def behaving() -> Callable[[str], dict[str, str]]:
    """The environment in which the fake behaves so."""
    return lambda how: {**os.environ, "FAKE": how}


@pytest.fixture(scope="session")
def shared_cause() -> Iterator[Cause]:
    cause = start()
    yield cause
    cause.end()


@pytest.fixture
def cause(shared_cause: Cause) -> Cause:
    """The process that causes events, with nothing left from another test."""
    while not shared_cause.idle:
        shared_cause.hear()
    shared_cause.forget()
    return shared_cause
