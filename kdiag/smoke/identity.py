"""Who is it? Before anything that a program prints is believed, it is asked for its version, as the
tool answers that.

PATH may lead to anything by that name: a wrapper that fails, a link to perl (which runs `BEGIN { ... }` as well), an
empty script.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from kdiag.knowledge.tools.messages import explain
from kdiag.smoke.model import Outcome
from kdiag.smoke.programs.program import Runner
from kdiag.system.base import CommandResult, Unavailable
from kdiag.system.commands import launch

_LONGEST = 120


class Doubt(NamedTuple):
    """Why nothing of this program is believed, as the outcome of each smoke program."""

    outcome: Outcome
    message: str
    meaning: str = ""
    arguments: tuple[str, ...] = ("--version",)
    output: str = ""


def doubt(runner: Runner, env: Mapping[str, str] | None, limit: float) -> Doubt | None:
    """None if it says that it is the tool. limit: seconds that it may take."""
    asked = (*runner.words, *runner.identity)
    try:
        answer = launch(asked, limit, env, judge=False if runner.judged else None).result()
    except Unavailable as gap:
        return Doubt(Outcome.FAILS, f"who it is could not be asked: {gap.reason}")
    said = "\n".join(filter(None, (answer.stderr.strip(), answer.stdout.strip())))
    name = " ".join((os.path.basename(runner.path), *runner.identity))
    if answer.status:
        known = explain(said)
        message = known[0].text if known else f"`{name}` ended with status {answer.status}: {_first(said)}"
        return Doubt(
            Outcome.FAILS, message, known[0].message.meaning if known else "", runner.identity, said[:4000]
        )
    if runner.believes(_either(answer)):
        return None
    message = f"{runner.path} is not {runner.title}: `{name}` answered {_first(said)}"
    return Doubt(Outcome.FAILS, message, "", runner.identity, said[:4000])


def _either(answer: CommandResult) -> str:
    return f"{answer.stdout}\n{answer.stderr}"


def _first(said: str) -> str:
    line = next((line.strip() for line in said.splitlines() if line.strip()), "")
    return repr(line[:_LONGEST]) if line else "nothing"
