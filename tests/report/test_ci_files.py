"""The GitHub Action and the GitLab template: valid by the public schemas, and their scripts do what they say.

The scripts run in bash with the real kdiag where its command line has what they need. check-jsonschema brings the
schemas of SchemaStore and GitLab.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from kdiag.report.document import load
from kdiag.report.formats import NAMES
from tests.support.needs import need, need_program
from tests.support.paths import REPOSITORY

ACTION = REPOSITORY / "action.yml"
HOOKS = REPOSITORY / ".pre-commit-hooks.yaml"
GITLAB = REPOSITORY / "docs" / "gitlab-ci.yml"
BIN = Path(sys.executable).parent


def read(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("path", "options"),
    [(ACTION, ("vendor.github-actions",)), (GITLAB, ("vendor.gitlab-ci", "--data-transform", "gitlab-ci"))],
    ids=["github", "gitlab"],
)
def test_valid_by_the_public_schema(path: Path, options: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *options]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    broken = tmp_path / path.name
    broken.write_text(
        path.read_text().replace("using: composite", "using: 3").replace("stage: test", "stage: [{}]")
    )
    assert subprocess.run([*command, str(broken)], capture_output=True, check=False).returncode != 0


def test_the_hooks_of_pre_commit_are_commands() -> None:
    """The manifest by the words of pre-commit.com; each entry is a command that there is."""
    hooks = yaml.safe_load(HOOKS.read_text(encoding="utf-8"))
    assert [hook["id"] for hook in hooks] == ["kdiag-scripts", "kdiag-check"]
    for hook in hooks:
        assert hook["language"] == "python" and hook["name"] and hook["description"]
        assert "files" in hook or (hook["always_run"] and not hook["pass_filenames"])
        program, command = hook["entry"].split()
        assert (program, command in ("explain", "check")) == ("kdiag", True)
    assert re.search(hooks[0]["files"], "tools/opensnoop.bt") and not re.search(hooks[0]["files"], "a.bt.txt")


def test_inputs_reach_scripts_only_through_the_environment() -> None:
    """An expression inside a script is a way in for whoever writes the input."""
    for step in read(ACTION)["runs"]["steps"]:
        assert "${{" not in step["run"]
    used = set(re.findall(r"inputs\.(\w+)", ACTION.read_text()))
    assert used == set(read(ACTION)["inputs"])
    assert all(value["description"] for value in read(ACTION)["inputs"].values())


def test_the_formats_that_are_named_exist() -> None:
    text = ACTION.read_text() + GITLAB.read_text()
    named = set(re.findall(r"--format (\w+)", text)) | set(re.findall(r"^#\s+(\w+)=", text, re.MULTILINE))
    listed = re.search(r"FORMAT=FILE a line \((.*?)\)", text)
    assert listed is not None
    assert named | set(listed[1].split(", ")) <= set(NAMES) and len(named) > 4


def shellcheck(script: str) -> None:
    """bash can read it, and shellcheck, where it is, has nothing against it but variables that the runner sets."""
    for command in (["bash", "-n"], ["shellcheck", "--shell=bash", "--exclude=SC2154", "-"]):
        if shutil.which(command[0]):
            done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr


def test_the_scripts_are_shell() -> None:
    need_program("bash")
    for step in read(ACTION)["runs"]["steps"]:
        shellcheck(step["run"])
    job = read(GITLAB)["kdiag"]
    for part in (*job["before_script"], *job["script"]):
        shellcheck(part)


def ready() -> None:
    """The command line must take pairs of --format and -o: until then the scripts cannot run."""
    done = subprocess.run(
        [str(BIN / "kdiag"), "check", "--help"], capture_output=True, text=True, check=False
    )
    need("--output" in done.stdout, "kdiag check --output")


def act(folder: Path, **inputs: str) -> tuple[subprocess.CompletedProcess[str], dict[str, str], str]:
    """Run the action's check step as the runner does: its process, its outputs, the job's summary."""
    need_program("bash")
    ready()
    (folder / "temp" / "kdiag-venv").mkdir(parents=True)
    (folder / "temp" / "kdiag-venv" / "bin").symlink_to(BIN)
    step = read(ACTION)["runs"]["steps"][1]
    names = {name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", r"\1", value) for name, value in step["env"].items()}
    defaults = {name: value["default"] for name, value in read(ACTION)["inputs"].items()}
    values = {name: {**defaults, **inputs}[key] for name, key in names.items()}
    environment = {
        **os.environ,
        **values,
        "RUNNER_TEMP": str(folder / "temp"),
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
    }
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    output, summary = folder / "output", folder / "summary"
    lines = output.read_text().splitlines() if output.exists() else []
    told = dict(line.split("=", 1) for line in lines)
    return done, told, summary.read_text() if summary.exists() else ""


def test_the_action_looks_annotates_and_sums_up(tmp_path: Path) -> None:
    done, outputs, summary = act(
        tmp_path, sudo="false", formats="\n junit=a.xml\nhtml = b.html \n", require="hello"
    )
    report = load(Path(outputs["report"]).read_bytes())
    assert (
        done.returncode
        == int(outputs["status"])
        == {"ready": 0, "not-ready": 1, "unknown": 3}[report.verdict.status.value]
    ), done.stderr
    assert report.required == ("hello",)
    assert re.match(r"::(notice|error) title=kdiag%3A ", done.stdout)
    assert summary.startswith("## ")
    assert (tmp_path / "a.xml").read_text().startswith("<?xml")
    assert (tmp_path / "b.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("name", ["kdiag.toml", "pyproject.toml", ""])
def test_the_action_hands_the_checkouts_configuration_over(name: str, tmp_path: Path) -> None:
    """The checkout belongs to the runner's user, whose files kdiag does not obey as root."""
    if name:
        table = "[tool.kdiag]\n" if name == "pyproject.toml" else ""
        (tmp_path / name).write_text(f'{table}require = ["hello"]\n')
        if os.geteuid() == 0:
            os.chown(tmp_path / name, 12345, 12345)
    else:
        (tmp_path / "pyproject.toml").write_text("# no table of kdiag\n")
    done, outputs, _ = act(tmp_path, sudo="false")
    report = load(Path(outputs["report"]).read_bytes())
    assert (report.required == ("hello",)) is bool(name), done.stderr
    assert report.verdict.summary.endswith("; require is from /dev/stdin") is bool(name)


