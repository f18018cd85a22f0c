"""The command line: exit statuses, what is printed where, streams of every kind, choosing checks, another root."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from kdiag import cli
from kdiag.capabilities.definitions import DEFINITIONS
from kdiag.cli import examination
from kdiag.console import ending, exits
from kdiag.machine import Machine
from kdiag.model import Report
from kdiag.system.live import Live
from kdiag.system.recording import Recording
from tests.support import known_machines as known
from tests.support import machines
from tests.support.description import Description
from tests.support.on_disk import write_machine
from tests.support.paths import FIXTURES
from tests.support.reports import builtin, report_on
from tests.support.terminal import shown
from tests.support.typed import in_process
from tests.support.waiting import HANG

ESCAPE = "\x1b["


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    """kdiag in a process of its own, its output in pipes."""
    done = subprocess.run(
        [sys.executable, "-m", "kdiag", *arguments],
        env={**os.environ, **env},
        capture_output=True,
        timeout=HANG,
        check=False,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done


def call(*arguments: str) -> tuple[int, str, str]:
    """The same in this process, for what needs no real streams."""
    result = in_process([*arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def finding_ids() -> list[str]:
    return [
        i for found in builtin().checks for i in (found.check.id, *found.check.finding_ids) if "*" not in i
    ]


# -- exit statuses -------------------------------------------------------------------------------------------


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[Report], None]:
    """Puts a report in the place of the machine's own."""

    def put(report: Report) -> None:
        examined = examination.Examined(Machine(Live()), report, builtin())
        monkeypatch.setattr(examination, "_examine", lambda *_: examined)

    return put


def test_0_ready(machine: Callable[[Report], None], tmp_path: Path) -> None:
    described = machines.bpftrace(machines.linux(), "0.23.2")
    machine(report_on(described.recording()))
    status, out, _ = call("check")
    assert status == exits.READY == 0
    assert "all 4 required" in out


def test_1_not_ready(machine: Callable[[Report], None]) -> None:
    machine(report_on(Recording(FIXTURES / "gvisor")))
    assert call("check")[0] == exits.NOT_READY == 1


def test_3_cannot_tell(machine: Callable[[Report], None]) -> None:
    machine(report_on(Recording(FIXTURES / "minimal")))
    assert call("check")[0] == exits.CANNOT_TELL == 3
    assert call("check", "--format", "json")[0] == 3


@pytest.mark.parametrize(
    ("name", "expected"), [("minimal", 3), ("gvisor", 1), ("wrong-recipe", 1), ("firecracker", 1)]
)
def test_recordings_end_as_their_machines_do(name: str, expected: int) -> None:
    """`kdiag check --from`: the whole command, on a machine that is not this one."""
    status, out, err = call("check", "--from", str(FIXTURES / name), "--format", "json")
    assert status == expected, err
    report = report_on(Recording(FIXTURES / name))
    assert {f["id"]: f["status"] for f in json.loads(out)["findings"]} == {
        f.id: f.status.value for f in report.findings
    }


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (("check", "--only", "btf.vmlinx"), "btf.vmlinux"),
        (("check", "--skip", "header.tree"), "headers.tree"),
        (("check", "--only", "nothing.*"), ""),
        (("check", "--require", "tracepoint-arg"), "tracepoint-args"),
        (("check", "--require", "hello,kporbe"), "kprobe"),
        (("check", "--format", "jsno"), "json"),
        (("explain", "btf.vmlinu"), "btf.vmlinux"),
        (("explain", "rawtracepoin"), "rawtracepoint"),
        (("explain",), ""),
        (("chek",), ""),
        (("check", "--nonsense"), ""),
        (("check", "--root"), ""),
        (("check", "surplus"), ""),
    ],
    ids=" ".join,
)
def test_2_usage(arguments: tuple[str, ...], near: str) -> None:
    status, out, err = call(*arguments)
    assert status == exits.USAGE == 2
    assert not out
    assert err.strip()
    assert near in err


