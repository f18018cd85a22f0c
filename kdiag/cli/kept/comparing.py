"""What `kdiag compare` of a few machines and `kdiag report` do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from kdiag.cli.checked.settings import settings_of
from kdiag.cli.common import fail, registry, terminal
from kdiag.cli.examination import emit, planned_outputs, status_of
from kdiag.commands.compare import FORMATS, rendered
from kdiag.commands.compare import compare as compared
from kdiag.commands.report import reports, worst
from kdiag.compare.reading.inputs import BadInput, paths
from kdiag.console import exits
from kdiag.console import output as console
from kdiag.report.formats import Options
from kdiag.report.write import WriteError, write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kdiag.cli.fleet.counting import Shown
    from kdiag.report.outputs import Output

__all__ = ["FORMATS", "compare", "planned_outputs", "report"]


def compare(files: list[str], baseline: str, wanted: Shown) -> None:
    """Compare, show, exit."""
    try:
        found = compared(
            files,
            baseline or settings_of("auto").baseline,
            every_column=wanted.verbose or wanted.output_format == "json",
        )
    except BadInput as error:
        console.note(str(error))
        raise typer.Exit(exits.USAGE) from None
    shown = terminal(wanted.color)
    options = Options(shown.width, shown.color and wanted.output == "-", wanted.verbose, shown.unicode)
    text = rendered(found.comparison, wanted.output_format, options)
    try:
        if wanted.output == "-":
            console.rendering(text, exact=wanted.output_format != "text", color=options.color)
        else:
            write_atomically(wanted.output, text)
    except WriteError as error:
        fail(str(error), exits.FAILED)
    console.note(found.note)
    raise typer.Exit(found.status)


def report(files: list[str], planned: Sequence[Output], *, verbose: bool, color: bool | None) -> None:
    """Show each report, exit."""
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
