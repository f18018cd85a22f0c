"""The command line: parses, calls, prints, exits; a command is a few lines. Nothing else prints or exits."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from kdiag import __version__, exits

if TYPE_CHECKING:
    from kdiag.commands.proof import Summarise
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

#: kdiag.fix.environ knows them, too; importing it for a help text would cost every start.
ENV_FORMATS = ("sh", "bash", "zsh", "fish", "github", "json")

Only = Annotated[
    list[str], typer.Option("--only", metavar="ID,...", help="Run these checks only (ids or globs).")
]
Skip = Annotated[
    list[str], typer.Option("--skip", metavar="ID,...", help="Leave these checks out (ids or globs).")
]
Require = Annotated[
    list[str],
    typer.Option(
        "--require", metavar="NAME,...", help="Capabilities that must work (default: a first session's)."
    ),
]
Color = Annotated[
    bool | None,
    typer.Option("--color/--no-color", help="Colours (default: on a terminal, without NO_COLOR)."),
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


def _directory(option: str, path: str) -> None:
    """A usage error for what is not a directory, or cannot be looked at."""
    try:
        if not stat.S_ISDIR(os.stat(path).st_mode):
            fail(f"{option}: {path} is not a directory")
    except (OSError, ValueError) as error:
        fail(f"{option}: {path!r}: {os.strerror(error.errno or 0) if isinstance(error, OSError) else error}")


def _one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    """A usage error that names what there is, and the nearest."""
    if value not in known:
        from difflib import get_close_matches

        near = get_close_matches(value, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        fail(f"{option} is one of {', '.join(filter(None, known))}, not {value!r}{hint}")


def fail(message: str, status: int = exits.USAGE) -> NoReturn:
    """End with a message for people on standard error."""
    typer.echo(f"kdiag: {message}", err=True)
    raise typer.Exit(status)


@app.command()
def check(  # noqa: PLR0913, PLR0917  a parameter is an option
    only: Only = [],  # noqa: B006  typer copies defaults
    skip: Skip = [],  # noqa: B006
    require: Require = [],  # noqa: B006
    output_format: Annotated[
        str, typer.Option("--format", metavar="text|json", help="How to print the report.")
    ] = "text",
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="All findings, with every path tried.")
    ] = False,
    color: Color = None,
    root: Annotated[
        str, typer.Option("--root", metavar="DIR", help="Examine a mounted system's files.")
    ] = "/",
    no_plugins: NoPlugins = False,
) -> None:
    """Tell what can be traced here, what cannot, why, and what to do."""
    from kdiag.selection import UnknownName, capabilities, choose, split

    _one_of("--format", output_format, ("text", "json"))
    _directory("--root", root)
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
    from kdiag.invocation import localised, program
    from kdiag.machine import Machine
    from kdiag.system.live import Live

    report = analyse(Machine(Live(root)), registry, chosen, required or DEFAULT_REQUIRED)
    return localised(report, root=os.geteuid() == 0, kdiag=program())


def _print(report: Report, output_format: str, *, verbose: bool, color: bool | None) -> None:
    if output_format == "json":
        from kdiag.report.json import render as render_json

        # JSON is UTF-8 whatever the locale says.
        _write(render_json(report), encoding="utf-8")
        return
    from kdiag.report.text import render as render_text
    from kdiag.terminal import Terminal

    terminal = Terminal.of(sys.stdout, color)
    _write(
        render_text(
            report, width=terminal.width, color=terminal.color, verbose=verbose, unicode=terminal.unicode
        )
    )


def _width() -> int:
    from kdiag.terminal import Terminal

    return Terminal.of(sys.stdout, None).width


class CannotWrite(Exception):
    """Standard output takes no more (a full disk): not a defect of kdiag."""


def _write(text: str, encoding: str = "") -> None:
    data = text.encode(encoding or sys.stdout.encoding or "ascii", "backslashreplace")
    try:
        sys.stdout.flush()
        buffer = getattr(sys.stdout, "buffer", None)
        if buffer is None:
            sys.stdout.write(data.decode(encoding or "utf-8", "replace"))
        else:
            buffer.write(data)
            buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CannotWrite(os.strerror(error.errno or 0)) from None


@app.command("list")
def list_all(no_plugins: NoPlugins = False) -> None:
    """Show the checks and the capabilities, and where they come from."""
    from kdiag.report.listing import listing

    _write(listing(_registry(plugins=not no_plugins), _width()))


@app.command()
def explain(
    name: Annotated[str, typer.Argument(metavar="ID", help="A check, a finding or a capability.")],
    no_plugins: NoPlugins = False,
) -> None:
    """Explain a check, a finding or a capability."""
    from kdiag.report.listing import explanation
    from kdiag.selection import UnknownName

    try:
        _write(explanation(_registry(plugins=not no_plugins), name, _width()))
    except UnknownName as error:
        fail(str(error))


@app.command()
def schema() -> None:
    """Print the JSON Schema of `kdiag check --format json`."""
    from kdiag.report.json import schema_text

    _write(schema_text())


@app.command()
def fix(  # noqa: PLR0913, PLR0917  a parameter is an option
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Show the plan and stop.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take back everything that was done.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Remove headers of kernels that are gone.")] = False,
    packages: Annotated[
        bool, typer.Option("--packages", help="Install the exact header package, too.")
    ] = False,
    load: Annotated[
        bool, typer.Option("--load", help="Load the kheaders module instead of reading its file.")
    ] = False,
    link: Annotated[
        bool, typer.Option("--link", help="Put a /lib/modules/RELEASE/build link where none is.")
    ] = False,
    btf: Annotated[
        str, typer.Option("--btf", metavar="FILE", help="BTF for this kernel (.btf or .btf.tar.xz).")
    ] = "",
    smoke_test: Annotated[
        bool, typer.Option("--smoke/--no-smoke", help="Prove it with real programs.")
    ] = True,
) -> None:
    """Put kernel headers in place, prove it with the real bpftrace; or take it back."""
    from kdiag.commands.fix import Request, Surroundings
    from kdiag.commands.fix import fix as run_fix
    from kdiag.fix.values import Options
    from kdiag.progress import console

    options = Options(packages=packages, load=load, link=link, btf=btf or None)
    around = Surroundings(smoke=_summariser() if smoke_test and not (undo or prune or dry_run) else None)
    raise typer.Exit(run_fix(Request(options, yes, dry_run, undo, prune), console(), around))


def _summariser() -> Summarise | None:
    from kdiag.commands.proof import summariser

    return summariser()


@app.command()
def smoke(  # noqa: PLR0913, PLR0917  a parameter is an option
    only: Annotated[
        list[str], typer.Option("--only", metavar="ID,...", help="Run these programs only.")
    ] = [],  # noqa: B006
    require: Require = [],  # noqa: B006
    output_format: Annotated[
        str, typer.Option("--format", metavar="text|json", help="How to print it.")
    ] = "text",
    time_limit: Annotated[
        float, typer.Option("--time-limit", metavar="SECONDS", help="For all together (0: none).")
    ] = 0,
    show_list: Annotated[bool, typer.Option("--list", help="Show the programs and stop.")] = False,
    color: Color = None,
    no_plugins: NoPlugins = False,
) -> None:
    """Prove it: run small bpftrace programs that cause the very events they look for."""
    from kdiag.commands.smoke import programs_text
    from kdiag.commands.smoke import smoke as run_smoke
    from kdiag.selection import UnknownName, split
    from kdiag.smoke import SmokeError
    from kdiag.terminal import Terminal

    _one_of("--format", output_format, ("text", "json"))
    if show_list:
        _write(programs_text())
        return
    try:
        text, status = run_smoke(
            only=split(only),
            require=split(require),
            output_format=output_format,
            time_limit=time_limit or None,
            terminal=Terminal.of(sys.stdout, color),
            progress=sys.stderr,
            plugins=not no_plugins,
        )
    except UnknownName as error:
        fail(str(error))
    except SmokeError as error:
        fail(str(error), exits.FAILED)
    _write(text)
    raise typer.Exit(status)


@app.command()
def env(
    output_format: Annotated[
        str,
        typer.Option("--format", metavar="|".join(ENV_FORMATS), help="For which shell (default: $SHELL's)."),
    ] = "",
) -> None:
    """Print the variables that lead tools to the headers: eval "$(kdiag env)"."""
    from kdiag.commands.env import env as settings
    from kdiag.fix.errors import FixError

    _one_of("--format", output_format, ("", *ENV_FORMATS))
    try:
        answer = settings(output_format or None)
    except FixError as error:
        fail(f"{error.message}{f' ({error.hint})' if error.hint else ''}", exits.FAILED)
    _write(answer.text)
    if answer.note:
        typer.echo(f"kdiag: {answer.note}", err=True)
    raise typer.Exit(answer.status)


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(command: Annotated[list[str], typer.Argument(metavar="-- COMMAND...", help="What to run.")]) -> None:
    """Run a command with the variables of `kdiag env`; its exit status and signals are its own."""
    from kdiag.commands.env import run as become

    answer = become(command)
    fail(answer.note, answer.status)


def main() -> None:
    """The console script. An expected error, an interrupt and a bug end differently."""
    # Closed standard streams (`>&-`) are None, which no printing code expects.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    try:
        app()
    except KeyboardInterrupt:
        typer.echo("kdiag: interrupted", err=True)
        sys.exit(exits.INTERRUPTED)
    except BrokenPipeError:
        # The reader (head, less) went away: no message, and nothing more to say at shutdown.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(exits.INTERRUPTED)
    except CannotWrite as error:
        typer.echo(f"kdiag: standard output: {error}", err=True)
        # What is left in the buffer would fail again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(exits.FAILED)
    except Exception as error:
        from kdiag.crash import write_report

        typer.echo(write_report(error), err=True)
        sys.exit(exits.BROKEN)
