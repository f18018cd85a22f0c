"""kdiag in one file, beside nothing but the standard library: every command finds what it reads."""

from __future__ import annotations

import ast
import base64
import os
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.paths import FIXTURES, REPOSITORY
from tests.support.waiting import HANG

PYZ = REPOSITORY / "packaging/release/pyz.py"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of a release, with the libraries that are installed here."""
    path = tmp_path_factory.mktemp("archive") / "tracing.pyz"
    subprocess.run([sys.executable, str(PYZ), "--installed", "-o", str(path)], timeout=HANG, check=True)
    named = b"#!/usr/bin/env python3\n"
    packed = path.read_bytes()
    assert packed.startswith(named)
    # The Python that runs the tests, whatever python3 is on PATH.
    path.write_bytes(f"#!{sys.executable} -IS\n".encode() + packed.removeprefix(named))
    return path


def done(
    *command: str, status: int = 0, path: str = "", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **({"PATH": path} if path else {})}
    env.pop("UV", None)
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=HANG, check=False, env=env, cwd=cwd
    )
    assert ended.returncode == status, ended.stderr
    return ended


def said(*command: str, status: int = 0, path: str = "") -> str:
    return done(*command, status=status, path=path).stdout


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


def test_by_its_name_alone_from_its_directory(archive: Path) -> None:
    """Python puts the name as it was typed on its path, and kdiag trusts no relative one."""
    ended = done(sys.executable, "-S", archive.name, "list", cwd=archive.parent)
    assert "btf.vmlinux" in ended.stdout
    assert not ended.stderr


def test_programs_and_objects_of_smoke_come_out_of_it(archive: Path) -> None:
    code = """
import sys; sys.path.insert(0, sys.argv[1])
from kdiag.commands import runners
from kdiag.smoke import cause
from kdiag.smoke.programs import core
started = cause.start()
started.do("openat")
started.end()
print(len(runners._source("loader.py")), len(runners._source("bcc_loader.py")))
for name in ("ring", "fentry"):
    class scene:
        cause = started
    print(core._object(name)(scene)[0])
"""
    sizes, *objects = said(sys.executable, "-I", "-S", "-c", code, str(archive)).splitlines()
    assert all(int(size) > 1000 for size in sizes.split())
    assert [base64.b64decode(one)[:4] for one in objects] == [b"\x7fELF"] * 2


def test_a_checkout_and_the_archive_know_the_code_that_read_the_btf(archive: Path) -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1])\n"
    code += "from kdiag.checking import remembered\nprint(*remembered._code())"
    assert said(sys.executable, "-I", "-S", "-c", code, str(archive)).split() == [str(archive)]


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python unpacks zstd itself")
def test_without_zstandard_it_says_which_package(archive: Path, tmp_path: Path) -> None:
    packed = tmp_path / "machine.tar.zst"
    packed.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(64))
    ended = done(str(archive), "check", "--config", "", "--from", str(packed), status=2)
    assert "zstandard" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_old_python_gets_one_sentence(archive: Path) -> None:
    """What an old Python compiles before it comes to the question for its version."""
    with zipfile.ZipFile(archive) as packed:
        assert ast.parse(packed.read("__main__.py"), feature_version=(3, 4))
    source = (REPOSITORY / "kdiag/__main__.py").read_text()
    assert ast.parse(source, feature_version=(3, 6))
    before, asked, _ = source.partition("if sys.version_info < (3, 10):")
    assert asked
    assert not [line for line in before.splitlines() if line.startswith("from")]
    code = f"import sys; sys.version_info = (3, 9, 2)\nexec({source!r}, {{'__name__': '__main__'}})"
    ended = done(sys.executable, "-c", code, status=3)
    assert len(ended.stderr.splitlines()) == 1
    assert "Python 3.10 or newer" in ended.stderr


def test_it_is_the_same_each_time(archive: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.pyz"
    subprocess.run([sys.executable, str(PYZ), "--installed", "-o", str(again)], timeout=HANG, check=True)
    with zipfile.ZipFile(archive) as first, zipfile.ZipFile(again) as second:
        assert [(e.filename, e.date_time, e.CRC) for e in first.infolist()] == [
            (e.filename, e.date_time, e.CRC) for e in second.infolist()
        ]
