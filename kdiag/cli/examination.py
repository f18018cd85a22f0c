"""What `kdiag check` does, and what `report`, `record` and `compare` share with it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from kdiag.checking.analysis import ENGINES, analyse, run_line
from kdiag.checking.runner import waits
from kdiag.checking.selection import UnknownName, capabilities, choose, split
from kdiag.cli.checked.settings import color_of, look_up, settings_of, taken, waived
from kdiag.cli.common import (
    fail,
    host_directory,
    one_of,
    registry,
    root_directory,
    terminal,
    tool_names,
)
from kdiag.cli.fleet.labels import labels_of
from kdiag.config.values import Config
from kdiag.console import exits
from kdiag.console import output as console
from kdiag.console.command_line import for_this_user
from kdiag.machine import Machine
from kdiag.model import Report
from kdiag.report.formats import Options, explainer
from kdiag.report.outputs import BadOutputs, Output, plan
from kdiag.report.outputs import emit as emit_all
from kdiag.report.story.next_step import RECORDED
from kdiag.report.write import WriteError
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.checking.prefetch import Ahead
    from kdiag.checking.registry import Registry
    from kdiag.explain.here import Here
    from kdiag.system import System


class Asked(NamedTuple):
    """The options of `kdiag check`, as they were given."""

    only: list[str]
    skip: list[str]
    tool: list[str]
    require: list[str]
    formats: list[str]
    outputs: list[str]
    verbose: bool
    color: bool | None
    smoke: bool
    root: str
    recording: str
    config: str
    no_plugins: bool
    print_run: str
    host: str
    require_from: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    quiet: bool = False
    labels: tuple[str, ...] = ()


class Examined(NamedTuple):
    """A machine, the report on it, and the checks that are known."""

    machine: Machine
    report: Report
    known: Registry


def run(asked: Asked) -> int:
    """Check, report, and the exit status that says how it stands."""
    settings = settings_of(asked.config)
    planned = outputs_of(asked, settings)
    _check_options(asked, planned)
    labels = labels_of(asked.labels)
    examined = _examine(asked, settings)
    if asked.print_run:
        return _print_run(examined, asked.print_run)
    from_file = taken(
        settings,
        require=split(asked.require),
        tool=split(asked.tool),
        only=split(asked.only),
        skip=split(asked.skip),
        format=asked.formats or asked.outputs,
    )
    if asked.require_from or asked.profiles:
        examined = _requiring(examined, asked, settings)
    report = replace(waived(examined.report, settings, from_file), labels=labels)
    if not asked.recording and asked.root == "/":
        report = for_this_user(report, host_directory(asked.host))
    if asked.smoke:
        from kdiag.cli.checked.proof import with_smoke

        return with_smoke(Examined(examined.machine, report, examined.known), planned, asked)
    emit(
        report,
        planned,
        examined.known,
        verbose=asked.verbose or bool(settings.verbose),
        color=color_of(asked.color, settings),
        place=RECORDED if asked.recording else f"the system in {asked.root}" if asked.root != "/" else "",
    )
    if asked.recording:
        from kdiag.commands.record import by_collector

        console.note(by_collector(examined.machine.system, report))
    return status_of(report, planned)


def status_of(report: Report, planned: Sequence[Output]) -> int:
    """The exit status that says how it stands: a plug-in's where its line is on standard output."""
    if Output("nagios") in planned:
        from kdiag.report.faces.nagios import state

        return state(report)
    return exits.of(report.verdict.status)


def report_on(recording: str, host: str) -> tuple[Report, System]:
    """The whole report on this machine, or on a recording, as `kdiag check` makes it, and what it is made from; without
    waivers, which say what is to be lived with and not what is the case.
    """
    if host and recording:
        fail("--host is about this running machine, and --from plays back another: use one of them")
    nothing: list[str] = []
    asked = Asked(
        *(nothing, nothing, nothing, nothing, nothing, nothing, False, None),
        *(False, "/", recording, "", False, "", host),
    )
    machine, report, _ = _examine(asked, Config())
    return report if recording else for_this_user(report, host_directory(host)), machine.system


def here(recording: str, host: str, *, no_plugins: bool = False) -> Here:
    """The machine of an explanation: this one, or a recording; examined when a subject requires it."""
    from kdiag.commands.requirement import Here, own_profiles

    if host and recording:
        fail("--host is about this running machine, and --from plays back another: use one of them")
    machine = Machine(_system("/", recording, host))
    known = cache(lambda: registry(plugins=not no_plugins))

    def examined() -> Report:
        report = analyse(machine, known(), known().checks)
        return report if recording else for_this_user(report, host_directory(host))

    settings = settings_of("auto")
    look_up(settings, None)
    return Here(machine, known, examined, RECORDED if recording else "", own_profiles(settings))


