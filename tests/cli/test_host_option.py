"""`--host DIR` and $KDIAG_HOST: what is refused and why, what is recorded, and which of the two counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdiag.console import exits
from kdiag.console.command_line import localised
from kdiag.model import MachineInfo, Readiness, Remedy, Report, Verdict, fail
from tests.support.typed import in_process

FEW = ("--only", "environment.host", "--no-plugins")
ONLY = (*FEW, "--config", "")


def call(*arguments: str) -> tuple[int, str, str]:
    """kdiag in this process."""
    result = in_process([*arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """The root of a small system."""
    root = tmp_path / "node"
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/lib").mkdir()
    (root / "etc").mkdir()
    (root / "etc/os-release").symlink_to("/usr/lib/os-release")
    (root / "usr/lib/os-release").write_text('ID=kdiag-node\nPRETTY_NAME="The node"\n')
    return root


def plain_file(tmp_path: Path) -> str:
    path = tmp_path / "file"
    path.write_text("")
    return str(path)


@pytest.mark.parametrize(
    ("directory", "says"),
    [
        ("/", "this system's own root"),
        ("/usr/..", "this system's own root"),
        ("/proc/self/root", "this system's own root"),
        ("MISSING", "No such file or directory"),
        ("FILE", "not a directory"),
        ("/etc", "not the root of a system"),
        ("a\0b", "null byte"),
    ],
)
@pytest.mark.parametrize("command", ["check", "record"])
def test_what_is_no_other_systems_root_is_refused(
    command: str, directory: str, says: str, tmp_path: Path
) -> None:
    directory = {"MISSING": f"{tmp_path}/missing", "FILE": plain_file(tmp_path)}.get(directory, directory)
    status, _, err = call(command, "--host", directory, *(("--list",) if command == "record" else ONLY))
    assert status == exits.USAGE
    assert err.startswith("kdiag: --host: ") and says in err, err


@pytest.mark.parametrize(
    ("value", "says"), [("/", "own root"), ("/etc", "root of a system"), ("/no/where", "No such")]
)
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", *ONLY),
        ("record", "--list"),
        ("fix", "--dry-run"),
        ("smoke",),
        ("env",),
        ("run", "--", "true"),
    ],
)
def test_a_variable_that_names_no_host_is_an_error_everywhere(
    arguments: tuple[str, ...], value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDIAG_HOST", value)
    status, _, err = call(*arguments)
    assert status == exits.USAGE
    assert err.startswith("kdiag: $KDIAG_HOST: ") and says in err, err


@pytest.mark.parametrize("command", ["check", "record"])
def test_a_host_and_a_root_exclude_each_other(command: str, node: Path) -> None:
    status, _, err = call(command, "--host", str(node), "--root", str(node))
    assert status == exits.USAGE and "--root examines files alone" in err


def test_a_recording_has_its_own_host(node: Path) -> None:
    status, _, err = call("check", "--host", str(node), "--from", str(node))
    assert status == exits.USAGE and "--from plays back another" in err


def test_the_variable_yields_to_a_root_and_that_is_said(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDIAG_HOST", str(node))
    _, out, err = call("check", *ONLY, "--root", str(node), "--format", "json")
    assert "$KDIAG_HOST is not used" in err
    assert json.loads(out)["findings"] == []


@pytest.mark.parametrize("by", ["option", "variable"])
def test_both_ways_of_naming_the_host(by: str, node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KDIAG_HOST", raising=False)
    if by == "variable":
        monkeypatch.setenv("KDIAG_HOST", f"{node}/")
    named = ("--host", str(node)) if by == "option" else ()
    _, out, _ = call("check", *ONLY, *named, "--format", "json")
    (finding,) = json.loads(out)["findings"]
    assert finding["status"] == "ok" and f"(The node) are in {node}" in finding["summary"]


def test_the_option_counts_before_the_variable(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDIAG_HOST", "/no/where")
    _, out, _ = call("check", *ONLY, "--host", str(node), "--format", "json")
    assert json.loads(out)["findings"][0]["status"] == "ok"


def test_a_recording_plays_back_the_host(node: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KDIAG_HOST", raising=False)
    place = str(tmp_path / "recording")
    status, _, err = call("record", "--host", str(node), *FEW, "--no-redact", "-o", place)
    assert status == exits.READY, err
    _, out, _ = call("check", *ONLY, "--from", place, "--format", "json")
    (finding,) = json.loads(out)["findings"]
    assert f"(The node) are in {node}" in finding["summary"]


def test_a_recording_does_not_name_the_node(node: Path, tmp_path: Path) -> None:
    (node / "etc/hostname").write_text("planted-node-17\n")
    (node / "usr/lib/os-release").write_text('ID=kdiag-node\nPRETTY_NAME="Image of planted-node-17"\n')
    place = tmp_path / "recording"
    status, _, err = call("record", "--host", str(node), *FEW, "-o", str(place))
    assert status == exits.READY, err
    written = b"".join(path.read_bytes() for path in place.rglob("*") if path.is_file())
    assert b"kdiag-node" in written and b"planted-node-17" not in written


def test_where_there_is_no_host_there_is_no_row(monkeypatch: pytest.MonkeyPatch, node: Path) -> None:
    monkeypatch.delenv("KDIAG_HOST", raising=False)
    _, out, _ = call("check", *ONLY, "--root", str(node), "--format", "json")
    assert json.loads(out)["findings"] == []


def test_the_commands_that_are_named_know_the_host_as_well(node: Path) -> None:
    """`kdiag fix` would otherwise see another machine than the check that named it."""
    report = localised(sample(), root=False, kdiag="kdiag", host=str(node))
    commands = [c for f in report.findings for r in f.remedies for c in (*r.commands, *r.undo)]
    assert commands == [f"sudo kdiag fix --host {node}", f"sudo kdiag fix --host {node} --undo"]
    assert report.verdict.next == "kdiag smoke"


def sample() -> Report:
    remedy = Remedy("fix", "Repair it", commands=("sudo kdiag fix",), undo=("sudo kdiag fix --undo",))
    verdict = Verdict(Readiness.READY, "it works", "kdiag smoke", "here")
    return Report("1", "now", MachineInfo(), (fail("broken", id="x.y", remedies=(remedy,)),), (), (), verdict)
