"""`kdiag check`, `list`, `explain`, `schema`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from kdiag.cli.common import (
    Color,
    Formats,
    NoPlugins,
    Only,
    Outputs,
    Require,
    Settings,
    Skip,
    Verbose,
    directory,
    fail,
    registry,
    terminal,
)
from kdiag.console import exits
from kdiag.console import output as console

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kdiag.checking.prefetch import Ahead
    from kdiag.checking.registry import Found, Registry
    from kdiag.config.values import Config
    from kdiag.machine import Machine
    from kdiag.model import Report
    from kdiag.report.outputs import Output
    from kdiag.system import System


class Examined(NamedTuple):
    """A machine and the report on it."""

    machine: Machine
    report: Report


def check(  # noqa: PLR0913, PLR0917  a parameter is an option
    only: Only = [],  # noqa: B006  typer copies defaults
    skip: Skip = [],  # noqa: B006
    require: Require = [],  # noqa: B006
    formats: Formats = [],  # noqa: B006
    outputs: Outputs = [],  # noqa: B006
    verbose: Verbose = False,
    color: Color = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Prove it, too: `kdiag smoke` in the same run.")
    ] = False,
    root: Annotated[
        str, typer.Option("--root", metavar="DIR", help="Examine a mounted system's files.")
    ] = "/",
    recording: Annotated[str, typer.Option("--from", metavar="FILE|DIR", help="Play a recording back.")] = "",
    config: Annotated[
        str,
        typer.Option("--config", metavar="FILE", help="kdiag.toml (default: the repository's; '' for none)."),
    ] = "auto",
    no_plugins: NoPlugins = False,
) -> None:
    """Tell what can be traced here, what cannot, why, and what to do."""
    from kdiag.checking.selection import UnknownName, capabilities, choose, split

    settings = settings_of(config)
    default = [settings.format] if settings.format and not outputs else []
    planned = planned_outputs(formats or default, outputs)
    if smoke and (recording or root != "/" or any(o.format not in ("text", "json") for o in planned)):
        fail("--smoke runs programs on this machine, and joins text and json only")
    directory("--root", root)
    known = registry(plugins=not no_plugins and settings.plugins is not False)
    _check_names(settings, known)
    try:
        chosen = choose(known.checks, split(only) or settings.only, split(skip) or settings.skip)
        required = capabilities(split(require) or settings.require)
    except UnknownName as error:
        fail(str(error))
    examined = _examine(_system(root, recording), known, chosen, required)
    taken = _taken(
        settings, require=split(require), only=split(only), skip=split(skip), format=formats or outputs
    )
    report = _waived(examined.report, settings, taken)
    if not recording and root == "/":
        from kdiag.console.command_line import localised, program

        root_asks = os.geteuid() == 0
        report = localised(report, root=root_asks, kdiag=program(root=root_asks))
    if smoke:
        raise typer.Exit(_with_smoke(examined, report, planned, verbose, color))
    emit(report, planned, known, verbose=verbose or bool(settings.verbose), color=_color(color, settings))
    raise typer.Exit(exits.of(report.verdict.status))


def planned_outputs(formats: list[str], outputs: list[str]) -> list[Output]:
    from kdiag.report.outputs import BadOutputs, plan

    try:
        return plan(formats, outputs)
    except BadOutputs as error:
        fail(str(error))


def _color(asked: bool | None, settings: Config) -> bool | None:
    return settings.color if asked is None else asked


def settings_of(path: str) -> Config:
    from kdiag.config.file import find, load
    from kdiag.config.values import Config, ConfigError, Refused

    try:
        if path == "auto":
            from pathlib import Path

            found = find(Path())
            try:
                return Config() if found is None else load(found)
            except Refused as refused:
                console.note(str(refused))
                return Config()
        if not path:
            return Config()
        from pathlib import Path

        return load(Path(path))
    except (ConfigError, OSError) as error:
        fail(str(error))


def _check_names(settings: Config, known: Registry) -> None:
    from kdiag.config.file import check_names
    from kdiag.config.values import ConfigError

    try:
        check_names(settings, known)
    except ConfigError as error:
        fail(str(error))


def _system(root: str, recording: str) -> System:
    if recording:
        from kdiag.commands.record import BadRecording, system_from

        if root != "/":
            fail("--from and --root exclude each other")
        try:
            return system_from(recording)
        except BadRecording as error:
            fail(str(error))
    from kdiag.system.live import Live

    return Live(root)


def _ahead(system: System, chosen: Sequence[Found]) -> Ahead:
    from kdiag.checking.prefetch import Ahead  # a recording is played back where this cannot be imported

    return Ahead(system, chosen)


def _examine(system: System, known: Registry, chosen: Sequence[Found], required: Sequence[str]) -> Examined:
    from kdiag.capabilities.definitions import DEFAULT_REQUIRED
    from kdiag.checking.analysis import analyse
    from kdiag.machine import Machine

    machine = Machine(system, _ahead(system, chosen) if system.live else None)
    return Examined(machine, analyse(machine, known, chosen, required or DEFAULT_REQUIRED))


def _taken(settings: Config, **asked: Sequence[str]) -> list[str]:
    """Which options come from the file: those that it has, and that were not given."""
    return [key for key, given in asked.items() if getattr(settings, key) and not given]


def _waived(report: Report, settings: Config, taken: Sequence[str]) -> Report:
    if not settings.waivers and not taken:
        return report
    from kdiag.config.waivers import apply, told

    return told(apply(report, settings.waivers, settings.path), taken, settings.path)


def emit(
    report: Report, planned: Sequence[Output], known: Registry, *, verbose: bool, color: bool | None
) -> None:
    """The report in every format that was asked for, where it was asked for."""
    from kdiag.report.formats import Options, explainer
    from kdiag.report.outputs import emit as emit_all
    from kdiag.report.write import WriteError

    shown = terminal(color)
    options = Options(shown.width, shown.color, verbose, shown.unicode, explainer(known))
    try:
        emit_all(report, planned, options)
    except WriteError as error:
        fail(str(error), exits.FAILED)


def _with_smoke(
    examined: Examined, report: Report, planned: Sequence[Output], verbose: bool, color: bool | None
) -> int:
    """Prediction and proof in one: the texts one after the other, the JSON documents in one."""
    from kdiag.commands.smoke import prove, show
    from kdiag.report.faces.json import joined
    from kdiag.report.formats import Options, render_as
    from kdiag.smoke import PROGRAMS, SmokeError, worked

    shown = terminal(color)
    try:
        proof = prove(
            examined.machine,
            examined.report,
            PROGRAMS,
            required=report.required,
            time_limit=None,
            terminal=shown,
            progress=sys.stderr,
        )
    except SmokeError as error:
        fail(str(error), exits.FAILED)
    for output in planned:
        options = Options(shown.width, shown.color, verbose, shown.unicode)
        text = render_as(output.format, report, options)
        proven = show(proof, output.format, shown)
        both = joined(text, proven) if output.format == "json" else f"{text}\n{proven}"
        _put(both, output, color=shown.color)
    return exits.of(report.verdict.status) or worked(proof)


def _put(text: str, output: Output, *, color: bool) -> None:
    from kdiag.report.write import WriteError, write_atomically

    if output.path == "-":
        console.rendering(text, exact=output.format == "json", color=color)
        return
    try:
        write_atomically(output.path, text)
    except WriteError as error:
        fail(str(error), exits.FAILED)


def list_all(no_plugins: NoPlugins = False) -> None:
    """Show the checks and the capabilities, and where they come from."""
    from kdiag.report.story.listing import listing

    console.text(listing(registry(plugins=not no_plugins), terminal().width))


def explain(
    name: Annotated[str, typer.Argument(metavar="ID", help="A check, a finding or a capability.")],
    no_plugins: NoPlugins = False,
) -> None:
    """Explain a check, a finding or a capability."""
    from kdiag.checking.selection import UnknownName
    from kdiag.report.story.listing import explanation

    try:
        console.text(explanation(registry(plugins=not no_plugins), name, terminal().width))
    except UnknownName as error:
        fail(str(error))


def schema() -> None:
    """Print the JSON Schema of `kdiag check --format json`."""
    from kdiag.report.faces.json import schema_text

    console.document(schema_text().encode())


COMMANDS: tuple[tuple[str, Callable[..., None], Settings], ...] = (
    ("check", check, {}),
    ("list", list_all, {}),
    ("explain", explain, {}),
    ("schema", schema, {}),
)
