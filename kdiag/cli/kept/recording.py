"""What `kdiag record` and `kdiag collector` do."""

from __future__ import annotations

from typing import NamedTuple

from kdiag.checking.selection import UnknownName, capabilities, choose, split
from kdiag.cli.common import fail, host_directory, registry, root_directory, terminal
from kdiag.commands import record as commands
from kdiag.console import exits
from kdiag.console import output as console


class Wanted(NamedTuple):
    """The options of `kdiag record`."""

    output: str
    show_list: bool
    redact: bool
    only: list[str]
    skip: list[str]
    require: list[str]
    root: str
    no_plugins: bool
    host: str


def record(wanted: Wanted) -> None:
    """Write the recording, or show what would be in it."""
    root_directory(wanted.root)
    known = registry(plugins=not wanted.no_plugins)
    try:
        chosen = choose(known.checks, split(wanted.only), split(wanted.skip))
        answer = commands.record(
            known,
            chosen,
            capabilities(split(wanted.require)),
            output=wanted.output or None,
            root=wanted.root,
            host=host_directory(wanted.host, wanted.root),
            redact=wanted.redact,
            only_list=wanted.show_list,
            unicode=terminal().unicode,
        )
    except UnknownName as error:
        fail(str(error))
    except commands.CannotWrite as error:
        fail(str(error), exits.FAILED if wanted.output else exits.USAGE)
    if answer.binary:
        console.document(answer.binary)
    console.text(answer.text)
    console.note(answer.note)


def collector(only: list[str], skip: list[str], *, no_plugins: bool) -> None:
    """Print the script."""
    known = registry(plugins=not no_plugins)
    try:
        chosen = choose(known.checks, split(only), split(skip))
    except UnknownName as error:
        fail(str(error))
    console.text(commands.collector(known, chosen))
