"""The command line: parses, calls, prints, exits; a command is a few lines. Nothing else prints or exits."""

from __future__ import annotations

import os
import sys
import threading
from typing import Annotated

import typer

from kdiag import __version__
from kdiag.cli.common import CannotWrite
from kdiag.console import exits


def _version(value: bool) -> None:
    if value:
        typer.echo(f"kdiag {__version__}")
        raise typer.Exit


def root_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options before the command."""
    del version


#: Which module has which command, in the order of the help text.
_MODULES = {
    "check": ("check", "list", "explain", "schema"),
    "fix": ("fix", "smoke", "env", "run"),
    "reports": ("record", "compare", "report"),
}


def application(arguments: list[str]) -> typer.Typer:
    """The command line for these arguments: with the one command that is asked for, where that is clear, since typer
    takes every command apart that it knows (10 ms for all of them, a tenth of a whole check).
    """
    from importlib import import_module

    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="What can be traced with eBPF on this machine, why the rest cannot, and what to do about it.",
        epilog="Exit status: 0 ready, 1 not ready or a regression, 2 usage, 3 cannot tell, 4 a fix or a smoke test "
        "failed, 70 kdiag is broken.",
    )
    app.callback()(root_options)
    asked = arguments[0] if arguments else ""
    one = next((module for module, names in _MODULES.items() if asked in names), None)
    if asked == "--version":
        one, asked = "check", "schema"
    for module in (one,) if one else _MODULES:
        for name, function, settings in import_module(f"kdiag.cli.{module}").COMMANDS:
            if one is None or name == asked:
                app.command(name, **settings)(function)
    return app


def main() -> None:
    """The console script. An expected error, an interrupt and a bug end differently."""
    # Closed standard streams (`>&-`) are None, which no printing code expects.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    try:
        application(sys.argv[1:])()
    except SystemExit as ended:
        _leave(ended)
    except KeyboardInterrupt:
        typer.echo("kdiag: interrupted", err=True)
        sys.exit(exits.INTERRUPTED)
    except BrokenPipeError:
        # The reader (head, less) went away: no message, and nothing more to say at shutdown.
        _drop_output()
        sys.exit(exits.INTERRUPTED)
    except CannotWrite as error:
        typer.echo(f"kdiag: standard output: {error}", err=True)
        _drop_output()
        sys.exit(exits.FAILED)
    except Exception as error:
        from kdiag.console.crash import write_report

        typer.echo(write_report(error), err=True)
        sys.exit(exits.BROKEN)


def _leave(ended: SystemExit) -> None:
    """End at once: taking the interpreter apart costs 10 ms, and nothing here waits for it (files are closed, threads
    joined and children waited for by those who made them). Under a test runner or a tracer it ends as usual.
    """
    if threading.active_count() > 1 or sys.gettrace() is not None or "pytest" in sys.modules:
        raise ended
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        raise ended from None
    os._exit(
        ended.code if isinstance(ended.code, int) else exits.READY if ended.code is None else exits.NOT_READY
    )


def _drop_output() -> None:
    """What is left in the buffer would fail again when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
