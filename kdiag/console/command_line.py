"""Commands as this person can type them: without sudo for root, and with the path of a kdiag that sudo would not find.

Findings name commands in one canonical form (`sudo kdiag fix`); a virtual environment's bin is not on sudo's
secure_path, and most containers have no sudo at all.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace

from kdiag.model import Finding, Remedy, Report
from kdiag.trust import here

#: On every distribution's secure_path. /usr/local/bin is on Debian's, but not on those of Red Hat and SUSE.
_EVERYWHERE = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
_SUDOERS = ("/etc/sudoers", "/usr/etc/sudoers")
#: `Defaults secure_path = /sbin:/bin`, with or without quotes and other settings before it (sudoers(5)).
_SECURE_PATH = re.compile(
    r'^[ \t]*Defaults[ \t](?:[^#\n]*?[ \t,!])?secure_path(?:[ \t]*\+?=[ \t]*"?([^"\s,]*))?', re.M
)
_SUDO = re.compile(r"(^|&& |\| )sudo (?!-)")
#: The commands that look at a host's files have to be told where these are, as this one was.
_KDIAG = re.compile(r"(^|&& |sudo )kdiag\b( (?:check|fix|record)\b)?")


def program(*, root: bool, sudoers: Sequence[str] = _SUDOERS) -> str:
    """What to type for kdiag: its name where the one who runs it finds it, its path otherwise.

    root types it himself; for others sudo looks for it, where its own configuration says.
    """
    path = here.absolute(sys.argv[0])
    directory, name = os.path.split(path)
    archive = _is_archive(path)
    if (not archive and name != "kdiag") or not os.access(path, os.X_OK):
        what = shlex.quote(path) if archive else "-m kdiag"
        return f"{shlex.quote(sys.executable)} {what}"
    searched = _own_path() if root else secure_path(sudoers)
    return shlex.quote(name if directory in searched else path)


def _own_path() -> Sequence[str]:
    """Where the caller's shell looks. uvx and `uv run` put a directory of theirs before it, for what they start only,
    and set UV (docs.astral.sh/uv/reference/environment): what is found there is not found by the one who reads.
    """
    return () if "UV" in os.environ else os.get_exec_path()


def _is_archive(path: str) -> bool:
    """Whether this file is an archive that Python runs, of zipapp or shiv: its __main__ is in it, and no module of that
    name is installed beside it.
    """
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return main is not None and os.path.isfile(path) and here.absolute(os.path.dirname(main)) == path


def secure_path(sudoers: Sequence[str] = _SUDOERS) -> Sequence[str]:
    """Where sudo looks for a command. Its configuration is root's alone to read on most machines: then only what is so
    everywhere is known.
    """
    found: list[str] = []
    for file in sudoers:
        try:
            added = os.listdir(f"{file}.d") if os.path.lexists(f"{file}.d") else []
            names = [file, *(f"{file}.d/{name}" for name in sorted(added))]
            found += [text for name in names for text in _settings(name)]
        except FileNotFoundError:
            continue
        except OSError:
            return _EVERYWHERE
    return found[-1].split(":") if found and found[-1] else _EVERYWHERE


def _settings(name: str) -> list[str]:
    with open(name, encoding="utf-8", errors="replace") as file:
        return _SECURE_PATH.findall(file.read(1 << 20))


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
