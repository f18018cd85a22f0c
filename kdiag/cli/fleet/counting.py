"""The options of `kdiag compare` for a fleet; `running` does what they ask for."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import typer

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
