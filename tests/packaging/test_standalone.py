"""The program that starts kdiag with the Python and the C library beside it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY
from tests.support.waiting import HANG

HERE = REPOSITORY / "packaging/standalone"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The launcher under its two names, and a loader that prints what it is asked for and ends with 7."""
    place = tmp_path_factory.mktemp("standalone") / "a b"
    (place / "lib").mkdir(parents=True)
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs gcc, with which only a release is made")
    command = [compiler, "-static", "-Wall", "-Wextra", "-Werror", "-o", str(place / "kdiag")]
    done = subprocess.run(
        [*command, str(HERE / "launcher.c")], capture_output=True, text=True, timeout=HANG, check=False
    )
    if "cannot find -lc" in done.stderr:
        pytest.skip("needs a static C library, with which only a release is made")
    assert done.returncode == 0, done.stderr
    shutil.copy(place / "kdiag", place / "lib/python")
    loader = place / "lib/ld.so"
    loader.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit 7\n")
    loader.chmod(0o755)
    return place


def asked(program: Path, *words: str) -> list[str]:
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 7, done.stderr
    return done.stdout.splitlines()


def test_it_starts_kdiag_wherever_it_is_called_from(directory: Path, tmp_path: Path) -> None:
    lib = directory / "lib"
    wanted = [
        *("--library-path", str(lib), "--argv0", str(lib / "python"), str(lib / "python3")),
        *("-I", "-S", "-B", "-Xutf8", str(lib / "app"), "check", "--only", "a b"),
    ]
    assert asked(directory / "kdiag", "check", "--only", "a b") == wanted
    link = tmp_path / "kdiag"
    link.symlink_to(directory / "kdiag")
    assert asked(link, "check", "--only", "a b") == wanted


def test_by_its_other_name_it_is_the_python(directory: Path) -> None:
    assert asked(directory / "lib/python", "-I", "-c", "pass")[5:] == ["-I", "-c", "pass"]


def test_without_its_lib_it_says_what_is_missing(directory: Path, tmp_path: Path) -> None:
    shutil.copy(directory / "kdiag", tmp_path / "kdiag")
    done = subprocess.run([tmp_path / "kdiag"], capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 70
    assert f"{tmp_path}/lib/ld.so: No such file or directory. Keep kdiag and its lib together" in done.stderr


def test_each_package_is_named_by_version_and_content() -> None:
    lines = [line for line in (HERE / "debs.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9.+-]+ \S+ amd64 [0-9a-f]{64}", line) for line in lines)
    assert {"libc6", "python3.13-minimal", "python3-zstandard"} <= {line.split()[0] for line in lines}
