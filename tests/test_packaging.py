"""The package: all code and data are shipped, `checks` lands on nobody's path, imports point one way."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import kdiag
from kdiag.cli import older
from tests.support import oldest
from tests.support.needs import need
from tests.support.paths import REPOSITORY
from tests.support.waiting import HANG


def _list(name: str) -> list[str]:
    """A list of strings of pyproject.toml (tomllib came with 3.11)."""
    text = (REPOSITORY / "pyproject.toml").read_text()
    found = re.search(rf"^{name} = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert found is not None, name
    return re.findall(r'"([^"]+)"', found[1])


def _package_directories() -> set[str]:
    return {
        _installed_as(path.parent)
        for top in ("kdiag", "checks")
        for path in (REPOSITORY / top).rglob("__init__.py")
        if "__pycache__" not in path.parts
    }


def _installed_as(directory: Path) -> str:
    top, *rest = directory.relative_to(REPOSITORY).parts
    return ".".join(("kdiag_checks" if top == "checks" else top, *rest))


def test_every_package_is_listed() -> None:
    """setuptools ships what is listed; a forgotten directory works from a checkout and nowhere else."""
    assert set(_list("packages")) == _package_directories()


def test_every_directory_with_code_is_a_package() -> None:
    with_code = {path.parent for top in ("kdiag", "checks") for path in (REPOSITORY / top).rglob("*.py")}
    assert {_installed_as(d) for d in with_code} == _package_directories()


def test_every_data_file_is_listed() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text()
    section = text.partition("[tool.setuptools.package-data]")[2].partition("\n[")[0]
    listed = dict(re.findall(r'^"?([\w.]+)"? = \[(.*)\]$', section, re.MULTILINE))
    for path in (REPOSITORY / "kdiag").rglob("*"):
        if path.is_dir() or path.suffix in (".py", ".pyc"):
            continue
        package = ".".join(path.parent.relative_to(REPOSITORY).parts)
        owner = next((p for p in (package, package.rpartition(".")[0]) if p in listed), None)
        assert owner is not None, f"{path} is in no package-data"
        patterns = re.findall(r'"([^"]+)"', listed[owner])
        base = REPOSITORY / owner.replace(".", "/")
        assert any(path.relative_to(base).match(pattern) for pattern in patterns), (
            f"{path} matches none of {patterns}"
        )


def test_versions_agree() -> None:
    """kdiag/__init__.py is the one place that says it."""
    assert 'version = { attr = "kdiag.__version__" }' in (REPOSITORY / "pyproject.toml").read_text()
    assert kdiag.__version__ == metadata.version("kdiag")


def test_dependencies_are_bounded() -> None:
    for line in _list("dependencies"):
        assert ">=" in line, f"{line}: from which release on?"
    typer = next(line for line in _list("dependencies") if line.startswith("typer"))
    assert "<0.29" in typer, "newer ones load a compiled dependency at every start"


def test_nothing_slow_is_imported_at_start() -> None:
    """`kdiag --version` imports typer and little else."""
    code = "import sys\nimport kdiag.cli; kdiag.cli.run(['--version'])\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG, check=True
    )
    loaded = set(done.stdout.split())
    slow = {
        "elftools",
        "zstandard",
        "sqlite3",
        "distro",
        "rich",
        "tabulate",
        "jsonschema",
        "pydantic",
        "importlib.metadata",
    }
    if older.OLD:  # such a typer imports it itself
        slow.remove("rich")
    assert not loaded & slow, loaded & slow
    assert "kdiag.machine" not in loaded
    assert "kdiag.checking.registry" not in loaded


def test_every_requirement_has_an_oldest_release() -> None:
    """`sh tests/run.sh --oldest` installs those."""
    named = [line.partition("==")[0] for line in oldest.constraints()]
    assert len(named) == len(oldest.requirements()) + 1  # and click
    assert {"typer", "tomli", "mcp", "pytest"} <= set(named)


@pytest.mark.slow
def test_nothing_later_than_python_310() -> None:
    """Neither syntax nor names that came later, but where a version is asked first."""
    later = (
        r"^from enum import .*StrEnum|^from datetime import .*UTC|^import tomllib|\bExceptionGroup\b"
        r"|^from typing import .*\b(Self|assert_never|LiteralString|Never|override)\b"
        r"|^class \w+\(NamedTuple, "
    )
    for directory in ("kdiag", "checks"):
        for path in (REPOSITORY / directory).rglob("*.py"):
            text = path.read_text()
            ast.parse(text, str(path), feature_version=(3, 10))
            found = re.search(later, text, re.MULTILINE)
            assert not found, f"{path}: {found and found[0]}"


# -- built ---------------------------------------------------------------------------------------------------


def _setuptools() -> bool:
    try:
        return int(metadata.version("setuptools").split(".")[0]) >= 77
    except metadata.PackageNotFoundError:
        return False


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree: building leaves traces behind."""
    target = tmp_path_factory.mktemp("build") / "tree"
    tracked = subprocess.run(
        ["git", "-C", str(REPOSITORY), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    need(tracked.returncode == 0, "git, and a checkout")
    for name in tracked.stdout.decode().split("\0"):
        path = REPOSITORY / name
        if name and path.is_file() and not name.startswith((".venv", ".ci")):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(path.read_bytes())
    return target


@pytest.fixture(scope="module")
def wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    need(_setuptools(), "setuptools 77 or newer in this environment")
    out = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        str(out),
        str(sources),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_has_no_checks_of_its_own(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    top = {name.split("/")[0] for name in names}
    assert {t for t in top if not t.endswith((".dist-info", ".data"))} == {"kdiag", "kdiag_checks"}
    assert not [n for n in names if n.startswith(("checks/", "tests/", "fixtures/", "benchmarks/"))]


def test_the_wheel_is_whole(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for path in (REPOSITORY / "kdiag").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert str(path.relative_to(REPOSITORY)) in names
    for path in (REPOSITORY / "checks").rglob("*.py"):
        assert f"kdiag_checks/{path.relative_to(REPOSITORY / 'checks')}" in names
    shared = {name.partition(".data/data/")[2] for name in names if ".data/" in name}
    assert shared == {
        "share/man/man1/kdiag.1",
        "share/bash-completion/completions/kdiag",
        "share/zsh/site-functions/_kdiag",
        "share/fish/vendor_completions.d/kdiag.fish",
    }
    entry = next(name for name in names if name.endswith("entry_points.txt"))
    text = wheel.read(entry).decode()
    assert "[kdiag.checks]\nbuiltin = kdiag_checks" in text
    assert re.search(r"^kdiag = kdiag\.\w+:main$", text, re.MULTILINE)


def test_the_wheel_runs(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """From the files of the wheel alone, beside the dependencies of this environment."""
    wheel.extractall(tmp_path / "site")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "sys.meta_path[:] = [f for f in sys.meta_path if '__editable__' not in repr(f)]\n"
        "import kdiag, kdiag_checks.btf.kernel; from kdiag.checking.registry import discover\n"
        "print(kdiag.__file__, kdiag_checks.__file__, len(discover(plugins=False).checks))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "site")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    package, checks, number = done.stdout.split()
    assert package.startswith(str(tmp_path))
    assert checks.startswith(str(tmp_path))
    assert int(number) > 40


def test_the_source_distribution_has_the_checks_and_the_tests(sources: Path, tmp_path: Path) -> None:
    need(_setuptools(), "setuptools 77 or newer in this environment")
    code = f"import os; os.chdir({str(sources)!r})\nfrom setuptools import build_meta\n"
    code += f"build_meta.build_sdist({str(tmp_path)!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG, check=False
    )
    assert done.returncode == 0, done.stderr
    (built,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    for wanted in (
        "checks/btf/kernel.py",
        "kdiag/cli/__init__.py",
        "tests/conftest.py",
        "fixtures/minimal/recording.json",
        # Files for many machines come with no other form of a release.
        "fleet/grafana/kdiag.json",
        "debian/control",
        "LICENSE",
        "README.md",
    ):
        assert wanted in names, wanted
