"""The command line under typer before 0.9: its form, made with today's typer, is the same command line."""

from __future__ import annotations

import ast
from typing import Any

import pytest
import typer

from kdiag import cli
from kdiag.cli import older
from kdiag.cli.app import application
from tests.support.command_tree import commands
from tests.support.paths import REPOSITORY


def _described(command: Any) -> list[tuple[object, ...]]:
    return [
        (one.name, tuple(one.opts), one.metavar, one.nargs, one.required, one.multiple, str(one.type))
        for one in command.params
    ]


def test_every_command_has_the_same_options(monkeypatch: pytest.MonkeyPatch) -> None:
    today = dict(commands())
    monkeypatch.setattr(older, "OLD", True)
    monkeypatch.setattr(typer, "Argument", typer.Argument)
    made = typer.main.get_command(application([]))
    for path, command in today.items():
        other: Any = made
        for word in path:
            other = other.commands[word]
        assert _described(other) == _described(command), path


def test_a_command_is_called(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(older, "OLD", True)
    monkeypatch.setattr(typer, "Argument", typer.Argument)
    assert cli.run(["schema", "comparison"]) == 0
    assert '"$schema"' in capfd.readouterr().out
    assert cli.run(["env", "--format", "nosuch"]) == 2


def test_no_list_of_arguments_has_a_default_that_click_refuses() -> None:
    """click 8.1, which Debian 13 has, takes no default for an argument of any length, not even an empty list."""
    for path in sorted((REPOSITORY / "kdiag/cli").rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            defaulted = zip(function.args.args[::-1], function.args.defaults[::-1], strict=False)
            for one, default in defaulted:
                hint = ast.unparse(one.annotation) if one.annotation else ""
                if "list[" in hint and "typer.Argument" in hint:
                    assert isinstance(default, ast.Constant), (path.name, function.name, one.arg)
                    assert default.value is None, (path.name, function.name, one.arg)