def test_the_action_can_let_a_job_go_on(tmp_path: Path) -> None:
    done, outputs, _ = act(tmp_path, sudo="false", fail="false", require="*")
    assert done.returncode == 0, done.stderr
    assert outputs["status"] in ("0", "1", "3")


@pytest.mark.parametrize(
    "inputs", [{"formats": "junit"}, {"formats": "zzz=a"}, {"require": "zzz"}, {"formats": "junit=no/a.xml"}]
)
def test_the_action_fails_for_mistakes(inputs: dict[str, str], tmp_path: Path) -> None:
    done, _, _ = act(tmp_path, sudo="false", fail="false", **inputs)
    assert done.returncode == 2


def test_hostile_inputs_are_data(tmp_path: Path) -> None:
    for name in ("require", "formats", "baseline"):
        text = f"junit=$(touch {tmp_path}/owned)`touch {tmp_path}/owned`; touch {tmp_path}/owned; '\""
        folder = tmp_path / name
        folder.mkdir()
        act(folder, sudo="false", **{name: text})
        assert not (tmp_path / "owned").exists()


def test_the_gitlab_job_writes_what_it_promises(tmp_path: Path) -> None:
    need_program("bash")
    ready()
    job = read(GITLAB)["kdiag"]
    (tmp_path / ".kdiag-venv").mkdir()
    (tmp_path / ".kdiag-venv" / "bin").symlink_to(BIN)
    environment = {**os.environ, **job["variables"], "KDIAG_REQUIRE": "hello,struct"}
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", job["script"][-1]],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1, 3), done.stderr
    for path in (*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]):
        assert (tmp_path / path).stat().st_size > 1000
    assert json.loads((tmp_path / "kdiag.json").read_text())["required"] == ["hello", "struct"]
