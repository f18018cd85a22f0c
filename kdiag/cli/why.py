"""`kdiag why`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kdiag.cli.common import Color, Host, Settings, Verbose, terminal

if TYPE_CHECKING:
    from collections.abc import Callable


def why(  # noqa: PLR0913, PLR0917  a parameter is an option
    text: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT|FILE]", help="The message, or a file with it (default: stdin)."),
    ] = None,
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
    """Say what a tool's message means on this machine, and what helps.

    Exit status: 0 its meaning and its cause are known, 1 its meaning is known and no cause is established here, 3 kdiag
    does not know the message.
    """
    from kdiag.cli.explaining import answer

    raise typer.Exit(answer(text or [], recording, output_format, terminal(color), host, verbose=verbose))


COMMANDS: tuple[tuple[str, Callable[..., None], Settings], ...] = (("why", why, {}),)
