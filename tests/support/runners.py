"""A tool for smoke programs, by its path."""

from __future__ import annotations

from pathlib import Path

from kdiag.knowledge.tools.bpftrace import says_bpftrace
from kdiag.smoke.programs import Runner, Runners


def bpftrace_at(path: Path | None) -> Runners:
    """bpftrace there, or none."""
    return {"bpftrace": Runner("bpftrace", (str(path),) if path else (), ("--version",), says_bpftrace)}
