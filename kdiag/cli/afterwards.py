"""What `kdiag run` says below the last words of a command that failed."""

from __future__ import annotations

import os
import sys

import typer

from kdiag.cli.examination import report_on
from kdiag.commands.run import NOT_STARTED, Command
from kdiag.commands.why import explain as explained
from kdiag.commands.why import in_brief, log_in
from kdiag.console import output
from kdiag.console.crash import write_report
from kdiag.console.terminal import Terminal


def explain(command: Command, said: bytes, how: str) -> None:
    """What the command said, held against this machine as the command met it, on standard error. Nothing that goes
    wrong here changes how the command ended.
    """
    name = os.path.basename(command.argv[0]) if command.argv else ""
    log = log_in(said)
    if not log.told and log.refusal is None:
        if how != NOT_STARTED:
            output.error(f"{name} {how}; kdiag knows none of its messages")
        return
    os.environ.clear()
    os.environ.update(command.environment)
    try:
        terminal = Terminal.of(sys.stderr, None)
        words = in_brief(explained(log, report_on("", "")), terminal)
    except typer.Exit:
        return  # which was told
    except KeyboardInterrupt:
        output.error("interrupted")
        return
    except Exception as error:  # the command's status is the answer
        output.note(write_report(error))
        return
    output.below(f"\nkdiag: {name} {how}\n{words}", color=terminal.color)
