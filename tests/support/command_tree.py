"""Every command of kdiag, read off the definition of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import typer

from kdiag.cli.app import application


@cache
def commands() -> tuple[tuple[tuple[str, ...], Any], ...]:
    """The commands that the help lists, each by its words after `kdiag`; groups too, and kdiag itself as ()."""
    return tuple(_below((), typer.main.get_command(application([]))))


def _below(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, one in getattr(command, "commands", {}).items():
        if not one.hidden:
            yield from _below((*path, name), one)
