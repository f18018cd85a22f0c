"""A console for commands that take time: paragraphs, a question, and a bar on a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kdiag.commands.fix import Console
from kdiag.terminal import Terminal

if TYPE_CHECKING:
    from kdiag.fix.apply import Watch
    from kdiag.fix.values import Step


def console() -> Console:
    """The console of this process: asks only where a person can answer, shows bars only where a person looks."""
    terminal = Terminal.of(sys.stdout, None)
    return Console(
        write=_write,
        warn=_warn,
        ask=_ask if sys.stdin.isatty() and sys.stdout.isatty() else None,
        watch=_bars if sys.stderr.isatty() else None,
        width=terminal.width,
        unicode=terminal.unicode,
    )


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _warn(text: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"kdiag: {text}\n")


def _ask(question: str) -> bool:
    """Only a clear yes is a yes; the end of input is a no."""
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        sys.stdout.write("\n")
        return False
    return answer.strip().lower() in ("y", "yes")


@contextlib.contextmanager
def _bars() -> Iterator[Watch]:
    """A bar for each step that tells how far it is."""
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=RichConsole(stderr=True), transient=True) as progress:

        def watch(step: Step, done: int, total: int) -> None:
            if step.id not in tasks:
                tasks[step.id] = progress.add_task(step.title, total=None)
            progress.update(tasks[step.id], completed=done, total=total or None)

        yield watch
