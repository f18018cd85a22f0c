"""`kdiag check`, `list`, `explain`, `schema`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from kdiag.cli.arguments import argument, flag, option
from kdiag.cli.common import (
    Color,
    Formats,
    NoPlugins,
    Only,
    Outputs,
    Require,
    Skip,
    Verbose,
    fail,
    registry,
    terminal,
)
from kdiag.console import exits
from kdiag.console import output as console


def check(  # noqa: PLR0913, PLR0917  a parameter is an option
    only: Only = (),
    skip: Skip = (),
    require: Require = (),
    formats: Formats = (),
    outputs: Outputs = (),
    verbose: Verbose = False,
    color: Color = None,
    smoke: Annotated[bool, flag("--smoke", help="Prove it, too: `kdiag smoke` in the same run.")] = False,
    root: Annotated[str, option("--root", metavar="DIR", help="Examine a mounted system's files.")] = "/",
    recording: Annotated[
        str, option("--from", metavar="FILE|DIR", help="Judge a recording, not this machine.")
    ] = "",
    config: Annotated[
        str,
        option("--config", metavar="FILE", help="kdiag.toml (default: the repository's; '' for none)."),
    ] = "auto",
    no_plugins: NoPlugins = False,
) -> int:
    """Show what can be traced here, what cannot, why, and what to do."""
    from kdiag.cli.examination import Asked, run

    asked = Asked(
        *(only, skip, require, formats, outputs, verbose, color),
        *(smoke, root, recording, config, no_plugins),
    )
    return run(asked)


def list_all(no_plugins: NoPlugins = False) -> int:
    """Show the checks and the capabilities, and where they come from."""
    from kdiag.report.story.listing import listing

    console.text(listing(registry(plugins=not no_plugins), terminal().width))
    return exits.READY


def explain(
    name: Annotated[str, argument(metavar="ID", help="A check, a finding or a capability.")],
    no_plugins: NoPlugins = False,
) -> int:
    """Explain a check, a finding or a capability."""
    from kdiag.checking.selection import UnknownName
    from kdiag.report.story.listing import explanation

    try:
        console.text(explanation(registry(plugins=not no_plugins), name, terminal().width))
    except UnknownName as error:
        fail(str(error))
    return exits.READY


def schema() -> int:
    """Print the JSON Schema of `kdiag check --format json`."""
    from kdiag.report.faces.json import schema_text

    console.document(schema_text().encode())
    return exits.READY


COMMANDS: dict[str, Callable[..., int]] = {
    "check": check,
    "list": list_all,
    "explain": explain,
    "schema": schema,
}
