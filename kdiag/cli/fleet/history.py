"""`kdiag history`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kdiag.cli.common import Color, Settings, terminal
from kdiag.console import exits
from kdiag.console import output as console

if TYPE_CHECKING:
    from collections.abc import Callable


def history(
    database: Annotated[
        str, typer.Argument(metavar="FILE", help="A history that `kdiag compare --history` keeps.")
    ],
    machine: Annotated[
        str, typer.Argument(metavar="[MACHINE]", help="Since when it answers as it does.")
    ] = "",
    color: Color = None,
) -> None:
    """Show the collections of a history, or since when a machine answers as it does."""
    from kdiag.compare.inputs import BadInput
    from kdiag.fleet.past import show
    from kdiag.report.terminal.page import Page

    page = terminal(color)
    try:
        text = show(database, machine, Page(page.width, page.color, False, page.unicode))
    except BadInput as error:
        console.note(str(error))
        raise typer.Exit(exits.USAGE) from None
    console.rendering(text, exact=False, color=page.color)


COMMANDS: tuple[tuple[str, Callable[..., None], Settings], ...] = (("history", history, {}),)
