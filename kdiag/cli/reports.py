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
    one_of,
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
    from kdiag.cli.kept import recording

    recording.record(recording.Wanted(output, show_list, redact, only, skip, require, root, no_plugins, host))


def collector(only: Only = [], skip: Skip = [], no_plugins: NoPlugins = False) -> None:  # noqa: B006
    """Print a shell script that records a machine without Python; it requires sh, cat and tar."""
    from kdiag.cli.kept import recording

    recording.collector(only, skip, no_plugins=no_plugins)


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
    from kdiag.cli.kept import comparing

    one_of("--format", output_format, comparing.FORMATS)
    wanted = Wanted(group_by, since, history, fail_above, labels)
    if fleet or any(wanted):
        if baseline:
            fail(
                "--baseline is one machine that the others are held against, --since is a collection: use one of them"
            )
        from kdiag.cli.fleet.running import run

        run(files, wanted, Shown(output_format, output, verbose, color))
    comparing.compare(files, baseline, Shown(output_format, output, verbose, color))


def report(  # noqa: PLR0913, PLR0917  a parameter is an option
    files: Files,
    formats: Formats = [],  # noqa: B006
    outputs: Outputs = [],  # noqa: B006
    quiet: Quiet = False,
    verbose: Verbose = False,
    color: Color = None,
) -> None:
    """Show reports that were kept, in any format."""
    from kdiag.cli.kept import comparing

    comparing.report(
        files, comparing.planned_outputs(formats, outputs, quiet=quiet), verbose=verbose, color=color
    )


COMMANDS: tuple[tuple[str, Callable[..., None], Settings], ...] = (
    ("record", record, {}),
    ("collector", collector, {}),
    ("compare", compare, {}),
    ("report", report, {}),
)
