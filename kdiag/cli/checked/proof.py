"""`kdiag check --smoke`: the report, and the proof of it by real programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kdiag.checking.selection import split
from kdiag.cli.common import fail, terminal
from kdiag.commands.smoke import chosen, prove, show
from kdiag.console import exits
from kdiag.console import output as console
from kdiag.report.faces.json import joined
from kdiag.report.formats import Options, render_as
from kdiag.report.write import WriteError, write_atomically
from kdiag.smoke import SmokeError, select, worked

if TYPE_CHECKING:
    from kdiag.cli.examination import Asked, Examined
    from kdiag.report.outputs import Output


def with_smoke(examined: Examined, planned: Sequence[Output], asked: Asked) -> int:
    """Prediction and proof in one: the texts one after the other, the JSON documents in one."""
    shown, report = terminal(asked.color), examined.report
    try:
        proof = prove(
            examined.machine,
            report,
            select((), chosen(examined.machine, split(asked.tool))),
            required=report.required,
            time_limit=None,
            terminal=shown,
            progress=sys.stderr,
        )
    except SmokeError as error:
        fail(str(error), exits.FAILED)
    for output in planned:
        options = Options(shown.width, shown.color, asked.verbose, shown.unicode)
        text = render_as(output.format, report, options)
        proven = show(proof, output.format, shown)
        both = joined(text, proven) if output.format == "json" else f"{text}\n{proven}"
        _put(both, output, color=shown.color)
    return exits.of(report.verdict.status) or worked(proof)


def _put(text: str, output: Output, *, color: bool) -> None:
    if output.path == "-":
        console.rendering(text, exact=output.format == "json", color=color)
        return
    try:
        write_atomically(output.path, text)
    except WriteError as error:
        fail(str(error), exits.FAILED)
