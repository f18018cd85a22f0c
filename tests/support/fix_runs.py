"""Runs of `kdiag fix`: in this process, in one of their own, in a mount namespace that the machine does not notice."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kdiag.commands.repair.fix import Console, Request, Surroundings, fix
from kdiag.console import exits
from kdiag.fix.options import Options
from tests.support.fixable_machine import Case
from tests.support.waiting import HANG

FIX_PROCESS = Path(__file__).with_name("fix_process.py")
#: A release of Debian, whose headers come in packages.
DEBIAN = "6.12.107+deb13-amd64"
NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes root: a mount namespace, another user")


def argv(home: Path, **spec: object) -> list[str]:
    """The command line of one run."""
    return [sys.executable, str(FIX_PROCESS), json.dumps({"home": str(home), **spec})]


def run_fix(home: Path, **spec: object) -> subprocess.CompletedProcess[str]:
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


@dataclass
class Run:
    """One `kdiag fix` in this process, and what it said."""

    one: Case
    said: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def fix(
        self, *, answer: bool | None = None, around: Mapping[str, object] | None = None, **words: object
    ) -> int:
        options = Options(**words.pop("options", {}))  # type: ignore[arg-type]
        console = Console(
            self.said.append, self.complaints.append, None if answer is None else lambda _question: answer
        )
        places = {"look": self.one.look, "places": self.one.places, "path": self.one.path}
        surroundings = Surroundings(**{**places, **(around or {})})  # type: ignore[arg-type]
        return fix(Request(options, **words), console, surroundings)  # type: ignore[arg-type]

    @property
    def text(self) -> str:
        return "".join(self.said)

    @property
    def errors(self) -> str:
        return "\n".join(self.complaints)


def trees(one: Case) -> list[Path]:
    headers = one.places.headers
    return sorted(headers.iterdir()) if headers.is_dir() else []


#: How a fix ends that had nothing to do: with what this very machine still lacks for tracing (tracefs in a container).
NOTHING_DONE = (exits.READY, exits.NOT_READY, exits.CANNOT_TELL)
NOTHING = "Nothing to do|Nothing that kdiag fix can repair"
