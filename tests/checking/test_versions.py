"""A tool that did not change is not asked for its version again; any that did, or may answer differently, is."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from kdiag.checking import runtime, versions
from kdiag.system import Unavailable
from kdiag.system.live import Live
from tests.support.needs import need, need_root


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that prints what it is asked; the directory that remembers."""
    monkeypatch.setattr(runtime, "_place", lambda: tmp_path / "run" / "kdiag")
    (tmp_path / "run").mkdir()
    place = tmp_path / "bpftrace"
    echo = os.path.realpath(shutil.which("echo") or "/bin/echo")
    need(os.path.basename(echo) == "echo", "an echo that is a program of its own")
    shutil.copy(echo, place)
    return place


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The programs that were run."""
    names: list[str] = []
    real = Live.run

    def run(self: Live, argv: tuple[str, ...], timeout: float = 10.0) -> object:
        names.append(argv[0])
        return real(self, argv, timeout)

    monkeypatch.setattr(Live, "run", run)
    return names


def version(tool: Path, option: str = "version") -> str:
    return versions.Remembering().run((str(tool), option)).stdout


def test_it_is_asked_once(tool: Path, asked: list[str]) -> None:
    assert version(tool) == version(tool) == "version\n"
    assert len(asked) == 1


def test_the_recalled_answer_is_the_one_that_was_given(tool: Path) -> None:
    first, second = (versions.Remembering().run((str(tool), "version")) for _ in range(2))
    assert first._replace(seconds=0.0) == second


def _touched(tool: Path) -> None:
    os.utime(tool, ns=(1, 1))


def _replaced(tool: Path) -> None:
    shutil.copy(tool, tool.with_name("new"))
    os.replace(tool.with_name("new"), tool)


def _changed_mode(tool: Path) -> None:
    tool.chmod(0o700)


@pytest.mark.parametrize("change", [_touched, _replaced, _changed_mode])
def test_a_changed_tool_is_asked_again(tool: Path, asked: list[str], change: object) -> None:
    version(tool)
    assert callable(change)
    change(tool)
    version(tool)
    assert len(asked) == 2


def test_a_library_that_comes_or_goes_asks_again(
    tool: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries = tool.with_name("lib")
    libraries.mkdir()
    monkeypatch.setattr(versions, "_LIBRARIES", (str(libraries),))
    version(tool)
    (libraries / "libbcc.so.0").touch()
    version(tool)
    (libraries / "libbcc.so.0").unlink()
    version(tool)
    assert len(asked) == 3


def test_other_questions_are_not_remembered(tool: Path, asked: list[str]) -> None:
    assert [version(tool, "--info") for _ in range(2)] == ["--info\n"] * 2
    assert len(asked) == 2


def test_a_script_is_asked_every_time(tool: Path, asked: list[str]) -> None:
    """Ubuntu's /usr/sbin/bpftool runs the one that belongs to the running kernel."""
    tool.write_text("#!/bin/sh\necho version\n")
    version(tool)
    version(tool)
    assert len(asked) == 2


def test_a_program_of_several_names_is_asked_every_time(tool: Path, asked: list[str]) -> None:
    """What /snap/bin/bpftrace answers depends on which snap is installed, not on /usr/bin/snap."""
    other = tool.rename(tool.with_name("snap"))
    tool.symlink_to(other)
    version(tool)
    version(tool)
    assert len(asked) == 2


def test_variables_for_the_linker_ask_every_time(
    tool: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    version(tool)
    monkeypatch.setenv("LD_BIND_NOW", "1")
    version(tool)
    assert len(asked) == 2


def test_what_fails_is_not_remembered(tool: Path, asked: list[str]) -> None:
    shutil.copy(sys.executable, tool)  # has no such script
    assert [versions.Remembering().run((str(tool), "version")).status for _ in range(2)] == [2, 2]
    assert len(asked) == 2


def test_root_does_not_recall_what_it_must_not_start(tool: Path, asked: list[str]) -> None:
    need_root()
    version(tool)
    tool.chmod(0o777)
    with pytest.raises(Unavailable, match="not run as root"):
        version(tool)
    assert len(asked) == 2


def test_started_and_recalled(tool: Path, asked: list[str]) -> None:
    """`start` starts nothing where the answer is known."""
    version(tool)
    system = versions.Remembering()
    system.start((str(tool), "version"))
    assert not system._running
    assert system.run((str(tool), "version")).stdout == "version\n"
    assert len(asked) == 1
