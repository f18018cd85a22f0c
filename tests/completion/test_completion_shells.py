"""The scripts in the shells that they are for: kdiag stands on PATH, Tab is pressed in a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdiag.completion.shells import SHELLS, script
from tests.support.needs import need_program

_ESCAPES = re.compile(r"\x1b(\[[0-9;?>=]*[a-zA-Z]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][A-Z0-9]|[=>78])")
_PATIENCE = 60.0

#: How each shell is started without what the user has set up, and reads the script.
_COMMANDS = {
    "bash": ("--noprofile", "--norc", "-i"),
    "zsh": ("-f", "-i"),
    "fish": ("--no-config", "-i"),
}
_SET_UP = {
    "bash": "bind 'set bell-style none'; PS1='ready> '; source {script}\n",
    "zsh": "PS1='ready> '; unsetopt beep list_beep; autoload -Uz compinit; compinit -u -d {dump}; source {script}\n",
    "fish": "function fish_prompt; echo 'ready> '; end; source {script}\n",
}


class Shell:
    """An interactive shell in a terminal of its own."""

    def __init__(self, name: str, place: Path) -> None:
        self.text = ""
        path = place / f"completion.{name}"
        path.write_text(script(name))
        program = place / "kdiag"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m kdiag "$@"\n')
        environment = {
            "PATH": f"{place}:{os.environ['PATH']}",
            "HOME": str(place),
            "TERM": "xterm",
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.getcwd(),
        }
        for tool in (program, place / "a-tool-of-the-test"):
            tool.touch()
            tool.chmod(0o755)
        command = [need_program(name), *_COMMANDS[name]]
        self.process, self.terminal = pty.fork()  # fish ends without a terminal that is its own
        if not self.process:
            os.chdir(place)
            os.execve(command[0], command, environment)
        self.type(_SET_UP[name].format(script=path, dump=place / "zcompdump"))
        self.type("echo set''tled\n")
        self.until("settled\r")

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.terminal, keys.encode())

    def until(self, words: str) -> str:
        """What the terminal shows, once it shows `words`."""
        while words not in self.text:
            ready, _, _ = select.select([self.terminal], [], [], _PATIENCE)
            assert ready, f"the terminal never showed {words!r}: {self.text!r}"
            self.text += _ESCAPES.sub("", os.read(self.terminal, 65536).decode("utf-8", "replace"))
        shown, self.text = self.text, ""
        return shown

    def close(self) -> None:
        """End the shell."""
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        os.close(self.terminal)


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shell]:
    one = Shell(request.param, tmp_path)
    yield one
    one.close()


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("kdiag exp", "kdiag explain "),
        ("kdiag check --require-f", "kdiag check --require-from "),
        ("kdiag check --only btf.vml", "btf.vmlinux"),
        ("kdiag check --only=btf.vmlinux,headers.uap", "headers.uapi"),
        ("kdiag explain CONFIG_IKH", "CONFIG_IKHEADERS"),
        ("kdiag explain software:context-s", "software:context-switches"),
        ("kdiag schema compari", "comparison"),
    ],
)
def test_tab_finishes_the_word(shell: Shell, typed: str, shown: str) -> None:
    shell.type(f"{typed}\t")
    shell.until(shown)


def test_files_are_the_shells_own(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "recording-of-a-machine.tar.zst").touch()
    shell.type("kdiag check --from recording-of\t")
    shell.until("recording-of-a-machine.tar.zst")


def test_a_command_behind_run_is_completed(shell: Shell) -> None:
    shell.type("kdiag run -- a-tool-of\t")
    shell.until("a-tool-of-the-test")


@pytest.mark.parametrize("name", SHELLS)
def test_the_script_has_no_error(name: str, tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text(script(name))
    done = subprocess.run([need_program(name), "-n", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    if name == "bash" and (checker := shutil.which("shellcheck")):
        assert subprocess.run([checker, "-s", "bash", str(path)], check=False).returncode == 0
