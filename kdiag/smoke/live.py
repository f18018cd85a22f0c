"""Progress while the programs run: a table that changes on a terminal, a line per program elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from kdiag.console import output
from kdiag.console.terminal import moves
from kdiag.console.wrap import clean
from kdiag.smoke.text import MARKS, progress

if TYPE_CHECKING:
    from rich.table import Table

    from kdiag.smoke.model import Result
    from kdiag.smoke.programs import Program
    from kdiag.smoke.run import Listener

_REFRESH = 0.1
_STYLES = {"good": "green", "care": "yellow", "bad": "red", "dim": "dim"}


@contextmanager
def shown(programs: Sequence[Program], stream: TextIO, *, color: bool, unicode: bool) -> Iterator[Listener]:
    """A listener for `run` that shows how it goes on `stream`; what changed there is gone at the end."""
    if moves(stream):
        with _table(programs, stream, color=color, unicode=unicode) as listener:
            yield listener
        return

    def lines(_: Program, result: Result | None) -> None:
        if result is not None:
            output.line(stream, progress(result, unicode=unicode))

    yield lines


@contextmanager
def _table(programs: Sequence[Program], stream: TextIO, *, color: bool, unicode: bool) -> Iterator[Listener]:
    # Imported here: rich takes 28 ms.
    from rich.console import Console
    from rich.live import Live

    console = Console(file=stream, no_color=not color, highlight=False, soft_wrap=False)
    results: dict[str, Result] = {}
    running, since, shown_at = "", 0.0, 0.0
    # No refreshing thread: the runner's child is prepared between fork and exec, where threads are a danger.
    with Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop") as live:

        def listener(program: Program, result: Result | None) -> None:
            nonlocal running, since, shown_at
            now = time.monotonic()
            if program.id != running:
                running, since, shown_at = program.id, now, 0.0
            if result is not None:
                results[program.id] = result
                shown_at = 0.0
            if now - shown_at >= _REFRESH:
                shown_at = now
                live.update(_rows(programs, results, running, now - since, unicode), refresh=True)

        yield listener


def _rows(
    programs: Sequence[Program], results: dict[str, Result], running: str, seconds: float, unicode: bool
) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(min_width=1)
    table.add_column(min_width=max(len(program.title) for program in programs), no_wrap=True)
    table.add_column(min_width=7, justify="right", no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis" if unicode else "crop", ratio=1)
    for program in programs:
        result = results.get(program.id)
        if result is not None:
            fancy, plain, style, _ = MARKS[result.outcome]
            table.add_row(
                Text(fancy if unicode else plain, style=_STYLES[style]),
                Text(program.title),
                Text(f"{result.seconds:.1f} s"),
                Text(clean(result.message, unicode=unicode), style="dim"),
            )
        elif program.id == running:
            table.add_row(
                Text(">", style="bold"), Text(program.title, style="bold"), Text(f"{seconds:.1f} s"), Text("")
            )
        else:
            table.add_row(Text(" "), Text(program.title, style="dim"), Text(""), Text(""))
    return table
