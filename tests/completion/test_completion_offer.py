"""What is offered where, read off the command line's own definition."""

from __future__ import annotations

import pytest
import typer

from kdiag.cli.app import application
from kdiag.cli.shell.completing import offered
from kdiag.completion.kinds import meaning
from kdiag.completion.line import split, unquoted
from kdiag.completion.many import MOST
from kdiag.completion.many import offered as few
from tests.support.command_tree import commands


def words(*line: str) -> list[str]:
    *before, start = line
    return [one.word for one in offered(before, start).candidates]


@pytest.mark.parametrize("path", [" ".join(path) for path, _ in commands()])
def test_every_value_has_a_meaning(path: str) -> None:
    """The word for a value in the help says what is offered: a new one belongs in `kdiag.completion.kinds`."""
    command = dict(commands())[tuple(path.split())]
    for parameter in command.params:
        if parameter.metavar and not getattr(parameter, "is_flag", False):
            assert meaning(parameter.metavar).known, f"kdiag {path}: {parameter.metavar}"


def test_commands_and_options() -> None:
    assert words("ch") == ["check"]
    assert words("btf", "st") == ["struct"]
    assert {"--only", "--output", "-o", "--no-color"} <= {*words("check", "-")}
    assert "-o" not in words("check", "--")
    assert "--yes" not in words("fix", "--yes", "--y")
    assert "--only" in words("check", "--only", "btf.vmlinux", "--on")
    command = typer.main.get_command(application([]))
    assert {*words("")} == {name for name, one in command.commands.items() if not one.hidden}  # type: ignore[attr-defined]


def test_values() -> None:
    assert words("check", "--only", "btf.vml") == ["btf.vmlinux"]
    assert words("check", "--only=btf.vml") == ["--only=btf.vmlinux"]
    assert words("check", "--require", "fentry,kprobe-m") == ["fentry,kprobe-multi"]
    assert words("check", "--require", "fentry,fentr") == []
    assert words("schema", "comp") == ["comparison"]
    assert "json" in words("check", "--format", "")
    assert words("explain", "config_ikh") == ["CONFIG_IKHEADERS"]
    assert words("explain", "software:context") == ["software:context-switches"]
    assert words("explain", "teleportation:x") == []
    assert "kprobe:" in words("explain", "kprob")


def test_what_the_shell_does() -> None:
    assert offered(("check", "-o"), "").shell == "files"
    assert offered(("check", "--root"), "").shell == "directories"
    assert offered(("smoke", "--time-limit"), "") == ((), "nothing", 0)
    assert offered(("run", "--"), "l") == ((), "command", 2)
    assert offered(("run", "--", "ls"), "-") == ((), "command", 2)
    assert offered(("check", "--", "a"), "") == ((), "nothing", 0)


def test_a_line_that_is_typed() -> None:
    assert split("kdiag explain 'kprobe:tcp_") == (("kdiag", "explain"), "kprobe:tcp_", True)
    assert split('kdiag "a b" c\\ d ') == (("kdiag", "a b", "c d"), "", False)
    assert split("") == ((), "", False)
    assert unquoted("'a b") == "a b"


def test_too_many_names_are_offered_by_their_beginnings() -> None:
    names = [f"{group}_{number}" for group in ("tcp", "udp") for number in range(MOST)]
    assert [(one.word, one.open) for one in few(names, "", "k:")] == [("k:tcp_", True), ("k:udp_", True)]
    assert len(few(names, "tcp_39")) == 11
    assert all(one.word.startswith("tcp_") for one in few(names, "tcp_"))
