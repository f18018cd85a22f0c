"""`kdiag fix`, `smoke`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from kdiag.cli.common import (
    Color,
    Host,
    NoPlugins,
    Require,
    Settings,
    Tool,
    fail,
    host_directory,
    one_of,
    seconds,
    terminal,
    tool_names,
)
from kdiag.console import exits, output
from kdiag.trust.search import find

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kdiag.fix.verify import Smoke, SmokeSummary


def fix(  # noqa: PLR0913, PLR0917  a parameter is an option
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Show the plan and stop.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take back everything that was done.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Remove headers of kernels that are gone.")] = False,
    packages: Annotated[
        bool, typer.Option("--packages", help="Install the exact header package, too.")
    ] = False,
    load: Annotated[
        bool, typer.Option("--load", help="Load the kheaders module instead of reading its file.")
    ] = False,
    link: Annotated[
        bool, typer.Option("--link", help="Put a /lib/modules/RELEASE/build link where none is.")
    ] = False,
    btf: Annotated[
        str, typer.Option("--btf", metavar="FILE", help="BTF for this kernel (.btf or .btf.tar.xz).")
    ] = "",
    smoke_test: Annotated[
        bool, typer.Option("--smoke/--no-smoke", help="Prove it with real programs.")
    ] = True,
    tool: Tool = [],  # noqa: B006
    host: Host = "",
) -> None:
    """Repair what can be repaired: show the plan, ask, change it, prove it; or take it back."""
    from kdiag.commands.repair import fix as command

    tools = tuple(tool_names(tool))
    options = command.Options(packages=packages, load=load, link=link, btf=btf or None, tools=tools)
    smoke_programs = _smoke(tools) if smoke_test and not (undo or prune or dry_run) else None
    around = command.Surroundings(smoke=smoke_programs, host=host_directory(host))
    raise typer.Exit(
        command.fix(command.Request(options, yes, dry_run, undo, prune), command.console(), around)
    )


def _smoke(tools: tuple[str, ...]) -> Smoke | None:
    """The smoke programs for a proof, of the tools that were asked for, else of bpftrace; imported when they are run.
    None where they could prove nothing: not root, or no tool was asked for and there is no bpftrace.
    """
    if os.geteuid() != 0 or not (tools or find("bpftrace", os.environ.get("PATH"))):
        return None

    def summarise(values: Mapping[str, str]) -> SmokeSummary:
        from kdiag.commands.repair.proof import summary

        return summary(values, tools)

    return summarise


def smoke(  # noqa: PLR0913, PLR0917  a parameter is an option
    only: Annotated[
        list[str], typer.Option("--only", metavar="PROGRAM,...", help="Run these programs only.")
    ] = [],  # noqa: B006
    tool: Tool = [],  # noqa: B006
    require: Require = [],  # noqa: B006
    output_format: Annotated[
        str, typer.Option("--format", metavar="text|json", help="How to print it.")
    ] = "text",
    time_limit: Annotated[
        float | None,
        typer.Option(
            "--time-limit", metavar="SECONDS", help="For all together (900; 0: none).", callback=seconds
        ),
    ] = None,
    show_list: Annotated[bool, typer.Option("--list", help="Show the programs and stop.")] = False,
    color: Color = None,
    no_plugins: NoPlugins = False,
) -> None:
    """Run small programs that cause the very events they look for."""
    from kdiag.commands import smoke as command

    one_of("--format", output_format, ("text", "json"))
    if show_list:
        output.text(command.programs_text())
        return
    host_directory("")
    shown = terminal(color)
    try:
        text, status = command.smoke(
            only=command.split(only),
            require=command.split(require),
            tools=tool_names(tool),
            output_format=output_format,
            time_limit=time_limit,
            terminal=shown,
            progress=sys.stderr,
            plugins=not no_plugins,
        )
    except command.UnknownName as error:
        fail(str(error))
    except command.SmokeError as error:
        fail(str(error), exits.FAILED)
    output.rendering(text, exact=output_format == "json", color=shown.color)
    raise typer.Exit(status)


COMMANDS: tuple[tuple[str, Callable[..., None], Settings], ...] = (
    ("fix", fix, {}),
    ("smoke", smoke, {}),
)
