"""How many smoke programs work with given variables, and what tools say: what `kdiag fix` shows before and after."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from kdiag.commands.messages import printed
from kdiag.commands.runners import runners
from kdiag.fix.verify import SmokeSummary
from kdiag.machine import Machine
from kdiag.smoke import run, select
from kdiag.smoke.model import Outcome
from kdiag.system.live import Live


def summary(values: Mapping[str, str], asked: Sequence[str] = ()) -> SmokeSummary:
    """Run the smoke programs of the tools that were asked for, else bpftrace's, with these variables added; those that
    could not be tried do not count.
    """
    tools = Machine(Live("/")).tools
    report = run(
        select((), asked),
        runners=runners(tools),
        behaviour=tools.likeliest_behaviour,
        predictions={},
        env={**os.environ, **values},
    )
    tried = [one for one in report.programs if one.outcome is not Outcome.SKIPPED]
    return SmokeSummary(sum(one.works for one in tried), len(tried), printed(tried))
