"""`kdiag record`, `compare`, `report`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kdiag.cli.common import (
    Color,
    Formats,
    Host,
    NoPlugins,
    Only,
    Outputs,
    Quiet,
    Require,
    Settings,
    Skip,
    Verbose,
    fail,
    host_directory,
    one_of,
    registry,
    root_directory,
    terminal,
)
from kdiag.cli.fleet.counting import (
    FailAbove,
    Fleet,
    GroupBy,
    History,
    Labels,
    Shown,
    Since,
    Wanted,
)
from kdiag.cli.fleet.counting import run as run_fleet
from kdiag.console import exits
from kdiag.console import output as console

if TYPE_CHECKING:
    from collections.abc import Callable

Files = Annotated[
    list[str], typer.Argument(metavar="FILE...", help="Reports, recordings, directories, globs, or -.")
]


def record(  # noqa: PLR0913, PLR0917  a parameter is an option
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE|DIR", help=".tar.zst, .tar.xz, a directory, or -.")
    ] = "",
    show_list: Annotated[bool, typer.Option("--list", help="Show what would go in; write nothing.")] = False,
    redact: Annotated[
        bool, typer.Option("--redact/--no-redact", help="Replace names, addresses, tokens.")
    ] = True,
    only: Only = [],  # noqa: B006  typer copies defaults
    skip: Skip = [],  # noqa: B006
    require: Require = [],  # noqa: B006
    root: Annotated[
        str, typer.Option("--root", metavar="DIR", help="Examine a mounted system's files.")
    ] = "/",
    no_plugins: NoPlugins = False,
    host: Host = "",
) -> None:
    """Record what kdiag reads of this machine, to send or to compare."""
    from kdiag.checking.selection import UnknownName, capabilities, choose, split
    from kdiag.commands.record import CannotWrite as CannotRecord
    from kdiag.commands.record import record as make

    root_directory(root)
    known = registry(plugins=not no_plugins)
    try:
        chosen = choose(known.checks, split(only), split(skip))
        answer = make(
            known,
            chosen,
            capabilities(split(require)),
            output=output or None,
            root=root,
            host=host_directory(host, root),
            redact=redact,
            only_list=show_list,
            unicode=terminal().unicode,
        )
    except UnknownName as error:
        fail(str(error))
    except CannotRecord as error:
        fail(str(error), exits.FAILED if output else exits.USAGE)
    if answer.binary:
        console.document(answer.binary)
    console.text(answer.text)
    console.note(answer.note)


def collector(only: Only = [], skip: Skip = [], no_plugins: NoPlugins = False) -> None:  # noqa: B006
    """Print a shell script that records a machine without Python; it requires sh, cat and tar."""
    from kdiag.checking.selection import UnknownName, choose, split
    from kdiag.commands.record import collector as program

    known = registry(plugins=not no_plugins)
    try:
        chosen = choose(known.checks, split(only), split(skip))
    except UnknownName as error:
        fail(str(error))
    console.text(program(known, chosen))


def compare(  # noqa: PLR0913, PLR0917  a parameter is an option
    files: Files,
    baseline: Annotated[
        str, typer.Option("--baseline", metavar="FILE", help="Fail if something got worse.")
    ] = "",
    output_format: Annotated[
        str, typer.Option("--format", metavar="text|json|markdown|html", help="How to print it.")
    ] = "text",
    output: Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Write there.")] = "-",
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Every column and every difference.")
    ] = False,
    color: Color = None,
    fleet: Fleet = False,
    group_by: GroupBy = "",
    since: Since = "",
    history: History = "",
    fail_above: FailAbove = [],  # noqa: B006
    labels: Labels = "",
) -> None:
    """Show machines side by side; with a baseline, exit 1 when something that worked no longer does.

    With --fleet or an option below it, machines are counted: by what they have in common, by cause, and since the
    last collection.
    """
    from kdiag.cli.examination import settings_of
    from kdiag.commands.compare import FORMATS, rendered
    from kdiag.commands.compare import compare as compared
    from kdiag.compare.inputs import BadInput
    from kdiag.report.formats import Options
    from kdiag.report.write import WriteError, write_atomically

    one_of("--format", output_format, FORMATS)
    wanted = Wanted(group_by, since, history, fail_above, labels)
    if fleet or any(wanted):
        if baseline:
            fail(
                "--baseline is one machine that the others are held against, --since is a collection: use one of them"
            )
        run_fleet(files, wanted, Shown(output_format, output, verbose, color))
    try:
        found = compared(
            files, baseline or settings_of("auto").baseline, every_column=verbose or output_format == "json"
        )
    except BadInput as error:
        console.note(str(error))
        raise typer.Exit(exits.USAGE) from None
    shown = terminal(color)
    options = Options(shown.width, shown.color and output == "-", verbose, shown.unicode)
    text = rendered(found.comparison, output_format, options)
    try:
        if output == "-":
            console.rendering(text, exact=output_format != "text", color=options.color)
        else:
            write_atomically(output, text)
    except WriteError as error:
        fail(str(error), exits.FAILED)
    console.note(found.note)
    raise typer.Exit(found.status)


def report(  # noqa: PLR0913, PLR0917  a parameter is an option
    files: Files,
    formats: Formats = [],  # noqa: B006
    outputs: Outputs = [],  # noqa: B006
    quiet: Quiet = False,
    verbose: Verbose = False,
    color: Color = None,
) -> None:
    """Show reports that were kept, in any format."""
    from kdiag.cli.examination import emit, planned_outputs, status_of
    from kdiag.commands.report import reports, worst
    from kdiag.compare.inputs import BadInput, paths

    planned = planned_outputs(formats, outputs, quiet=quiet)
    known = registry(plugins=False)
    statuses: list[int] = []
    try:
        several = len(list(paths(files))) > 1
        for name, one in reports(files):
            if isinstance(one, BadInput):
                console.note(str(one))
                statuses.append(exits.USAGE)
                continue
            if any(s != exits.USAGE for s in statuses) and any(o.path != "-" for o in planned):
                fail(
                    f"one file cannot hold several reports: leave out -o, or give one report ({name} is the next)"
                )
            if statuses and any(o.format == "nagios" for o in planned):
                fail(f"--format nagios is one line about one report: give one ({name} is the next)")
            emit(one, planned, known, verbose=verbose, color=color, name=name if several else "")
            statuses.append(status_of(one, planned))
    except BadInput as error:
        fail(str(error))
    raise typer.Exit(statuses[0] if len(statuses) == 1 else worst(statuses))


COMMANDS: tuple[tuple[str, Callable[..., None], Settings], ...] = (
    ("record", record, {}),
    ("collector", collector, {}),
    ("compare", compare, {}),
    ("report", report, {}),
)
