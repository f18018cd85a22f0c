"""Smoke test: small real programs for the real bpftrace, each causing the very event that it looks for.

`kdiag check` says what should work; this shows what does. Arrows: model <- cause, watch <- judge, programs <- run.
"""

from kdiag.smoke.model import Outcome, Result, SmokeError, SmokeReport
from kdiag.smoke.programs import PROGRAMS, Program
from kdiag.smoke.run import TIME_LIMIT, Listener, run, select
from kdiag.smoke.verdict import verdict, worked

__all__ = [
    "PROGRAMS",
    "TIME_LIMIT",
    "Listener",
    "Outcome",
    "Program",
    "Result",
    "SmokeError",
    "SmokeReport",
    "run",
    "select",
    "verdict",
    "worked",
]
