"""Where each shell looks for what completes a command, and putting it there for the caller.

bash-completion finds the script by the command's name; without it, and in zsh, a line in the shell's start file reads
it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from kdiag.completion.shells import SHELLS, script
from kdiag.trust import names, write
from kdiag.trust.read import user_file

#: What bash-completion is loaded from, where it is installed (its README, "Installation").
_LOADERS = (
    "/usr/share/bash-completion/bash_completion",
    "/usr/local/share/bash-completion/bash_completion",
    "/etc/profile.d/bash_completion.sh",
)
_MARK = "# completion for kdiag"
_LARGEST = 16 * 1024 * 1024


class Installed(NamedTuple):
    """What was written. start_file: the shell's own, "" where none was changed."""

    shell: str
    script: str
    start_file: str


def caller_shell(environment: Mapping[str, str]) -> str:
    """The shell that the caller uses: what started kdiag, else $SHELL; "" where that is none of `SHELLS`."""
    for name in (_parent(), os.path.basename(environment.get("SHELL", ""))):
        if name.lstrip("-") in SHELLS:
            return name.lstrip("-")
    return ""


def _parent() -> str:
    try:
        return Path(f"/proc/{os.getppid()}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def install(shell: str, environment: Mapping[str, str], name: str = "kdiag") -> Installed:
    """Write the script where the shell finds it. name: what kdiag is called. Raises OSError."""
    home = environment.get("HOME", "") or os.path.expanduser("~")
    data = environment.get("XDG_DATA_HOME", "") or f"{home}/.local/share"
    config = environment.get("XDG_CONFIG_HOME", "") or f"{home}/.config"
    zsh = environment.get("ZDOTDIR", "") or home
    place, start_file = {
        "bash": (f"{data}/bash-completion/completions/{name}", f"{home}/.bashrc"),
        "zsh": (f"{data}/kdiag/{_file(name)}.zsh", f"{zsh}/.zshrc"),
        "fish": (f"{config}/fish/completions/{name}.fish", ""),
    }[shell]
    _directories(os.path.dirname(place))
    write.file(place, script(shell, name).encode())
    if shell == "bash" and any(map(os.path.exists, _LOADERS)):
        start_file = ""
    if start_file:
        _add(start_file, f"source {shlex.quote(place)}")
    return Installed(shell, place, start_file)


def _file(name: str) -> str:
    return "completion" if name == "kdiag" else f"completion-{name}"


def _directories(path: str) -> None:
    """Make what is missing of a path."""
    if not os.path.isdir(path):
        _directories(os.path.dirname(path))
        names.mkdir(Path(path), 0o755)


def _add(path: str, line: str) -> None:
    """Add a line to a shell's start file, once."""
    try:
        text = user_file(path, _LARGEST)
    except FileNotFoundError:
        text = b""
    added = os.fsencode(f"{_MARK}\n{line}\n")
    if added not in text:
        end = b"\n" if text and not text.endswith(b"\n") else b""
        write.file(path, text + end + added)
