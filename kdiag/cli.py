"""The command line: parses, calls, prints, exits; a command is a few lines. Nothing else prints or exits."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from kdiag import __version__, exits

if TYPE_CHECKING:
    from kdiag.model import Report
    from kdiag.registry import Found, Registry

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="What can be traced with eBPF on this machine, why the rest cannot, and what to do about it.",
    epilog="Exit status: 0 ready, 1 not ready, 2 usage, 3 cannot tell, 4 a fix or a smoke test failed, "
    "70 kdiag is broken.",
)

Only = Annotated[
    list[str], typer.Option("--only", metavar="ID,...", help="Run these checks only (ids or globs).")
]
Skip = Annotated[
    list[str], typer.Option("--skip", metavar="ID,...", help="Leave these checks out (ids or globs).")
]
NoPlugins = Annotated[bool, typer.Option("--no-plugins", help="Load only the built-in checks.")]


def _version(value: bool) -> None:
    if value:
        typer.echo(f"kdiag {__version__}")
        raise typer.Exit


@app.callback()
def root_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options before the command."""
    del version


def fail(message: str, status: int = exits.USAGE) -> NoReturn:
    """End with a message for people on standard error."""
    typer.echo(f"kdiag: {message}", err=True)
    raise typer.Exit(status)


@app.command()
def check(  # noqa: PLR0913, PLR0917  a parameter is an option
    only: Only = [],  # noqa: B006  typer copies defaults
    skip: Skip = [],  # noqa: B006
    require: Annotated[
        list[str],
        typer.Option(
            "--require", metavar="NAME,...", help="Capabilities that must work (default: a first session's)."
        ),
    ] = [],  # noqa: B006
    output_format: Annotated[
        str, typer.Option("--format", metavar="text|json", help="How to print the report.")
    ] = "text",
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="All findings, with every path tried.")
    ] = False,
    color: Annotated[
        bool | None,
        typer.Option("--color/--no-color", help="Colours (default: on a terminal, without NO_COLOR)."),
    ] = None,
    root: Annotated[
        str, typer.Option("--root", metavar="DIR", help="Examine a mounted system's files.")
    ] = "/",
    no_plugins: NoPlugins = False,
) -> None:
    """Tell what can be traced here, what cannot, why, and what to do."""
    from kdiag.selection import UnknownName, capabilities, choose, split

    if output_format not in ("text", "json"):
        fail(f"--format is text or json, not {output_format!r}")
    if not os.path.isdir(root):
        fail(f"--root: {root} is not a directory")
    registry = _registry(plugins=not no_plugins)
    try:
        chosen = choose(registry.checks, split(only), split(skip))
        required = capabilities(split(require))
    except UnknownName as error:
        fail(str(error))
    report = _examine(root, registry, chosen, required)
    _print(report, output_format, verbose=verbose, color=color)
    raise typer.Exit(exits.BY_READINESS[report.verdict.status])


def _registry(*, plugins: bool) -> Registry:
    from kdiag.registry import discover

    return discover(plugins=plugins)


def _examine(root: str, registry: Registry, chosen: tuple[Found, ...], required: tuple[str, ...]) -> Report:
    from kdiag.analysis import analyse
    from kdiag.capabilities import DEFAULT_REQUIRED
    from kdiag.machine import Machine
    from kdiag.system.live import Live

    return analyse(Machine(Live(root)), registry, chosen, required or DEFAULT_REQUIRED)


def _print(report: Report, output_format: str, *, verbose: bool, color: bool | None) -> None:
    if output_format == "json":
        from kdiag.report.json import render as render_json

        # JSON is UTF-8 whatever the locale says.
        sys.stdout.flush()
        sys.stdout.buffer.write(render_json(report).encode())
        sys.stdout.buffer.flush()
        return
    from kdiag.report.text import render as render_text
    from kdiag.terminal import Terminal

    terminal = Terminal.of(sys.stdout, color)
    _write(
        render_text(
            report, width=terminal.width, color=terminal.color, verbose=verbose, unicode=terminal.unicode
        )
    )


def _write(text: str) -> None:
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


@app.command("list")
def list_all(no_plugins: NoPlugins = False) -> None:
    """Show the checks and the capabilities, and where they come from."""
    from kdiag.report.listing import listing

    _write(listing(_registry(plugins=not no_plugins)))


@app.command()
def explain(
    name: Annotated[str, typer.Argument(metavar="ID", help="A check, a finding or a capability.")],
    no_plugins: NoPlugins = False,
) -> None:
    """Explain a check or a capability: what it means, why it matters, how to see it yourself."""
    from kdiag.report.listing import explanation
    from kdiag.selection import UnknownName

    try:
        _write(explanation(_registry(plugins=not no_plugins), name))
    except UnknownName as error:
        fail(str(error))


@app.command()
def schema() -> None:
    """Print the JSON Schema of `kdiag check --format json`."""
    from kdiag.report.json import schema_text

    _write(schema_text())


def main() -> None:
    """The console script. An expected error, an interrupt and a bug end differently."""
    try:
        app()
    except KeyboardInterrupt:
        typer.echo("kdiag: interrupted", err=True)
        sys.exit(exits.INTERRUPTED)
    except BrokenPipeError:
        # The reader (head, less) went away: no message, and nothing more to say at shutdown.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(exits.INTERRUPTED)
    except Exception as error:
        from kdiag.crash import write_report

        typer.echo(write_report(error), err=True)
        sys.exit(exits.BROKEN)
