"""`kdiag env`, `run`."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from kdiag.cli.common import Settings, fail, host_directory, one_of
from kdiag.console import exits, output
from kdiag.console.ending import at_end

if TYPE_CHECKING:
    from collections.abc import Callable

#: kdiag.fix.environment knows them, too; importing it for a help text would cost every start.
ENV_FORMATS = ("sh", "bash", "zsh", "fish", "github", "json")


def env(
    output_format: Annotated[
        str,
        typer.Option("--format", metavar="|".join(ENV_FORMATS), help="For which shell (default: $SHELL's)."),
    ] = "",
) -> None:
    """Print the variables that lead tools to the headers."""
    from kdiag.commands import env as commands

    one_of("--format", output_format, ("", *ENV_FORMATS))
    host_directory("")
    try:
        answer = commands.env(output_format or None)
    except commands.FixError as error:
        fail(f"{error.message}{f' ({error.hint})' if error.hint else ''}", exits.FAILED)
    output.document(os.fsencode(answer.text))
    output.note(answer.note)
    raise typer.Exit(answer.status)


def run(
    argv: Annotated[list[str], typer.Argument(metavar="-- COMMAND...", help="What to run.")],
    why: Annotated[bool, typer.Option("--why/--no-why", help="Say why it failed, where it fails.")] = True,
) -> None:
    """Run a command with the variables of `kdiag env`.

    Its exit status and signals are its own. Where it fails, kdiag says below its last words what they mean on this
    machine.
    """
    from kdiag.commands import run as commands

    host_directory("")
    command = commands.command(argv)
    ended = commands.watch(command) if why else commands.become(command)
    if isinstance(ended, commands.Answer):
        output.error(ended.note)
        said, how, status = f"kdiag: {ended.note}\n".encode(), commands.NOT_STARTED, ended.status
    else:
        said, how, status = ended.said.text(), commands.how(ended), ended.status
        if ended.signal:
            at_end(partial(commands.end_by, ended.signal))
    if why and how and said.strip():
        from kdiag.cli.explaining import explain

        explain(command, said, how)
    raise typer.Exit(status)


COMMANDS: tuple[tuple[str, Callable[..., None], Settings], ...] = (
    ("env", env, {}),
    ("run", run, {"context_settings": {"ignore_unknown_options": True, "allow_interspersed_args": False}}),
)
