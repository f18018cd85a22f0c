"""What `kdiag compare` for a fleet and `kdiag history` do: imported when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from kdiag.checking.selection import split
from kdiag.cli.common import fail, terminal
from kdiag.commands.compare import Reading
from kdiag.compare.reading.inputs import BadInput
from kdiag.console import exits
from kdiag.console import output as console
from kdiag.fleet import labels, limits, past
from kdiag.fleet.json import render as render_json
from kdiag.fleet.markdown import render as render_markdown
from kdiag.fleet.run import Asked, fleet
from kdiag.fleet.text import render as render_text
from kdiag.report.terminal.page import Page
from kdiag.report.write import WriteError, write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kdiag.cli.fleet.counting import Shown, Wanted
    from kdiag.fleet.limits import Judged
    from kdiag.fleet.run import Found


def run(files: list[str], wanted: Wanted, shown: Shown) -> None:
    """Read, judge, show, exit."""
    keys = list(dict.fromkeys(split([wanted.group_by])))
    try:
        kept = limits.parse(wanted.fail_above)
        known = labels.read(wanted.labels) if wanted.labels else {}
        with fleet(Asked(files, wanted.since, wanted.history, keys, known), Reading()) as found:
            judged = limits.judge(kept, found.fleet)
            text = _rendered(found, judged, shown)
    except BadInput as error:
        console.note(str(error))
        raise typer.Exit(exits.USAGE) from None
    try:
        if shown.output == "-":
            console.rendering(text, exact=shown.output_format != "text", color=terminal(shown.color).color)
        else:
            write_atomically(shown.output, text)
    except WriteError as error:
        fail(str(error), exits.FAILED)
    if shown.output != "-" or shown.output_format != "text":
        console.note("\n".join(one.sentence for one in judged if one.over or one.open))
        console.note("\n".join(f"not read {name}: {why}" for name, why in found.fleet.skipped[:10]))
    raise typer.Exit(limits.exit_status(found.fleet, judged))


def _rendered(found: Found, judged: Sequence[Judged], shown: Shown) -> str:
    if shown.output_format == "json":
        return render_json(found.fleet, found.asking, judged)
    if shown.output_format == "html":
        from kdiag.fleet.html import render as render_html  # the template's language takes longest to import

        return render_html(found.fleet, found.asking, judged)
    if shown.output_format == "markdown":
        return render_markdown(found.fleet, judged)
    page = terminal(shown.color)
    colored = page.color and shown.output == "-"
    return render_text(found.fleet, Page(page.width, colored, shown.verbose, page.unicode), judged)


def show(database: str, machine: str, color: bool | None) -> None:
    """Print the collections of a history, or since when a machine answers as it does."""
    page = terminal(color)
    try:
        text = past.show(database, machine, Page(page.width, page.color, False, page.unicode))
    except BadInput as error:
        console.note(str(error))
        raise typer.Exit(exits.USAGE) from None
    console.rendering(text, exact=False, color=page.color)