def _check_options(asked: Asked, planned: Sequence[Output]) -> None:
    """Names that there are not, and options that exclude each other."""
    if asked.smoke and (
        asked.recording or asked.root != "/" or any(o.format not in ("text", "json") for o in planned)
    ):
        fail("--smoke runs programs on this machine, and joins text and json only")
    if asked.print_run:
        one_of("--print-run", asked.print_run, ENGINES)
        if asked.smoke or asked.formats or asked.outputs or asked.quiet or asked.root != "/":
            fail("--print-run prints a command for a running kernel, and nothing else")
    tool_names(asked.tool)
    root_directory(asked.root)
    if asked.host and asked.recording:
        fail("--host is about this running machine, and --from plays back another: use one of them")


def _examine(asked: Asked, settings: Config) -> Examined:
    system = _system(asked.root, asked.recording, asked.host)
    only, skip = split(asked.only) or settings.only, split(asked.skip) or settings.skip
    # The tools print their versions, and the BTF is read, while the checks are imported.
    ahead = _ahead(system) if system.live else None
    machine = Machine(system, ahead)
    with suppress(Unavailable):
        machine.tools.start()
    if ahead is not None and not only and not skip:
        ahead.begin()
    known = registry(plugins=not asked.no_plugins and settings.plugins is not False)
    look_up(settings, known)
    try:
        chosen = choose(known.checks, only, skip)
        required = capabilities(split(asked.require) or settings.require)
        tools = split(asked.tool) or settings.tool
    except UnknownName as error:
        fail(str(error))
    if ahead is not None and any(map(waits, chosen)):
        ahead.begin()
    return Examined(machine, analyse(machine, known, chosen, required, tools), known)


def _requiring(examined: Examined, asked: Asked, settings: Config) -> Examined:
    """The report with what files and profiles require, instead of what is required where nothing is said."""
    from kdiag.commands import requirement

    own = requirement.own_profiles(settings)
    place = requirement.Here(examined.machine, lambda: examined.known, lambda: examined.report, "", own)
    try:
        found, also = requirement.of_profiles(split(asked.profiles), place)
    except requirement.NotKnown as error:
        fail(f"--profile: {error}")
    try:
        found += requirement.of_files(asked.require_from, place)
    except requirement.NotKnown as error:
        fail(f"--require-from: {error}")
    said = bool(asked.require or asked.tool or settings.require or settings.tool)
    also = (*(examined.report.required if said else ()), *also)
    return examined._replace(
        report=requirement.with_required(examined.report, found, tuple(dict.fromkeys(also)))
    )


def _print_run(examined: Examined, engine: str) -> int:
    try:
        console.document(f"{run_line(examined.machine, examined.report, engine)}\n".encode())
    except Unavailable as gap:
        fail(gap.reason, exits.NOT_READY)
    return exits.READY


def outputs_of(asked: Asked, settings: Config) -> list[Output]:
    """What is asked for, else what the configuration file says."""
    default = [settings.format] if settings.format and not asked.outputs and not asked.quiet else []
    return planned_outputs(asked.formats or default, asked.outputs, quiet=asked.quiet)


def planned_outputs(formats: list[str], outputs: list[str], *, quiet: bool) -> list[Output]:
    try:
        return plan(formats, outputs, quiet=quiet)
    except BadOutputs as error:
        fail(str(error))


def _system(root: str, recording: str, host: str = "") -> System:
    if recording:
        from kdiag.commands.record import BadRecording, system_from

        if root != "/":
            fail("--from and --root exclude each other")
        try:
            return system_from(recording)
        except BadRecording as error:
            fail(str(error))
    # Not where recordings are read: they are read on systems that have none of what the live machine is asked with.
    from kdiag.checking.versions import system_at

    return system_at(root, host_directory(host, root))


def _ahead(system: System) -> Ahead:
    from kdiag.checking.prefetch import Ahead  # a recording is played back where this cannot be imported

    return Ahead(system)


def emit(  # noqa: PLR0913
    report: Report,
    planned: Sequence[Output],
    known: Registry,
    *,
    verbose: bool,
    color: bool | None,
    place: str = "",
    name: str = "",
) -> None:
    """The report in every format that was asked for, where it was asked for. place: where the examined machine is, if
    it is not this one. name: what one of several reports is called.
    """
    shown = terminal(color)
    options = Options(shown.width, shown.color, verbose, shown.unicode, explainer(known), place, name)
    try:
        emit_all(report, planned, options)
    except WriteError as error:
        fail(str(error), exits.FAILED)
