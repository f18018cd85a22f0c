"""The command line: parses, calls, prints, exits; a command is a few lines. Nothing here prints: the console does."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, cast

import typer

from kdiag import __version__
from kdiag.cli.help.layout import Command, Group
from kdiag.cli.older import fitted, prepare
from kdiag.console import exits, output, printable

if TYPE_CHECKING:
    from kdiag.cli.common import CommandGroup


def _version(value: bool) -> None:
    if value:
        output.text(f"kdiag {__version__}\n")
        raise typer.Exit


def root_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    install_completion: Annotated[
        bool,
        typer.Option(
            "--install-completion",
            help="Make your shell complete the command line (or name it behind: bash, zsh or fish).",
        ),
    ] = False,
    show_completion: Annotated[
        bool, typer.Option("--show-completion", help="Print the script that does it.")
    ] = False,
) -> None:
    """Options before the command. Those of completion are for `kdiag.cli.shell`, where they come first."""
    del version
    if install_completion or show_completion:
        raise typer.BadParameter("--install-completion and --show-completion come first, without a command")


#: Which module has which command.
_MODULES = {
    "check": ("check", "list", "schema"),
    "explain": ("explain",),
    "why": ("why",),
    "btf": ("btf",),
    "learn": ("learn",),
    "fix": ("fix", "smoke"),
    "env": ("env", "run"),
    "reports": ("record", "collector", "compare", "report"),
    "fleet.history": ("history",),
    "mcp": ("mcp",),
}


def application(arguments: list[str]) -> typer.Typer:
    """The command line for these arguments: with the one command that is asked for, where that is clear, since typer
    takes every command apart that it knows (10 ms for all of them, a tenth of a whole check).
    """
    prepare()
    app = typer.Typer(
        cls=Group,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="What can be traced with eBPF on this machine, why the rest cannot, and what to do about it.",
        epilog="Exit status: 0 ready, 1 not ready or a regression, 2 usage, 3 cannot tell, 4 a fix or a smoke test "
        "failed, 70 kdiag is broken.",
    )
    app.callback()(fitted(root_options))
    asked = arguments[0] if arguments else ""
    one = next((module for module, names in _MODULES.items() if asked in names), None)
    if asked == "--version":
        one, asked = "check", "schema"
    for module in (one,) if one else _MODULES:
        here = import_module(f"kdiag.cli.{module}")
        for name, function, settings in here.COMMANDS:
            if one is None or name == asked:
                app.command(name, cls=Command, **settings)(fitted(function))
        if group := getattr(here, "GROUP", None):
            app.add_typer(_grouped(group), name=group.name)
    return app


def _grouped(group: CommandGroup) -> typer.Typer:
    """A command that has commands of its own, and does something without one."""
    inner = typer.Typer(
        cls=Group, rich_markup_mode=None, invoke_without_command=True, help=group.help, epilog=group.epilog
    )
    inner.callback()(fitted(group.alone))
    for name, function in group.commands:
        inner.command(name, cls=Command)(fitted(function))
    for name, function in group.aliases:
        inner.command(name, cls=Command, hidden=True)(fitted(function))
    return inner


#: Of typer's copy of click, or of click: which of the two differs between the releases of typer.
_UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])


def run(arguments: list[str]) -> int:
    """Run the command of these arguments; its exit status."""
    if any("nagios" in argument for argument in arguments):
        nagios = import_module("kdiag.cli.nagios")
        if nagios.asked(arguments):
            return int(nagios.run(lambda: _run(arguments)))
    return _run(arguments)


def _run(arguments: list[str]) -> int:
    command = typer.main.get_command(application(arguments))
    try:
        # typer's own main() would print what is wrong, with whatever is in an argument.
        with command.make_context(program(), list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as ended:
        return ended.exit_code
    except _UsageError as wrong:
        return _explain(wrong)
    return exits.READY


def _explain(wrong: typer.BadParameter) -> int:
    """A usage error as click words it."""
    if wrong.ctx is not None and type(wrong).__name__ == "NoArgsIsHelpError":
        output.usage(wrong.ctx.get_help())
        return exits.USAGE
    if wrong.ctx is not None:
        output.usage(f"{wrong.ctx.get_usage()}\nTry '{wrong.ctx.command_path} -h' for help.\n")
    output.error(wrong.format_message())
    return exits.USAGE


def program() -> str:
    """How kdiag calls itself in its help."""
    name = os.path.basename(sys.argv[0])
    return "python -m kdiag" if name == "__main__.py" else printable.line(name)
