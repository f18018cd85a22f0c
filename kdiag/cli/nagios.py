"""A command with `--format nagios`: what goes wrong is told as a plug-in tells it, on standard output, as UNKNOWN.

A monitoring system reads standard output and the exit status; kdiag's 2 for wrong options would be its CRITICAL.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr

from kdiag.console import ending, exits, output
from kdiag.report.faces.nagios import State, said


def asked(arguments: Sequence[str]) -> bool:
    """Whether the line of a plug-in was asked for on the command line."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return any(one == "--format=nagios" or (one, value) == ("--format", "nagios") for one, value in pairs)


def run(command: Callable[[], int]) -> int:
    """Run it; the state of the service as exit status. What it says on standard error stays there."""
    heard = io.StringIO()
    with redirect_stderr(heard):
        status = ending.status(command)
    for words in heard.getvalue().splitlines():
        output.line(sys.stderr, words)
    if isinstance(status, State) or status in (exits.READY, exits.NOT_READY, exits.CANNOT_TELL):
        return status  # the latter: the line went to a file, or help was asked for
    told = [
        words.removeprefix("kdiag: ")
        for words in heard.getvalue().splitlines()
        if words.startswith("kdiag: ")
    ]
    output.text(said(State.UNKNOWN, told[0] if told else f"kdiag ended with status {status}"))
    return State.UNKNOWN
