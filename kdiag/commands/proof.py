"""How many smoke programs work with given variables: what `kdiag fix` shows before and after."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from kdiag.fix.verify import SmokeSummary
from kdiag.machine import Machine
from kdiag.smoke import PROGRAMS, run
from kdiag.smoke.model import Outcome
from kdiag.system.live import Live

Summarise = Callable[[Mapping[str, str]], SmokeSummary]


def summariser() -> Summarise | None:
    """A function that runs all smoke programs; None where that could prove nothing: no bpftrace, or not root."""
    tools = Machine(Live("/")).tools
    path, behaviour = tools.bpftrace_path, tools.behaviour
    if path is None or behaviour is None or os.geteuid() != 0:
        return None

    def summarise(values: Mapping[str, str]) -> SmokeSummary:
        environment = {**os.environ, **values}
        report = run(PROGRAMS, bpftrace=Path(path), behaviour=behaviour, predictions={}, env=environment)
        tried = [one for one in report.programs if one.outcome is not Outcome.SKIPPED]
        return SmokeSummary(sum(one.works for one in tried), len(tried))

    return summarise