def test_2_a_format_of_the_configuration_file(tmp_path: Path) -> None:
    (tmp_path / "kdiag.toml").write_text('format = "htm"')
    status, out, err = call("check", "--config", str(tmp_path / "kdiag.toml"))
    assert (status, out) == (2, "")
    assert "kdiag.toml: format: no format is called 'htm'; did you mean html?" in err


@pytest.mark.parametrize("root", ["/no/such/directory", "/etc/passwd", ""])
def test_2_no_root(root: str) -> None:
    status, _, err = call("check", "--root", root)
    assert status == 2
    assert "--root" in err


def _main(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    def broken(*_: object) -> Report:
        raise error

    monkeypatch.setattr(examination, "_examine", broken)
    return ending.status(lambda: cli.run(["check", "--no-plugins"]))


def test_70_kdiag_is_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A short request to report it, and a private file that has the details."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert _main(monkeypatch, ZeroDivisionError("a defect")) == exits.BROKEN == 70
    out, err = capsys.readouterr()
    assert not out
    assert "ZeroDivisionError" in err
    assert "report" in err
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 4
    (details,) = tmp_path.iterdir()
    assert str(details) in err
    assert details.stat().st_mode & 0o077 == 0
    text = details.read_text()
    assert "Traceback" in text
    assert "test_cli.py" in text
    assert "arguments: " in text


def test_70_without_a_place_for_the_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/no/such/place")
    assert _main(monkeypatch, RecursionError("deep")) == 70
    assert "RecursionError" in capsys.readouterr().err


# -- streams -------------------------------------------------------------------------------------------------


def test_a_pipe_gets_no_colour_and_80_columns() -> None:
    done = run("check", COLUMNS="", TERM="xterm-256color")
    text = done.stdout.decode()
    assert done.returncode in (0, 1, 3)
    assert ESCAPE not in text
    assert not done.stderr
    too_long = [
        line
        for line in text.splitlines()
        if len(line) > 80 and "$ " not in line and not line.startswith("Next:")
    ]
    assert not too_long, too_long


def test_colour_if_asked_for() -> None:
    assert ESCAPE in run("check", "--color").stdout.decode()
    assert ESCAPE in run("check", "--color", NO_COLOR="1").stdout.decode(), (
        "the option is the user's last word"
    )


def terminal(*arguments: str, **env: str) -> str:
    """What kdiag writes to a terminal."""
    plain = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")}
    command = [sys.executable, "-m", "kdiag", *arguments]
    return shown(command, {**plain, "TERM": "xterm", **env}, reads=True).decode()


@pytest.mark.parametrize(
    ("env", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": ""}, True)],
)
def test_a_terminal(env: dict[str, str], coloured: bool) -> None:
    assert (ESCAPE in terminal("check", **env)) is coloured


def test_a_locale_without_unicode() -> None:
    """LC_ALL=C and an ASCII stream: signs have ASCII forms, names are escaped, nothing fails."""
    done = run(
        "check", "--verbose", LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii", PYTHONCOERCECLOCALE="0"
    )
    assert done.returncode in (0, 1, 3)
    assert done.stdout.isascii()
    assert len(done.stdout) > 2000


def test_json_is_utf8_in_every_locale() -> None:
    done = run(
        "check",
        "--format",
        "json",
        LC_ALL="C",
        PYTHONUTF8="0",
        PYTHONIOENCODING="ascii",
        PYTHONCOERCECLOCALE="0",
    )
    assert json.loads(done.stdout.decode("utf-8"))["schema"] == "kdiag.report/1"


@pytest.mark.parametrize(
    "arguments", [("list",), ("explain", "btf.vmlinux"), ("schema",), ("--help",), ("check", "--help")]
)
def test_every_text_fits_an_ascii_stream(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 0
    assert done.stdout.isascii()


@pytest.mark.parametrize("arguments", [("check", "--verbose"), ("check", "--format", "json"), ("list",)])
def test_a_reader_that_goes_away(arguments: Sequence[str]) -> None:
    """`kdiag check | head -1`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kdiag", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    error = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(timeout=HANG) not in (0, exits.BROKEN)
    assert error == ""


def test_a_full_disk_is_no_defect() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "kdiag", "list"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=HANG,
            check=False,
        )
    assert done.returncode not in (0, exits.BROKEN)
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"defect" not in done.stderr


def test_a_closed_standard_output() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m kdiag list >&-"], stderr=subprocess.PIPE, timeout=HANG, check=False
    )
    assert done.returncode != exits.BROKEN, done.stderr.decode()
    assert b"Traceback" not in done.stderr


# -- the document --------------------------------------------------------------------------------------------


def test_json_is_what_the_schema_says() -> None:
    done = run("check", "--format", "json")
    document = json.loads(done.stdout)
    schema = json.loads(run("schema").stdout)
    Draft202012Validator.check_schema(schema)
    problems = [
        f"{[*e.absolute_path]}: {e.message}" for e in Draft202012Validator(schema).iter_errors(document)
    ]
    assert not problems
    assert not done.stderr
    verdict = {"ready": 0, "not-ready": 1, "unknown": 3}[document["verdict"]["status"]]
    assert done.returncode == verdict
    assert {c["id"] for c in document["capabilities"]} == {d.id for d in DEFINITIONS}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", document["created"])


@pytest.mark.slow
@pytest.mark.parametrize("name", known.BY_NAME)
def test_every_machine_fits_the_schema(name: str, tmp_path: Path) -> None:
    from kdiag.report.faces.json import render, schema_text

    report = report_on(known.BY_NAME[name]().recording())
    Draft202012Validator(json.loads(schema_text())).validate(json.loads(render(report)))


# -- choosing ------------------------------------------------------------------------------------------------


def chosen(*arguments: str) -> list[str]:
    _, out, _ = call("check", "--format", "json", *arguments)
    return [f["id"] for f in json.loads(out)["findings"]]


@pytest.mark.slow
def test_only_and_skip() -> None:
    assert chosen("--only", "btf.vmlinux") == ["btf.vmlinux"]
    assert {i.split(".")[0] for i in chosen("--only", "btf.*,headers.env")} == {"btf", "headers"}
    assert "btf.vmlinux" not in chosen("--only", "btf.*", "--skip", "btf.vmlinux")
    assert not [
        i for i in chosen("--skip", "config.*", "--skip", "sysctl.*") if i.startswith(("config.", "sysctl."))
    ]


def test_a_finding_chooses_its_check() -> None:
    assert "bpf.prog.kprobe" in chosen("--only", "bpf.prog.kprobe")
    assert "config.BPF_SYSCALL" in chosen("--only", "config.BPF_SYSCALL")


def test_require() -> None:
    _, out, _ = call("check", "--format", "json", "--require", "hello,struct", "--require", "tracepoint-*")
    required = json.loads(out)["required"]
    assert required[:2] == ["hello", "struct"]
    assert {r for r in required if r.startswith("tracepoint-")} == {
        d.id for d in DEFINITIONS if d.id.startswith("tracepoint-")
    }


def test_list_shows_everything() -> None:
    status, out, _ = call("list")
    assert status == 0
    for found in builtin().checks:
        assert found.check.id in out
        assert found.check.title.split()[0] in out
    for definition in DEFINITIONS:
        assert definition.id in out
    assert re.search(r"\bkdiag \d+\.\d+", out), "origin: distribution and version"


@pytest.mark.parametrize("name", ["kprobe", "btf.vmlinux", "bpf.prog.kprobe", "config.KPROBES"])
def test_explain(name: str) -> None:
    status, out, err = call("explain", name)
    assert (status, err) == (0, "")
    assert name in out
    assert len(out.split()) > 12


def test_several_are_explained_one_after_the_other() -> None:
    status, out, err = call("explain", "fentry", "btf.vmlinux")
    assert (status, err) == (0, "")
    assert out.index("fentry: ") < out.index("\n\nbtf.vmlinux: ")
    assert call("explain", "fentry", "btf.vmlinu")[:2] == (exits.USAGE, "")


def test_the_file_names_tools_and_the_command_line_goes_before_it(tmp_path: Path) -> None:
    file = tmp_path / "kdiag.toml"
    file.write_text('tool = ["bpftool"]\n')
    there = (
        "check",
        "--from",
        str(FIXTURES / "debian-6.12-headers"),
        "--format",
        "json",
        "--config",
        str(file),
    )
    document = json.loads(call(*there)[1])
    assert document["required"] == ["bpftool"]
    assert "tool is from" in document["verdict"]["summary"]
    assert json.loads(call(*there, "--tool", "libbpf")[1])["required"] == ["core-tools"]


def test_help_and_version() -> None:
    status, out, _ = call("--help")
    assert status == 0
    for command in ("check", "list", "explain", "schema"):
        assert command in out
    for number in ("0 ready", "1 not ready", "2 usage", "3 cannot tell", "70"):
        assert number in " ".join(out.split())
    assert re.fullmatch(r"kdiag \d+\.\d+\S*\n", call("--version")[1])
    assert call()[0] in (0, 2)


# -- another root --------------------------------------------------------------------------------------------


def image() -> Description:
    """The files of a Debian 13 image with a kernel and its headers; left-overs of a kernel file system in it."""
    described = machines.debian_headers(machines.linux())
    described.file(
        "/usr/bin/bpftrace", "#!/bin/sh\ntouch /tmp/ran-from-image\necho bpftrace v0.23.2\n", mode=0o755
    )
    return machines.installed(described, ("bpftrace", "0.23.2-1"))


def test_an_image(tmp_path: Path) -> None:
    root = write_machine(image(), tmp_path / "image")
    status, out, _ = call("check", "--root", str(root), "--format", "json")
    document = json.loads(out)
    findings = {f["id"]: f for f in document["findings"]}
    assert status == exits.CANNOT_TELL, document["verdict"]
    assert document["machine"]["root"] == str(root)
    assert document["machine"]["distribution"].startswith("Debian GNU/Linux 13")
    for finding_id in ("headers.package", "config.source"):
        assert findings[finding_id]["status"] == "ok", findings[finding_id]
    # Files that belong to whoever runs the tests are another user's to a root who would compile them.
    assert findings["headers.tree"]["status"] == ("ok" if os.geteuid() == 0 else "warn"), findings[
        "headers.tree"
    ]
    live = (
        "btf.vmlinux",
        "kernel.running",
        "bpf.map",
        "perf.events",
        "tracing.tracefs",
        "privileges.capabilities",
        "kernel.lockdown",
    )
    for finding_id in live:
        assert findings[finding_id]["status"] == "unknown", findings[finding_id]
    assert findings["headers.env"]["status"] in ("skip", "unknown"), "our own environment is not the image's"
    assert "0.23.2" in json.dumps(findings["tools.bpftrace"]), "the package database knows the release"
    assert not Path("/tmp/ran-from-image").exists(), "nothing of another root is run"
    works = {c["id"]: c["status"] for c in document["capabilities"]}
    assert "works" not in works.values(), works


def test_an_image_without_a_kernel(tmp_path: Path) -> None:
    """A container image: whose kernel will run it is not known."""
    described = image().remove("/lib/modules", "/boot", "/usr/src")
    status, out, _ = call("check", "--root", str(write_machine(described, tmp_path)), "--format", "json")
    assert status == exits.CANNOT_TELL
    findings = {f["id"]: f for f in json.loads(out)["findings"]}
    for finding_id in ("kernel.identity", "headers.package", "headers.tree"):
        assert findings[finding_id]["status"] == "unknown", findings[finding_id]


def test_an_empty_directory(tmp_path: Path) -> None:
    status, out, _ = call("check", "--root", str(tmp_path), "--format", "json")
    assert status == exits.NOT_READY, "that no bpftrace is in it can be seen"
    document = json.loads(out)
    assert {f["status"] for f in document["findings"] if f["id"].startswith(("bpf.", "perf.", "btf."))} <= {
        "unknown",
        "skip",
    }


def test_a_root_given_as_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_machine(image(), tmp_path / "image")
    monkeypatch.chdir(tmp_path)
    _, out, _ = call("check", "--root", "image", "--format", "json")
    assert json.loads(out)["machine"]["root"] == str(tmp_path / "image")
