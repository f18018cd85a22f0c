"""BCC's programs: what proves them, who runs them, and what the loader does where BCC is."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kdiag.smoke
from kdiag.commands.runners import runners
from kdiag.knowledge.tools.bpftrace import behaviour
from kdiag.machine import Machine
from kdiag.smoke import PROGRAMS, select
from kdiag.smoke.cause import Cause
from kdiag.smoke.programs import Scene, Shown, Skip, bcc
from tests.support import machines
from tests.support.waiting import HANG

LOADER = Path(kdiag.smoke.__file__).parent / "bcc_loader.py"
TOOLS = Path("/usr/sbin/execsnoop-bpfcc")
NEEDS_BCC = pytest.mark.skipif(not TOOLS.exists(), reason="no bpfcc-tools")


def run(*arguments: str, python: str = "/usr/bin/python3") -> subprocess.CompletedProcess[str]:
    argv = [python, "-I", "-S", "-B", str(LOADER), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=HANG, check=False)


def test_it_has_every_program_that_is_asked_of_it(cause: Cause) -> None:
    tree = ast.parse(LOADER.read_text(encoding="utf-8"))
    table = next(
        n for n in ast.walk(tree) if isinstance(n, ast.AnnAssign) and ast.unparse(n.target) == "PROGRAMS"
    )
    assert isinstance(table.value, ast.Dict)
    names = {ast.literal_eval(key) for key in table.value.keys if key is not None}
    scene = Scene(behaviour((0, 23, 0)), cause)
    small = [one for one in bcc.PROGRAMS if not one.alone]
    asked = set()
    for one in small:
        try:
            asked.add(one.arguments(scene)[0])
        except Skip:
            asked.add(one.id.removeprefix("bcc-"))
    assert asked == names


def test_it_can_be_read_by_python_3_6() -> None:
    """RHEL 8 runs BCC's tools with 3.6: no postponed annotations, no walrus, nothing that `ast` knows as newer."""
    text = LOADER.read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 6))
    assert "from __future__ import annotations" not in text


def test_without_the_module_it_says_so() -> None:
    done = run("version", python=sys.executable)
    assert done.returncode == 1
    assert "No module named 'bcc'" in done.stderr
    assert "Traceback" not in done.stderr


@NEEDS_BCC
def test_the_compiler_is_tried_without_any_kernel_headers() -> None:
    assert run("version").stdout.startswith("BCC 0.")
    done = run("compiler", "kdiag-12345678")
    assert done.stdout == "kdiag-12345678 compiled\n"
    assert list(Path("/tmp").glob("kdiag-12345678*")) == []


def test_bcc_is_run_by_the_interpreter_of_its_own_tools() -> None:
    described = machines.bcc_starts(machines.linux())
    described.file("/usr/sbin/execsnoop-bpfcc", "#! /usr/libexec/platform-python -s\n", mode=0o755)
    words = runners(Machine(described.recording()).tools)["bcc"].words
    assert words[:4] == ("/usr/libexec/platform-python", "-I", "-S", "-B")
    assert runners(Machine(machines.linux().recording()).tools)["bcc"].words == ()


def test_a_tool_is_looked_for_where_distributions_put_it(
    monkeypatch: pytest.MonkeyPatch, cause: Cause
) -> None:
    monkeypatch.setattr(bcc, "_PLACES", ("/nowhere/{}-bpfcc", "/nowhere/tools/{}"))
    program = next(one for one in PROGRAMS if one.id == "bcc-funccount")
    with pytest.raises(Skip, match="/nowhere/funccount-bpfcc and no /nowhere/tools/funccount"):
        program.arguments(Scene(behaviour((0, 23, 0)), cause))


@pytest.mark.parametrize(
    ("name", "line", "proves"),
    [
        ("opensnoop", "4711   python3             -1   2 {name}", True),
        ("opensnoop", "4711   python3             -1   2 {name}-other/", True),
        ("opensnoop", "4711   python3             -1   2 {comm}", False),
        ("execsnoop", "{comm}   4712    4711     -2 /nonexistent/{name}", True),
        ("tcpconnect", "{pid}   {short} 4  127.0.0.1        127.0.0.1        {port}", True),
        ("tcpconnect", "{pid}   {short} 4  127.0.0.1        127.0.0.1        1", False),
        ("tcpconnect", "1   {short} 4  127.0.0.1        127.0.0.1        {port}", False),
        (
            "biolatency",
            "       128 -> 255        : 1        |****************************************|",
            True,
        ),
        (
            "biolatency",
            "       128 -> 255        : 0        |                                        |",
            False,
        ),
        ("biolatency", "     usecs               : count     distribution", False),
        ("runqlat", "         4 -> 7          : 12       |****                                    |", True),
        ("funccount", "vfs_open                                   12", True),
        ("funccount", "b'vfs_open'                                12", True),
        ("funccount", "vfs_open                                    0", False),
        ("funccount", "Tracing 1 functions for \"b'vfs_open'\"... Hit Ctrl-C to end.", False),
    ],
)
def test_only_the_event_is_a_proof(cause: Cause, name: str, line: str, proves: bool) -> None:
    program = next(one for one in PROGRAMS if one.id == f"bcc-{name}")
    text = line.format(
        comm=cause.comm, name=cause.name, pid=cause.pid, port=cause.port, short=cause.comm[:12]
    )
    pattern = program.proof(Scene(behaviour((0, 23, 0)), cause), Shown((), 1))
    assert bool(re.search(pattern, f"\n{text}\n", re.MULTILINE)) is proves


def test_without_being_asked_for_bcc_is_not_tried_where_it_is_not_installed() -> None:
    from kdiag.commands.smoke import chosen

    machine = Machine(machines.bpftrace(machines.linux(), "0.23.2").recording())
    assert "bcc" not in chosen(machine, ())
    assert {one.tool for one in select((), chosen(machine, ("bcc",)))} == {"bcc"}
