"""The command line: parses, calls, prints, exits; a command is a few lines. Nothing here prints: the console does."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import typer


def application(arguments: list[str]) -> typer.Typer:
    """The whole command line, see `kdiag.cli.app`: imported when it is needed."""
    return cast("typer.Typer", import_module("kdiag.cli.app").application(arguments))


def run(arguments: list[str]) -> int:
    """Run the command of these arguments; its exit status.

    typer takes longer to import (35 to 60 ms) than a type takes to be found and printed: the plain forms of `kdiag btf`
    are understood without it, and all else is left to it.
    """
    status: int | None = None
    if arguments[:1] == ["btf"]:
        status = import_module("kdiag.cli.quick").run(arguments[1:])
    elif arguments and arguments[0] in ("--show-completion", "--install-completion", "__complete"):
        status = import_module("kdiag.cli.shell.entry").run(arguments)
    if status is None:
        status = int(import_module("kdiag.cli.app").run(arguments))
    return status
