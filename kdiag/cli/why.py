"""`kdiag why`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kdiag.cli.common import Color, Host, Settings, Verbose, fail, one_of, terminal
from kdiag.console import output as console

if TYPE_CHECKING:
    from collections.abc import Callable


def why(  # noqa: PLR0913, PLR0917  a parameter is an option
    text: Annotated[
        list[str],
        typer.Argument(metavar="[TEXT|FILE]", help="The message, or a file with it (default: stdin)."),
    ] = [],  # noqa: B006  typer copies defaults
    recording: Annotated[
        str, typer.Option("--from", metavar="FILE|DIR", help="The machine of a recording, not this one.")
    ] = "",
    output_format: Annotated[
        str, typer.Option("--format", metavar="text|json|markdown", help="How to print it.")
    ] = "text",
    verbose: Verbose = False,
    color: Color = None,
    host: Host = "",
) -> None:
    """Say what a tool's message means on this machine: bpftrace ... 2>&1 | kdiag why

    Exit status: 0 its meaning and its cause are known, 1 its meaning is known and no cause is established here, 3 kdiag
    does not know the message.
    """
    from kdiag.cli.examination import report_on
    from kdiag.commands.why import FORMATS, BadText, explain, log_of, rendered

    one_of("--format", output_format, FORMATS)
    try:
        log = log_of(text)
    except BadText as bad:
        fail(str(bad))
    report = report_on(recording, host)
    shown = terminal(color)
    words, status = rendered(
        explain(log, report, recorded=bool(recording)), output_format, shown, verbose=verbose
    )
    console.rendering(words, exact=output_format != "text", color=shown.color)
    raise typer.Exit(status)


COMMANDS: tuple[tuple[str, Callable[..., None], Settings], ...] = (("why", why, {}),)
