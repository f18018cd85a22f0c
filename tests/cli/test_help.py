"""The help of every command: whole summaries, what is used daily first, two examples that parse."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import typer

import kdiag
from kdiag.cli.help.examples import EXAMPLES
from kdiag.cli.help.layout import SECTIONS, summary
from kdiag.console import crash
from tests.support.command_tree import commands
from tests.support.paths import REPOSITORY

COMMANDS = dict(commands())


def _help(path: tuple[str, ...]) -> str:
    context = None
    for number in range(len(path) + 1):
        name = path[number - 1] if number else "kdiag"
        context = typer.Context(COMMANDS[path[:number]], parent=context, info_name=name)
    assert context is not None
    return context.get_help()


def test_every_command_has_its_section() -> None:
    named = [name for _, names in SECTIONS for name in names]
    assert sorted(named) == sorted(path[0] for path in COMMANDS if len(path) == 1)


def test_daily_commands_come_first_and_no_summary_is_cut() -> None:
    text = _help(())
    flat = " ".join(text.split())
    assert "..." not in text.replace("[ARGS]...", "")
    for path, command in COMMANDS.items():
        if len(path) == 1:
            assert summary(command).endswith(".")
            assert f"{path[0]} {summary(command)}" in flat
    assert text.index("  check ") < text.index("  explain ") < text.index("  schema ")


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_help_ends_with_two_examples(path: tuple[str, ...]) -> None:
    lines = EXAMPLES[path]
    assert len(lines) >= 2
    end = _help(path).partition("\nExamples:\n")[2]
    for one in lines:
        assert f"  {one.line}\n" in end
        assert " ".join(("kdiag", *path)) in one.line
        assert len(one.line) <= 78


def test_no_example_is_left_over() -> None:
    assert set(EXAMPLES) == set(COMMANDS)


@pytest.mark.parametrize("line", [one.line for lines in EXAMPLES.values() for one in lines])
def test_an_example_parses(line: str) -> None:
    """As far as the command line reads it: nothing is run."""
    found = list(_calls(line))
    assert found, "no kdiag in it"
    for words in found:
        command: Any = COMMANDS[()]
        path: tuple[str, ...] = ()
        while words and (*path, words[0]) in COMMANDS:
            path = (*path, words.pop(0))
            command = COMMANDS[path]
        assert path, "no command"
        command.make_context(path[-1], words)


def _calls(line: str) -> Iterator[list[str]]:
    """The arguments of each `kdiag` in a shell's line."""
    lexer = shlex.shlex(line.replace('"$(', "").replace(')"', ""), posix=True, punctuation_chars="|<>")
    lexer.whitespace_split = True
    words: list[str] | None = None
    for word in lexer:
        if words is None and word == "kdiag":
            words = []
        elif words is not None and word in ("|", "<", ">"):
            break
        elif words is not None:
            words.append(word)
    if words is not None:
        yield words


def test_the_crash_report_says_where_to_send_it(monkeypatch: pytest.MonkeyPatch) -> None:
    toml = (REPOSITORY / "pyproject.toml").read_text()
    assert f'Homepage = "{kdiag.HOME}"' in toml
    assert f'Issues = "{kdiag.HOME}/issues"' in toml

    def full(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(import_module("kdiag.trust.scratch"), "kept", full)
    assert f"{kdiag.HOME}/issues" in crash.write_report(ValueError("broken"))
