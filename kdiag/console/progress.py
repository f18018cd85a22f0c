"""A console for commands that take time: paragraphs, a question, and a bar on a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from kdiag.console import output, printable
from kdiag.console.terminal import Terminal, moves
from kdiag.console.wrap import clean, wrap


class Step(Protocol):
    """What a bar is drawn for."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...


#: Told again and again how far a step is: done, of how many (0: not known).
Watch = Callable[[Step, int, int], None]


class Console(NamedTuple):
    """Where it is said. ask: puts a yes-or-no question, None without a terminal; watch: a progress bar for a
    while, None where lines have to do.
    """

    write: Callable[[str], None]
    warn: Callable[[str], None]
    ask: Callable[[str], bool] | None = None
    watch: Callable[[], contextlib.AbstractContextManager[Watch]] | None = None
    width: int = 80
    unicode: bool = False

    def say(self, text: str) -> None:
        """A paragraph."""
        self.write("".join(f"{line}\n" for line in wrap(clean(text, unicode=self.unicode), self.width)))

    def items(self, texts: Iterable[str]) -> None:
        """A list."""
        self.write("".join(f"  - {clean(text, unicode=self.unicode)}\n" for text in texts))

    def complain(self, message: str, hint: str = "") -> None:
        """Something went wrong."""
        self.warn(clean(f"{message} ({hint})" if hint else message, unicode=self.unicode))


def console() -> Console:
    """The console of this process: asks only where a person can answer, shows bars only where a person looks."""
    terminal = Terminal.of(sys.stdout, None)
    return Console(
        write=output.text,
        warn=output.error,
        ask=_ask if sys.stdin.isatty() and sys.stdout.isatty() else None,
        watch=_bars if moves(sys.stderr) else None,
        width=terminal.width,
        unicode=terminal.unicode,
    )


def _ask(question: str) -> bool:
    """Only a clear yes is a yes; the end of input is a no."""
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        output.text("\n")
        return False
    return answer.strip().lower() in ("y", "yes")


@contextlib.contextmanager
def _bars() -> Iterator[Watch]:
    """A bar for each step that shows its progress."""
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=RichConsole(stderr=True), transient=True) as progress:

        def watch(step: Step, done: int, total: int) -> None:
            if step.id not in tasks:
                tasks[step.id] = progress.add_task(printable.line(step.title), total=None)
            progress.update(tasks[step.id], completed=done, total=total or None)

        yield watch
