"""`--install-completion` and `--show-completion`: what is written where."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdiag import cli
from kdiag.completion import install as installing
from kdiag.completion.shells import SHELLS, script


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_shown_and_installed(shell: str, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--show-completion", shell]) == 0
    assert capfd.readouterr().out == script(shell)
    assert cli.run(["--install-completion", shell]) == 0
    place = Path(capfd.readouterr().out.splitlines()[0].removeprefix("Written: "))
    assert place.read_text() == script(shell)
    assert home in place.parents


def test_a_start_file_gets_its_line_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing, "_LOADERS", ())
    (home / ".bashrc").write_text("alias ll='ls -l'")
    for _ in range(2):
        assert cli.run(["--install-completion", "bash"]) == 0
    place = f"{home}/.local/share/bash-completion/completions/kdiag"
    assert (home / ".bashrc").read_text() == f"alias ll='ls -l'\n# completion for kdiag\nsource {place}\n"


def test_bash_completion_requires_no_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing, "_LOADERS", (__file__,))
    assert cli.run(["--install-completion", "bash"]) == 0
    assert not (home / ".bashrc").exists()


def test_an_unknown_shell_is_a_usage_error(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--install-completion", "tcsh"]) == 2
    assert "bash, zsh or fish" in capfd.readouterr().err
    assert not [*home.iterdir()]


def test_nothing_is_written_into_the_line_that_is_typed(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["__complete", "bash"]) != 0
    assert capfd.readouterr() == ("", "")
