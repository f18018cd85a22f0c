"""What a test needs to be there, and skipping that can be forbidden.

`KDIAG_TEST_STRICT=1` turns every skip for something that is missing (bpftool, bpftrace, root, ...) into a failure: run
the tests so where all of it is expected to be there. A test says what it needs with `need(condition, "what")`.
"""

from __future__ import annotations

import os
import shutil

import pytest

STRICT = os.environ.get("KDIAG_TEST_STRICT", "") not in ("", "0")


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
