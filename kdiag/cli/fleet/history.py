"""`kdiag history`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kdiag.cli.common import Color, Settings

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
    from kdiag.cli.fleet.running import show

    show(database, machine, color)


COMMANDS: tuple[tuple[str, Callable[..., None], Settings], ...] = (("history", history, {}),)
