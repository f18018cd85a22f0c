"""kdiag in one file, as `python3 -m zipapp` makes it: it finds its tables, and prints commands that work."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.paths import FIXTURES, REPOSITORY
from tests.support.waiting import HANG

MAIN = "from kdiag.__main__ import main\nmain()\n"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages as they are here, in an archive that can be executed."""
    path = tmp_path_factory.mktemp("archive") / "tracing.pyz"
    with open(path, "wb") as file:
        file.write(f"#!{sys.executable}\n".encode())
        with zipfile.ZipFile(file, "w") as packed:
            packed.writestr("__main__.py", MAIN)
            for top, name in (("kdiag", "kdiag"), ("checks", "kdiag_checks")):
                for one in sorted((REPOSITORY / top).rglob("*")):
                    if one.is_file() and "__pycache__" not in one.parts:
                        packed.write(one, f"{name}/{one.relative_to(REPOSITORY / top)}")
    path.chmod(0o755)
    return path


def said(*command: str, status: int = 0, path: str = "") -> str:
    env = {**os.environ, **({"PATH": path} if path else {})}
    env.pop("UV", None)
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False, env=env)
    assert done.returncode == status, done.stderr
    return done.stdout


@pytest.mark.parametrize("form", ["html", "json", "sarif"])
def test_it_has_its_tables_and_templates(archive: Path, form: str) -> None:
    recorded = ("--config", "", "--from", str(FIXTURES / "kind-node"), "--format", form)
    from_here = said(sys.executable, "-m", "kdiag", "check", *recorded)
    assert len(said(str(archive), "check", *recorded)) == len(from_here) > 1000


def test_its_commands_are_of_the_archive(archive: Path) -> None:
    select = ("check", "--config", "", "--only", "kernel.arch")
    for called, path, typed in (
        ((str(archive),), "", str(archive)),
        ((str(archive),), f"{archive.parent}:{os.environ['PATH']}", archive.name),
    ):
        lines = said(*called, *select, path=path).splitlines()
        assert lines[1].startswith(f"Next: {typed} "), lines[1]
    archive.chmod(0o644)
    line = said(sys.executable, str(archive), *select).splitlines()[1]
    again = shlex.split(line.removeprefix("Next: "))[:2]
    archive.chmod(0o755)
    assert again == [sys.executable, str(archive)]
    assert said(*again, "--version").startswith("kdiag ")
