"""kdiag as it is typed: a process of its own, started in the repository."""

from __future__ import annotations

import subprocess
import sys

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
