"""`kdiag check --kernel RELEASE`: a kernel that is installed and not running, and what it takes away."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kdiag.checking.analysis import analyse
from kdiag.checking.installed import analyse_installed, losses
from kdiag.checking.selection import UnknownName, capabilities, choose, split
from kdiag.checking.versions import system_at
from kdiag.cli.checked.settings import settings_of
from kdiag.cli.common import fail, registry, root_directory, tool_names
from kdiag.cli.examination import emit, outputs_of, status_of
from kdiag.console import exits
from kdiag.console import output as console
from kdiag.console.command_line import for_this_user
from kdiag.machine import Machine
from kdiag.machine.kernel import MODULE_DIRS, releases
from kdiag.report.story.losses import Line, told
from kdiag.system import Unavailable
from kdiag.system.installed import Installed, images

if TYPE_CHECKING:
    from kdiag.checking.installed import Loss
    from kdiag.cli.examination import Asked
    from kdiag.model import Report
    from kdiag.system import System

#: A release is one name below /lib/modules.
_RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}")


def run(asked: Asked, release: str, *, only_losses: bool) -> int:
    """Examine the files of that kernel, report, and the exit status that says how it stands."""
    settings = settings_of(asked.config)
    planned = outputs_of(asked, settings)
    _check_options(asked, only_losses=only_losses)
    base = system_at(asked.root)
    _check_release(base, release)
    system = Installed(base, release)
    known = registry(plugins=not asked.no_plugins and settings.plugins is not False)
    try:
        chosen = choose(known.checks, split(asked.only) or settings.only, split(asked.skip) or settings.skip)
        required = capabilities(split(asked.require) or settings.require)
    except UnknownName as error:
        fail(str(error))
    tools = split(asked.tool) or settings.tool
    running = Machine(base) if asked.root == "/" else None
    now = None if running is None else analyse(running, known, chosen, required, tools)
    machine = Machine(system, installed=release, running=running)
    report = analyse_installed(machine, system, known, chosen, required, tools, now)
    if asked.root == "/":
        report = for_this_user(report, "")
    if now is not None and only_losses:
        return _losses(now, report, losses(now, report))
    place = f"this machine once {release} runs" if now is not None else f"the system in {asked.root}"
    emit(
        report,
        planned,
        known,
        verbose=asked.verbose or bool(settings.verbose),
        color=asked.color,
        place=place,
    )
    return status_of(report, planned)


def _losses(now: Report, then: Report, found: tuple[Loss, ...]) -> int:
    by_id = {finding.id: finding for finding in then.findings}
    deciding = [by_id[i] for loss in found for i in loss.capability.findings if i in by_id]
    repairs = dict.fromkeys(
        command
        for finding in deciding
        for remedy in finding.remedies
        if remedy.run_on == "here" and remedy.kind == "safe"
        for command in remedy.commands
    )
    lines = [Line(f.capability.title, f.required, f.capability.because, f.lost) for f in found]
    console.text(told(then.machine.release, now.machine.release, lines, tuple(repairs)))
    if any(loss.lost and loss.required for loss in found):
        return exits.NOT_READY
    return exits.CANNOT_TELL if any(loss.required for loss in found) else exits.READY


def _check_options(asked: Asked, *, only_losses: bool) -> None:
    tool_names(asked.tool)
    root_directory(asked.root)
    if asked.recording:
        fail(
            "--kernel examines files of this machine or of --root, and --from plays back another: use one of them"
        )
    if asked.smoke or asked.print_run or asked.host:
        fail(
            "--kernel is about a kernel that does not run: --smoke, --print-run and --host are about the running one"
        )
    if asked.require_from or asked.profiles:
        fail("--kernel does not take --require-from and --profile: name capabilities with --require")
    if only_losses and asked.root != "/":
        fail("--losses compares with the running kernel, and --root examines files alone")
    if only_losses and (asked.formats or asked.outputs):
        fail("--losses prints a few lines of text: leave --format and --output out")


def _check_release(system: System, release: str) -> None:
    """A usage error for a kernel that is not there; others that are, are named."""
    if not _RELEASE.fullmatch(release):
        fail(f"--kernel: {release!r} is not a kernel release such as 6.1.0-18-amd64")
    try:
        here = [f"{directory}/{release}" for directory in MODULE_DIRS[:2]]
        if any(
            system.stat(path) is not None for path in (*here, f"/boot/config-{release}", *images(release))
        ):
            return
        found = releases(name for directory in MODULE_DIRS[:2] for name in system.listdir(directory) or ())
    except Unavailable as gap:
        fail(f"--kernel: {gap.reason}")
    others = f"installed are {', '.join(found)}" if found else "no kernel is installed here"
    fail(
        f"--kernel: {release} is not installed (there is neither {here[0]} nor /boot/config-{release}); {others}"
    )
