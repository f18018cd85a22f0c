"""`kdiag learn`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kdiag.cli.common import Color, NoPlugins, Settings, fail, terminal
from kdiag.console import exits, output, pause

if TYPE_CHECKING:
    from collections.abc import Callable


def learn(
    recording: Annotated[
        str, typer.Option("--from", metavar="FILE|DIR", help="The machine of a recording: nothing is run.")
    ] = "",
    pauses: Annotated[
        bool, typer.Option("--pause/--no-pause", help="Wait for Enter (default: on a terminal).")
    ] = True,
    no_plugins: NoPlugins = False,
    color: Color = None,
) -> None:
    """Learn by four programs: each is shown, run for real where it works, and explained.

    For each program: what it printed, where the types came from on this machine (tracefs, BTF, headers), one question
    and its answer. What does not work here is not run, and it is said why.

    Exit status: 0 shown to the end, 1 a program was run and its event was not seen.
    """
    from kdiag.cli.examination import here
    from kdiag.commands import learn as command

    place = here(recording, "", no_plugins=no_plugins)
    shown = terminal(color)
    teacher = command.teacher(
        shown,
        lambda words: output.text(words, color=shown.color),
        pause.wait if pauses and pause.reader_is_there() else None,
    )
    try:
        status = command.learn(place, teacher, command.runner(place), recording)
    except command.SmokeError as error:
        fail(str(error), exits.FAILED)
    raise typer.Exit(status)


COMMANDS: tuple[tuple[str, Callable[..., None], Settings], ...] = (("learn", learn, {}),)
