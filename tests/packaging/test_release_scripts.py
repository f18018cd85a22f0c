"""The scripts of a release: one version, a change log that is cut, archives that are the same bytes each time."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.paths import REPOSITORY
from tests.support.waiting import HANG

SCRIPTS = REPOSITORY / "packaging/release"
LOG = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n\n## [0.1.0] - 2026-01-02\n\n- The first.\n"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> type[SimpleNamespace]:
    """What a script defines, by its name: they lie in a folder, not in a package."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    for name in ("archive", "bundle", "placeholders", "pyz", "sbom"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return lambda name: SimpleNamespace(**runpy.run_path(str(SCRIPTS / f"{name}.py")))  # type: ignore[return-value]


def tree(place: Path, log: str = LOG) -> Path:
    (place / "kdiag").mkdir()
    (place / "kdiag/__init__.py").write_text('"""kdiag."""\n\n__version__ = "0.1.0"\n')
    (place / "CHANGELOG.md").write_text(log)
    return place


def test_a_cut_writes_the_version_and_the_day(script: type[SimpleNamespace], tmp_path: Path) -> None:
    cut = script("cut")
    cut.cut(tree(tmp_path), "0.2.0", "2026-03-04")
    assert '__version__ = "0.2.0"\n' in (tmp_path / "kdiag/__init__.py").read_text()
    log = (tmp_path / "CHANGELOG.md").read_text()
    assert "## [Unreleased]\n\n## [0.2.0] - 2026-03-04\n\n### Added" in log
    assert cut.part(log, "0.2.0") == "### Added\n\n- A thing.\n"
    assert cut.part(log, "0.1.0") == "- The first.\n"


@pytest.mark.parametrize(
    ("version", "log", "why"),
    [
        ("0.1.0", LOG, "not newer than 0.1.0"),
        ("0.0.9", LOG, "not newer than 0.1.0"),
        ("1.0", LOG, "1.2.3"),
        ("0.2.0", LOG.replace("### Added\n\n- A thing.\n\n", ""), "nothing that is unreleased"),
        ("0.2.0", "# Changelog\n", "no line"),
    ],
)
def test_a_cut_that_is_wrong_changes_nothing(
    script: type[SimpleNamespace], tmp_path: Path, version: str, log: str, why: str
) -> None:
    with pytest.raises(Exception, match=why):
        script("cut").cut(tree(tmp_path, log), version, "2026-03-04")
    assert '"0.1.0"' in (tmp_path / "kdiag/__init__.py").read_text()
    assert (tmp_path / "CHANGELOG.md").read_text() == log


def test_the_first_release_is_cut_with_the_version_that_is_there(
    script: type[SimpleNamespace], tmp_path: Path
) -> None:
    script("cut").cut(tree(tmp_path, LOG.partition("## [0.1.0]")[0]), "0.1.0", "2026-03-04")
    assert "## [0.1.0] - 2026-03-04" in (tmp_path / "CHANGELOG.md").read_text()


def test_an_archive_has_no_trace_of_who_packed_it(
    script: type[SimpleNamespace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    pack = script("archive").pack
    packed = []
    for name, mode, when in (("one", 0o600, 1), ("other", 0o664, 2_000_000_000)):
        (tmp_path / name / "inside").mkdir(parents=True)
        for word in ("a", "b") if name == "one" else ("b", "a"):
            file = tmp_path / name / "inside" / word
            file.write_text(word)
            file.chmod(mode)
            os.utime(file, (when, when))
        pack(tmp_path / name, tmp_path / f"{name}.tar.gz")
        packed.append((tmp_path / f"{name}.tar.gz").read_bytes())
    assert packed[0] == packed[1]


def test_the_libraries_of_the_bundle_are_those_of_the_project(script: type[SimpleNamespace]) -> None:
    """Each that pyproject.toml requires, but for the one that is compiled; what they import comes with them."""
    project = (REPOSITORY / "pyproject.toml").read_text().partition("\ndependencies = [")[2].partition("]")[0]
    required = {line.strip(' ",').partition(">")[0] for line in project.splitlines() if line.strip()}
    pinned = set(script("bundle").pinned())
    assert required - pinned == {"zstandard"}


def test_a_release_with_a_placeholder_in_an_address_is_refused(
    script: type[SimpleNamespace], tmp_path: Path
) -> None:
    def git(*words: str) -> None:
        who = ("-c", "user.name=n", "-c", "user.email=n@localhost", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, timeout=HANG)

    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/invented").write_text("https://github.com/OWNER/kdiag\n")
    (tmp_path / "fine").write_text("EOWNERDEAD, OWNER GROUP, bob@corp.example, <a@b.org>\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    refuse = script("placeholders").refuse
    refuse(tmp_path, "HEAD")
    (tmp_path / "control").write_text(
        "Maintainer: a <a@host.example>\nHomepage: https://github.com/OWNER/kdiag\n"
    )
    refuse(tmp_path, "HEAD")  # what is not in the commit is in no release
    git("add", ".")
    git("commit", "-qm", "two")
    with pytest.raises(Exception, match=r"(?s)2 lines .*--trial:\n  control:1:Maint.*\n  control:2:Home"):
        refuse(tmp_path, "HEAD")


def test_programs_make_files_of_the_same_modes_whoever_calls(
    script: type[SimpleNamespace], tmp_path: Path
) -> None:
    usual = os.umask(0o077)
    try:
        script("release").run(["touch", "made"], tmp_path)
    finally:
        os.umask(usual)
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o644


def test_the_workflow_calls_the_script_and_follows_the_schema() -> None:
    """check-jsonschema brings the schema of GitHub's workflows with it."""
    workflow = REPOSITORY / ".github/workflows/release.yml"
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
        str(workflow),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "packaging/release/release.py --all --twice -o dist" in workflow.read_text()
