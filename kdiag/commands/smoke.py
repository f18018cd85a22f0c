"""`kdiag smoke`: run real programs, each causing the event that it looks for, and compare with what `check` said.

Exit status: 0 the required capabilities were shown to work; 1 one of them does not work (bpftrace that is not
installed or refuses to run counts as this); 2 usage; 3 one of them could not be tried; 4 kdiag could not do its own
part (SmokeError). Without `--require`, what `--only` chooses is required, or a first session's four.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

from kdiag.capabilities.tools import REQUIRED
from kdiag.capabilities.tools import required as required_of
from kdiag.checking.analysis import analyse
from kdiag.checking.registry import discover
from kdiag.checking.selection import UnknownName, capabilities, split
from kdiag.commands.messages import judged_here
from kdiag.commands.runners import runners
from kdiag.machine import Machine
from kdiag.smoke import PROGRAMS, TIME_LIMIT, SmokeError, run, select, worked
from kdiag.smoke.json import render as render_json
from kdiag.smoke.live import shown
from kdiag.smoke.text import listing
from kdiag.smoke.text import render as render_text
from kdiag.system.live import Live

if TYPE_CHECKING:
    from kdiag.console.terminal import Terminal
    from kdiag.machine import Machine
    from kdiag.model import Report
    from kdiag.smoke import Program, SmokeReport

__all__ = ["SmokeError", "UnknownName", "chosen", "programs_text", "prove", "show", "smoke", "split"]


def smoke(  # noqa: PLR0913  the options of the command
    *,
    only: Sequence[str],
    require: Sequence[str],
    tools: Sequence[str],
    output_format: str,
    time_limit: float | None,
    terminal: Terminal,
    progress: TextIO,
    plugins: bool = True,
    env: Mapping[str, str] | None = None,
) -> tuple[str, int]:
    """What to print and the exit status. only, require: names and globs. tools: as `--tool` names them, none for those
    that are installed. progress: where to show how it goes.

    env: the whole environment for bpftrace, None for ours as it is. Raises UnknownName and SmokeError.
    """
    machine = Machine(Live("/"))
    programs = select(only, chosen(machine, tools))
    required = capabilities(require) or _required(programs, only, tools)
    registry = discover(plugins=plugins)
    report = analyse(machine, registry, registry.checks)
    proof = prove(
        machine,
        report,
        programs,
        required=required,
        time_limit=time_limit,
        terminal=terminal,
        progress=progress,
        env=env,
    )
    return show(proof, output_format, terminal), worked(proof)


def prove(  # noqa: PLR0913
    machine: Machine,
    report: Report,
    programs: Sequence[Program],
    *,
    required: Sequence[str],
    time_limit: float | None,
    terminal: Terminal,
    progress: TextIO,
    env: Mapping[str, str] | None = None,
) -> SmokeReport:
    """Run the programs on this machine, predicted by a report about it. Raises SmokeError."""
    with shown(programs, progress, color=terminal.color, unicode=terminal.unicode) as listener:
        proof = run(
            programs,
            runners=runners(machine.tools, _hints(report)),
            behaviour=machine.tools.likeliest_behaviour,
            predictions={one.id: one.status for one in report.capabilities},
            env=env,
            listener=listener,
            required=required,
            time_limit=TIME_LIMIT if time_limit is None else time_limit or None,
            machine=report.machine,
        )
    return judged_here(proof, report)


def _hints(report: Report) -> dict[str, str]:
    """For each tool that is not installed, the command that installs it, or what else there is to do."""
    missing = (one for one in report.findings if one.id.startswith("tools.") and one.remedies)
    return {
        one.id.removeprefix("tools."): " && ".join(one.remedies[0].commands) or one.remedies[0].title
        for one in missing
    }


def show(proof: SmokeReport, output_format: str, terminal: Terminal) -> str:
    """The report as `text` or `json`."""
    if output_format == "json":
        return render_json(proof)
    return render_text(proof, width=terminal.width, color=terminal.color, unicode=terminal.unicode)


def programs_text() -> str:
    """What `kdiag smoke --list` prints."""
    return listing(PROGRAMS)


def chosen(machine: Machine, tools: Sequence[str]) -> tuple[str, ...]:
    """The tools that are proved: those that were asked for, else those that are installed, else bpftrace."""
    there = tuple(name for name, runner in runners(machine.tools).items() if runner.words)
    return tuple(tools) or there or ("bpftrace",)


def _required(programs: Sequence[Program], only: Sequence[str], tools: Sequence[str]) -> tuple[str, ...]:
    if only:
        return tuple(dict.fromkeys(one.needs[0] for one in programs))
    names = {one.tool for one in programs}
    return required_of(tools, tuple(name for name in REQUIRED if name in names))
