"""A configuration file decides what counts as ready: only one that no other user can have written is used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kdiag.config.file import find, load
from kdiag.config.values import ConfigError, Refused
from tests.support.needs import need_root
from tests.support.paths import FIXTURES
from tests.support.waiting import HANG

MALLORY = 12345
EVIL = """
require = ["fentry"]
skip = ["headers.*"]
format = "json"
[[waiver]]
capability = "fentry"
reason = "all is fine"
until = "2999-01-01"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with such a file, ours."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "kdiag.toml").write_text(EVIL)
    return tmp_path / "project"


def check(cwd: Path, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
    """Of a machine on which fentry does not work."""
    machine = str(FIXTURES / "container-without-tracefs")
    command = [sys.executable, "-m", "kdiag", "check", "--no-plugins", "--from", machine, *arguments]
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, input=stdin, timeout=HANG, check=False
    )
    return done.returncode, done.stdout, done.stderr


def given(path: Path, uid: int) -> None:
    os.chown(path, uid, uid, follow_symlinks=False)


def test_ones_own_is_used_and_named(project: Path) -> None:
    status, out, err = check(project)
    assert status == 0 and err == ""
    said = json.loads(out)["verdict"]["summary"]
    assert f"all that is required is waived by {project}/kdiag.toml: fentry until 2999-01-01" in said
    assert said.endswith(f"; require and skip and format are from {project}/kdiag.toml")


def test_what_is_given_is_not_from_the_file(project: Path) -> None:
    status, out, _ = check(project, "--require", "fentry", "--format", "text", "--skip", "headers.*")
    assert status == 0 and "waived by" in out and "are from" not in out and "is from" not in out


@pytest.mark.parametrize("whose", ["the file", "the directory", "a link to the file"])
def test_another_users_is_not(whose: str, project: Path, tmp_path: Path) -> None:
    need_root()
    file = project / "kdiag.toml"
    if whose == "a link to the file":
        file.rename(tmp_path / "there")
        file.symlink_to(tmp_path / "there")
    given(project if whose == "the directory" else file, MALLORY)
    status, out, err = check(project)
    assert status == 1 and "waived" not in out and not out.startswith("{")
    assert err.startswith(f"kdiag: {file}: not used, because ") and f"belongs to uid {MALLORY}" in err
    assert err.count("\n") == 1


def test_named_it_is_an_error(project: Path) -> None:
    need_root()
    given(project / "kdiag.toml", MALLORY)
    status, out, err = check(project, "--config", "kdiag.toml")
    assert (status, out) == (2, "") and f"kdiag.toml belongs to uid {MALLORY}" in err


def test_handed_over_it_counts(project: Path) -> None:
    """The caller has opened it: that is a decision, and the message of the refusal says so."""
    status, out, _ = check(project, "--config", "/dev/stdin", stdin=EVIL)
    assert status == 0 and "waived by /dev/stdin" in out
    status, out, _ = check(
        project, "--config", "/dev/stdin", stdin='[project]\nname = "x"\n[tool.kdiag]\nrequire = ["kprobe"]\n'
    )
    assert "require is from /dev/stdin" in out


@pytest.mark.parametrize("mode", [0o666, 0o646])
def test_one_that_everybody_can_write_is_not(mode: int, project: Path) -> None:
    (project / "kdiag.toml").chmod(mode)
    status, _, err = check(project)
    assert status == 1 and "writable by every user" in err and "chmod go-w" in err


def test_under_sudo_the_callers_file_is_another_users(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_root()
    monkeypatch.setenv("SUDO_UID", str(MALLORY))
    given(project / "kdiag.toml", MALLORY)
    given(project, MALLORY)
    assert check(project)[0] == 1


def test_another_users_pyproject_is_told_only_if_it_is_meant_for_kdiag(project: Path) -> None:
    need_root()
    (project / "kdiag.toml").unlink()
    path = project / "pyproject.toml"
    for text, told in (
        ("[project]\nname = 'x'", False),
        ("# kdiag is fine", False),
        ("[tool.kdiag]\nverbose = true", True),
    ):
        path.write_text(text)
        given(path, MALLORY)
        status, _, err = check(project)
        assert status in (0, 1) and ("pyproject.toml: not used" in err) is told, err


@pytest.mark.parametrize("name", ["pyproject.toml", "kdiag.toml"])
@pytest.mark.parametrize("start", ["", "[tool.kdiag]\n"])
def test_a_huge_one_is_not_read(name: str, start: str, tmp_path: Path) -> None:
    """A sparse file of a terabyte takes no room and would take all memory."""
    path = tmp_path / name
    path.write_text(start)
    os.truncate(path, 1 << 40)
    if name == "pyproject.toml" and not start:
        assert find(tmp_path) is None
    else:
        assert find(tmp_path) == path
        with pytest.raises(ConfigError, match="longer than 256 KiB"):
            load(path)


@pytest.mark.parametrize("arguments", [("--config", "kdiag.toml"), ()])
def test_a_fifo_is_not_waited_for(arguments: tuple[str, ...], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "kdiag.toml")
    status, _, err = check(tmp_path, *arguments)
    assert (status, "kdiag.toml: cannot be read: it is a FIFO" in err) == (
        (2, True) if arguments else (1, False)
    )


def test_the_reason_is_of_what_was_read(tmp_path: Path) -> None:
    need_root()
    path = tmp_path / "kdiag.toml"
    path.write_text("")
    given(path, MALLORY)
    with pytest.raises(
        Refused, match=rf"kdiag\.toml: not used, because .*kdiag\.toml belongs to uid {MALLORY};"
    ):
        load(path)
