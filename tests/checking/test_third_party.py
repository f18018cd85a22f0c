"""Checks of other packages: found by entry points wherever installed; broken ones; none of the current directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.waiting import HANG


@dataclass(frozen=True)
class Answer:
    """What a run of kdiag said."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, object]:
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value

    def findings(self) -> dict[str, dict[str, object]]:
        found = self.document["findings"]
        assert isinstance(found, list)
        return {f["id"]: f for f in found}


def kdiag(*arguments: str, path: Path | None = None, cwd: Path | None = None) -> Answer:
    """Run it in a process of its own, with another directory of installed packages on the path."""
    env = {**os.environ, "NO_COLOR": "1"}
    if path is not None:
        env["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [sys.executable, "-m", "kdiag", *arguments],
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Answer(done.returncode, done.stdout, done.stderr)


def install(
    site: Path, name: str, modules: dict[str, str], *, module: str = "", version: str = "1.2"
) -> Path:
    """A package as pip would leave it: its modules, and a .dist-info that advertises checks."""
    package = module or name.replace("-", "_")
    for path, text in modules.items():
        target = site / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text))
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nText.\n")
    (info / "entry_points.txt").write_text(
        f"[console_scripts]\nx = y:z\n\n[kdiag.checks]\nmine = {package}\n"
    )
    return site


SELINUX = '''
    from collections.abc import Iterator

    from kdiag.check import check
    from kdiag.machine import Machine
    from kdiag.model import Finding, warn


    @check("lsm.selinux", "SELinux lets bpf() through")
    def selinux(machine: Machine) -> Iterator[Finding]:
        """What this stranger's check is about.

        See it yourself: `getenforce`.
        """
        yield warn(f"looked at {machine.kernel.release}")
'''


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return install(
        tmp_path / "site",
        "example-checks",
        {"example_checks/__init__.py": "", "example_checks/selinux.py": SELINUX},
    )


def test_a_strangers_check_works_like_ours(site: Path) -> None:
    listing = kdiag("list", path=site)
    assert listing.status == 0
    assert "lsm.selinux" in listing.out
    assert "example-checks 1.2" in listing.out
    found = kdiag("check", "--format", "json", path=site).findings()["lsm.selinux"]
    assert found["status"] == "warn"
    assert os.uname().release in str(found["summary"])
    assert found["title"] == "SELinux lets bpf() through"
    explained = kdiag("explain", "lsm.selinux", path=site)
    assert explained.status == 0
    assert "What this stranger's check is about" in explained.out
    assert "example-checks" in explained.out


def test_it_can_be_chosen_and_left_out(site: Path) -> None:
    assert list(kdiag("check", "--format", "json", "--only", "lsm.*", path=site).findings()) == [
        "lsm.selinux"
    ]
    assert (
        "lsm.selinux" not in kdiag("check", "--format", "json", "--skip", "lsm.selinux", path=site).findings()
    )


@pytest.mark.parametrize("command", [("check", "--format", "json"), ("list",)])
def test_no_plugins(site: Path, command: tuple[str, ...]) -> None:
    """Nothing of a stranger is even imported."""
    mark = site / "imported"
    (site / "example_checks" / "__init__.py").write_text(f"open({str(mark)!r}, 'w')\n")
    answer = kdiag(*command, "--no-plugins", path=site)
    assert "lsm.selinux" not in answer.out
    assert "btf.vmlinux" in answer.out
    assert not mark.exists()
    assert kdiag("check", "--no-plugins", "--only", "lsm.selinux", path=site).status == 2


def test_a_new_file_in_a_package_needs_no_reinstall(site: Path) -> None:
    text = textwrap.dedent(SELINUX).replace("lsm.selinux", "lsm.other")
    (site / "example_checks" / "deep.py").write_text(text)
    assert {"lsm.selinux", "lsm.other"} <= kdiag("check", "--format", "json", path=site).findings().keys()


def test_a_check_that_was_imported_from_elsewhere_is_one_check(site: Path) -> None:
    (site / "example_checks" / "again.py").write_text("from example_checks.selinux import selinux\n")
    assert kdiag("list", path=site).out.count("lsm.selinux") == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("raise RuntimeError('broken at import')", "broken at import"),
        ("def (", "SyntaxError"),
        ("import no_such_module_at_all", "no_such_module_at_all"),
        ("import sys; sys.exit(0)", "SystemExit"),
    ],
    ids=["raises", "syntax", "import", "exits"],
)
@pytest.mark.parametrize("place", ["__init__.py", "one.py"])
def test_a_broken_package(tmp_path: Path, place: str, text: str, says: str) -> None:
    """It becomes a finding that names the package; the rest runs on; `kdiag list` shows it as well."""
    modules = {
        "broken_checks/__init__.py": "",
        "broken_checks/good.py": SELINUX,
        f"broken_checks/{place}": text,
    }
    site = install(tmp_path, "broken-checks", modules)
    findings = kdiag("check", "--format", "json", path=site).findings()
    problems = [f for f in findings.values() if str(f["id"]).startswith("plugin.")]
    assert [f["status"] for f in problems] == ["unknown"], problems
    assert "broken-checks" in json.dumps(problems[0])
    assert says in json.dumps(problems[0])
    assert findings["btf.vmlinux"]
    listing = kdiag("list", path=site)
    assert listing.status == 0
    assert "broken-checks" in listing.out
    if place == "one.py":
        assert findings["lsm.selinux"], "its other modules still count"


