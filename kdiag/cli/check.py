"""`kdiag check`, `list`, `schema`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer

from kdiag.cli.common import (
    Color,
    Formats,
    Host,
    Labels,
    NoPlugins,
    Only,
    Outputs,
    Profiles,
    Quiet,
    Require,
    RequireFrom,
    Settings,
    Skip,
    Tool,
    Verbose,
    fail,
    one_of,
    registry,
    terminal,
)
from kdiag.console import output as console

if TYPE_CHECKING:
    from collections.abc import Callable


def check(  # noqa: PLR0913, PLR0917  a parameter is an option
    only: Only = [],  # noqa: B006  typer copies defaults
    skip: Skip = [],  # noqa: B006
    tool: Tool = [],  # noqa: B006
    require: Require = [],  # noqa: B006
    require_from: RequireFrom = [],  # noqa: B006
    profile: Profiles = [],  # noqa: B006
    formats: Formats = [],  # noqa: B006
    outputs: Outputs = [],  # noqa: B006
    quiet: Quiet = False,
    verbose: Verbose = False,
    color: Color = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Prove it, too: `kdiag smoke` in the same run.")
    ] = False,
    root: Annotated[
        str, typer.Option("--root", metavar="DIR", help="Examine a mounted system's files.")
    ] = "/",
    kernel: Annotated[
        str,
        typer.Option(
            "--kernel",
            metavar="RELEASE",
            help="Examine a kernel that is installed and not running, by its files.",
        ),
    ] = "",
    losses: Annotated[
        bool,
        typer.Option(
            "--losses",
            help="With --kernel: only what the running kernel has and that one has not; 1 if required.",
        ),
    ] = False,
    recording: Annotated[
        str, typer.Option("--from", metavar="FILE|DIR", help="Judge a recording, not this machine.")
    ] = "",
    config: Annotated[
        str,
        typer.Option("--config", metavar="FILE", help="kdiag.toml (default: the repository's; '' for none)."),
    ] = "auto",
    no_plugins: NoPlugins = False,
    print_run: Annotated[
        str,
        typer.Option(
            "--print-run",
            metavar="ENGINE",
            help="Print how docker, podman or kubernetes starts a container that can trace here.",
        ),
    ] = "",
    host: Host = "",
    label: Labels = [],  # noqa: B006
) -> None:
    """Show what can be traced here, what cannot, why, and what to do."""
    from kdiag.cli.examination import Asked, run

    asked = Asked(
        *(only, skip, tool, require, formats, outputs, verbose, color),
        *(smoke, root, recording, config, no_plugins, print_run, host),
        require_from=tuple(require_from),
        profiles=tuple(profile),
        quiet=quiet,
        labels=tuple(label),
    )
    if kernel:
        from kdiag.cli.installed import run as run_installed

        raise typer.Exit(run_installed(asked, kernel, only_losses=losses))
    if losses:
        fail("--losses compares an installed kernel with the running one: name it with --kernel")
    raise typer.Exit(run(asked))


def list_all(no_plugins: NoPlugins = False) -> None:
    """Show the checks and the capabilities, and where they come from."""
    from kdiag.cli.checked.settings import settings_of
    from kdiag.report.story.listing import listing

    settings = settings_of("auto")
    own = [(one.name, one.title or f"a profile of {settings.path}") for one in settings.profiles]
    console.text(listing(registry(plugins=not no_plugins), terminal().width, own))


def schema(
    document: Annotated[
        str, typer.Argument(metavar="[report|smoke|comparison|fleet|why|explain|btf]", help="Which document.")
    ] = "report",
) -> None:
    """Print the JSON Schema of a document: of `kdiag check --format json`, or of another command's."""
    one_of("The document", document, tuple(_DOCUMENTS))
    console.document(import_module(_DOCUMENTS[document]).schema_text().encode())


#: Which module writes which document.
_DOCUMENTS = {
    "report": "kdiag.report.faces.json",
    "smoke": "kdiag.smoke.json",
    "comparison": "kdiag.compare.json",
    "fleet": "kdiag.fleet.json",
    "why": "kdiag.why.json",
    "explain": "kdiag.explain.json",
    "btf": "kdiag.btf.json",
}

COMMANDS: tuple[tuple[str, Callable[..., None], Settings], ...] = (
    ("check", check, {}),
    ("list", list_all, {}),
    ("schema", schema, {}),
)
