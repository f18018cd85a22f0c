"""Commands as this person can type them: without sudo for root, and with the path of a kdiag that sudo would not find.

Findings name commands in one canonical form (`sudo kdiag fix`); a virtual environment's bin is not on sudo's
secure_path, and most containers have no sudo at all.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import replace

from kdiag.console.called import program
from kdiag.model import Finding, Remedy, Report

_SUDO = re.compile(r"(^|&& |\| )sudo (?!-)")
#: The commands that look at a host's files have to be told where these are, as this one was.
_KDIAG = re.compile(r"(^|&& |sudo )kdiag\b( (?:check|fix|record)\b)?")


def typed(command: str, *, root: bool, kdiag: str, host: str = "") -> str:
    """One command in that form. host: where the host's files are, if that was said."""
    if root:
        command = _SUDO.sub(r"\1", command)
    told = f" --host {shlex.quote(host)}" if host else ""
    return _KDIAG.sub(lambda found: found[1] + kdiag + (found[2] + told if found[2] else ""), command)


def has_sudo() -> bool:
    """Whether sudo is installed, where this user's shell looks."""
    return any(os.access(os.path.join(place, "sudo"), os.X_OK) for place in os.get_exec_path())


def for_this_user(report: Report, host: str = "") -> Report:
    """The report on this machine, as the one who asked can type its commands. host: as for `typed`."""
    root = os.geteuid() == 0
    return localised(report, root=root, kdiag=program(root=root), sudo=has_sudo(), host=host)


def localised(report: Report, *, root: bool, kdiag: str, sudo: bool = True, host: str = "") -> Report:
    """The report with all commands that are to be run here in that form. sudo: whether it is there; without it, root's
    commands are shown as root types them. host: as for `typed`.
    """
    asked_for = not root and not sudo and bool(_SUDO.search(report.verdict.next))
    root = root or not sudo

    def remedy(one: Remedy) -> Remedy:
        if one.run_on != "here":
            return one
        commands = tuple(typed(c, root=root, kdiag=kdiag, host=host) for c in one.commands)
        undo = tuple(typed(c, root=root, kdiag=kdiag, host=host) for c in one.undo)
        return one._replace(commands=commands, undo=undo)

    def finding(one: Finding) -> Finding:
        return replace(one, remedies=tuple(map(remedy, one.remedies))) if one.remedies else one

    verdict = report.verdict
    if verdict.run_on == "here" or verdict.run_on.startswith("the shell"):
        verdict = verdict._replace(next=typed(verdict.next, root=root, kdiag=kdiag, host=host))
    if asked_for and verdict.run_on == "here":
        verdict = verdict._replace(run_on="as root")
    return replace(report, findings=tuple(map(finding, report.findings)), verdict=verdict)
