"""Commands as this person can type them: without sudo for root, and with the path of a kdiag that sudo would not find.

Findings name commands in one canonical form (`sudo kdiag fix`); a virtual environment's bin is not on sudo's
secure_path, and most containers have no sudo at all.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import replace

from kdiag.model import Finding, Remedy, Report
from kdiag.trust import here

#: Where sudo looks by default (sudoers(5), secure_path), as distributions set it.
_SECURE_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/snap/bin")
_SUDO = re.compile(r"(^|&& |\| )sudo (?!-)")
_KDIAG = re.compile(r"(^|&& |sudo )kdiag\b")


def program() -> str:
    """What to type for kdiag: its name where every shell and sudo find it, its path otherwise."""
    path = here.absolute(sys.argv[0])
    if os.path.basename(path) != "kdiag" or not os.access(path, os.X_OK):
        return f"{shlex.quote(sys.executable)} -m kdiag"
    return "kdiag" if os.path.dirname(path) in _SECURE_PATH else shlex.quote(path)


def typed(command: str, *, root: bool, kdiag: str) -> str:
    """One command in that form."""
    if root:
        command = _SUDO.sub(r"\1", command)
    return _KDIAG.sub(lambda found: found[1] + kdiag, command)


def localised(report: Report, *, root: bool, kdiag: str) -> Report:
    """The report with all commands that are to be run here in that form."""

    def remedy(one: Remedy) -> Remedy:
        if one.run_on != "here":
            return one
        commands = tuple(typed(c, root=root, kdiag=kdiag) for c in one.commands)
        undo = tuple(typed(c, root=root, kdiag=kdiag) for c in one.undo)
        return replace(one, commands=commands, undo=undo)

    def finding(one: Finding) -> Finding:
        return replace(one, remedies=tuple(map(remedy, one.remedies))) if one.remedies else one

    verdict = replace(report.verdict, next=typed(report.verdict.next, root=root, kdiag=kdiag))
    return replace(report, findings=tuple(map(finding, report.findings)), verdict=verdict)
