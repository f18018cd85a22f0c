"""What the one who reads types for this kdiag: its name, or the file that was started.

A virtual environment's bin is not on sudo's secure_path, and `./kdiag.pyz` or a stand-alone build is on no path at all.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence

from kdiag.trust import here

#: On every distribution's secure_path. /usr/local/bin is on Debian's, but not on those of Red Hat and SUSE.
_EVERYWHERE = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
_SUDOERS = ("/etc/sudoers", "/usr/etc/sudoers")
#: `Defaults secure_path = /sbin:/bin`, with or without quotes and other settings before it (sudoers(5)).
_SECURE_PATH = re.compile(
    r'^[ \t]*Defaults[ \t](?:[^#\n]*?[ \t,!])?secure_path(?:[ \t]*\+?=[ \t]*"?([^"\s,]*))?', re.M
)
#: Names that every shell takes as they are.
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
#: A command of kdiag's in a text: at its beginning, in backticks, after a colon, a prompt, sudo or another command.
_COMMAND = re.compile(
    r"(^|`|: |\$ |&& |\| )(sudo )?kdiag (?=-|(?:btf|check|collector|compare|env|explain|fix|history|learn|list|mcp"
    r"|record|report|run|schema|smoke|why)\b)",
    re.MULTILINE,
)


def spoken(text: str) -> str:
    """The text with the commands of kdiag's as this person types them, where the word kdiag would not find this one."""
    if "kdiag " not in text or not _is_file():
        return text
    return _COMMAND.sub(lambda found: f"{found[1]}{found[2] or ''}{program(root=not found[2])} ", text)


def _is_file() -> bool:
    """Whether kdiag was started as a file of its own. Started by another name (`python -m kdiag`, in the process of a
    program that imports it), an installed one is spoken of.
    """
    return os.path.basename(sys.argv[0]) == "kdiag" or _is_archive(here.absolute(sys.argv[0]))


def name() -> str:
    """The word that a shell completes: that of the archive which was started, else kdiag."""
    path = here.absolute(sys.argv[0])
    word = os.path.basename(path)
    return word if _is_archive(path) and _PLAIN.fullmatch(word) else "kdiag"


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
