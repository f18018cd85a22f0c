"""kdiag as it is typed: a process of its own, started in the repository, or in this process."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from typer.testing import CliRunner

from kdiag.cli.app import application
from tests.support.paths import REPOSITORY
from tests.support.waiting import HANG


def kdiag(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What it prints, and how it ends."""
    return subprocess.run(
        [sys.executable, "-m", "kdiag", *arguments],
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
        cwd=REPOSITORY,
    )


def in_process(arguments: Sequence[str]) -> Any:
    """The same in this process, as click's Result, for what needs no real streams.

    click before 8.2 keeps the two streams apart where it is told to; today's knows nothing else.
    """
    told = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}
    return CliRunner(**told).invoke(application([]), [*arguments])
