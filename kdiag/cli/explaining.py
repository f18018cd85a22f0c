"""What `kdiag why` says, and `kdiag run` below the last words of a command that failed."""

from __future__ import annotations

import os
import sys

import typer

from kdiag.btf.sources import of_kernel
from kdiag.cli.common import one_of
from kdiag.cli.examination import report_on
from kdiag.commands.run import NOT_STARTED, Command
from kdiag.commands.why import FORMATS, BadText, in_brief, log_in, log_of, rendered
from kdiag.commands.why import explain as explained
from kdiag.console import exits, output
from kdiag.console.crash import write_report
from kdiag.console.terminal import Terminal


def answer(  # noqa: PLR0913
    text: list[str], recording: str, output_format: str, shown: Terminal, host: str, *, verbose: bool
) -> int:
    """Print what a text means on this machine, or on that of a recording; the exit status."""
    one_of("--format", output_format, FORMATS)
    try:
        log = log_of(text)
    except BadText as bad:
        first, _, more = str(bad).partition("\n")
        output.error(first)
        if more:
            output.usage(more)
        raise typer.Exit(exits.USAGE) from None
    report, system = report_on(recording, host)
    name = "the recorded kernel" if recording else "this kernel"
    explanation = explained(log, report, lambda: of_kernel(system, name), recorded=bool(recording))
    words, status = rendered(explanation, output_format, shown, verbose=verbose)
    output.rendering(words, exact=output_format != "text", color=shown.color)
    return status


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
        report, system = report_on("", "")
        words = in_brief(explained(log, report, lambda: of_kernel(system, "this kernel")), terminal)
    except typer.Exit:
        return  # which was told
    except KeyboardInterrupt:
        output.error("interrupted")
        return
    except Exception as error:  # the command's status is the answer
        output.note(write_report(error))
        return
    output.below(f"\nkdiag: {name} {how}\n{words}", color=terminal.color)
