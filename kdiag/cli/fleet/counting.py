"""`kdiag compare` for a fleet: its options, and what it does with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from kdiag.cli.common import fail, terminal
from kdiag.console import exits
from kdiag.console import output as console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kdiag.fleet.limits import Judged
    from kdiag.fleet.run import Found

GroupBy = Annotated[
    str,
    typer.Option(
        "--group-by",
        metavar="KEY,...",
        help="Count machines by kernel, distribution, arch, container, vm, bpftrace, user, or a label.",
    ),
]
Since = Annotated[
    str,
    typer.Option(
        "--since",
        metavar="OLD",
        help="What changed since then: a directory, a file of reports, or a history.",
    ),
]
History = Annotated[
    str,
    typer.Option(
        "--history", metavar="FILE", help="Keep this collection there, and say what changed since the last."
    ),
]
FailAbove = Annotated[
    list[str],
    typer.Option(
        "--fail-above",
        metavar="LIMIT,...",
        help="Exit 1 for more: not-ready (default), unknown, regressed, missing, unread.",
    ),
]
Labels = Annotated[
    str,
    typer.Option("--labels", metavar="FILE", help="Labels of machines: CSV (machine,site,...) or JSON."),
]
Fleet = Annotated[
    bool,
    typer.Option("--fleet", help="Count machines and causes, for thousands; implied by the options below."),
]


class Wanted(NamedTuple):
    """The options of a fleet."""

    group_by: str
    since: str
    history: str
    fail_above: list[str]
    labels: str


class Shown(NamedTuple):
    """How to show it, and where."""

    output_format: str
    output: str
    verbose: bool
    color: bool | None


def run(files: list[str], wanted: Wanted, shown: Shown) -> None:
    """Read, judge, show, exit."""
    from kdiag.commands.compare import reading
    from kdiag.compare.inputs import BadInput
    from kdiag.fleet import labels, limits
    from kdiag.fleet.run import Asked, fleet
    from kdiag.report.write import WriteError, write_atomically

    keys = list(dict.fromkeys(key.strip() for key in wanted.group_by.split(",") if key.strip()))
    try:
        kept = limits.parse(wanted.fail_above)
        known = labels.read(wanted.labels) if wanted.labels else {}
        with fleet(Asked(files, wanted.since, wanted.history, keys, known), reading()) as found:
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
        from kdiag.fleet.json import render as render_json

        return render_json(found.fleet, found.asking, judged)
    if shown.output_format == "html":
        from kdiag.fleet.html import render as render_html

        return render_html(found.fleet, found.asking, judged)
    if shown.output_format == "markdown":
        from kdiag.fleet.markdown import render as render_markdown

        return render_markdown(found.fleet, judged)
    from kdiag.fleet.text import render
    from kdiag.report.terminal.page import Page

    page = terminal(shown.color)
    colored = page.color and shown.output == "-"
    return render(found.fleet, Page(page.width, colored, shown.verbose, page.unicode), judged)
