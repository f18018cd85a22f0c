"""Starting `drive.py`, and small mounts of which the machine notices nothing."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import HANG

DRIVE = Path(__file__).with_name("drive.py")
NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes root: a mount namespace, another user")


def argv(home: Path, **spec: object) -> list[str]:
    """The command line of one run."""
    return [sys.executable, str(DRIVE), json.dumps({"home": str(home), **spec})]


def drive(home: Path, **spec: object) -> subprocess.CompletedProcess[str]:
    """One run, to its end."""
    return finished(argv(home, **spec))


def finished(command: list[str], env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Any command, to its end."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=HANG, check=False, errors="replace", env=env
    )


def elsewhere(*commands: str | list[str]) -> subprocess.CompletedProcess[str]:
    """Shell lines and runs, one after the other, in a mount namespace of their own."""
    script = "\n".join(c if isinstance(c, str) else shlex.join(c) for c in commands)
    return finished(["unshare", "-m", "--propagation", "private", "sh", "-c", f"set -u\n{script}"])