def test_an_advertised_package_that_is_not_there(tmp_path: Path) -> None:
    findings = kdiag("check", "--format", "json", path=install(tmp_path, "gone-checks", {})).findings()
    assert findings["plugin.gone_checks"]["status"] == "unknown"


def test_entry_points_that_are_none(tmp_path: Path) -> None:
    site = install(tmp_path, "odd-checks", {"odd_checks.py": SELINUX})
    text = b"\xff\xfe[kdiag.checks\n[kdiag.checks]\n# comment = x\n=\nno equals sign\na = \n"
    text += b"mine = odd_checks [extra]\n[other]\nb = c\n"
    (site / "odd_checks-1.2.dist-info" / "entry_points.txt").write_bytes(text)
    answer = kdiag("check", "--format", "json", path=site)
    assert "lsm.selinux" in answer.findings()


def test_a_stranger_does_not_take_a_built_in_id(tmp_path: Path) -> None:
    """Neither a check's id nor a finding's: what is broken stays broken, whatever a package says."""
    liar = SELINUX.replace("lsm.selinux", "btf.vmlinux").replace('warn(f"looked', 'warn(f"LIE looked')
    site = install(tmp_path, "aaa-liar", {"aaa_liar.py": liar})
    answer = kdiag("check", "--format", "json", path=site)
    assert "LIE" not in str(answer.findings()["btf.vmlinux"]["summary"])
    assert "left out" in answer.out


@pytest.mark.parametrize("module", ["kdiag_checks_extra", "kdiag_checksum"])
def test_a_name_that_begins_like_ours_is_a_strangers(tmp_path: Path, module: str) -> None:
    site = install(tmp_path, "look-alike", {f"{module}.py": SELINUX}, module=module)
    assert "lsm.selinux" in kdiag("list", path=site).out
    assert "lsm.selinux" not in kdiag("list", "--no-plugins", path=site).out
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from kdiag.checking.registry import discover\n"
            "print([f.builtin for f in discover().checks if f.check.id == 'lsm.selinux'])",
        ],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[False]"


# -- the directory one stands in -----------------------------------------------------------------------------


def hostile(directory: Path) -> Path:
    """A directory prepared for a root who starts kdiag in it. Returns the mark that any of its code leaves."""
    mark = directory / "ran"
    code = f"open({str(mark)!r}, 'a').write(__name__ + '\\n')\n"
    install(directory, "hostile-checks", {"hostile_checks.py": code + textwrap.dedent(SELINUX)})
    (directory / "kdiag_checks").mkdir()
    (directory / "kdiag_checks" / "__init__.py").write_text(code)
    (directory / "checks").mkdir()
    (directory / "checks" / "__init__.py").write_text(code)
    for name in (
        "distro",
        "tabulate",
        "elftools",
        "zstandard",
        "rich",
        "typing_extensions",
        "resource",
        "ctypes",
    ):
        (directory / f"{name}.py").write_text(code)
    (directory / "bpftrace").write_text(f"#!/bin/sh\necho program >> {mark}\n")
    (directory / "bpftrace").chmod(0o755)
    return mark


@pytest.mark.parametrize("path", [None, ".", ""])
def test_nothing_is_loaded_from_the_current_directory(tmp_path: Path, path: str | None) -> None:
    """`python -m kdiag` puts the current directory first on Python's own path."""
    mark = hostile(tmp_path)
    env = {**os.environ, "PATH": f":.:{os.environ['PATH']}"}
    if path is not None:
        env["PYTHONPATH"] = path
    done = subprocess.run(
        [sys.executable, "-m", "kdiag", "check", "--format", "json"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert not mark.exists(), mark.read_text()
    findings = {f["id"] for f in json.loads(done.stdout)["findings"]}
    assert "lsm.selinux" not in findings
    assert "btf.vmlinux" in findings


def test_the_console_script_in_a_hostile_directory(tmp_path: Path) -> None:
    mark = hostile(tmp_path)
    script = Path(sys.executable).with_name("kdiag")
    if not script.exists():
        pytest.skip("kdiag was installed without its script")
    done = subprocess.run(
        [script, "list"], cwd=tmp_path, capture_output=True, text=True, timeout=HANG, check=False
    )
    assert done.returncode == 0
    assert not mark.exists(), mark.read_text()
