"""What is called bpftrace and is something else: it is asked who it is, and what it prints proves nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kdiag.console import exits
from kdiag.knowledge.tools.bpftrace import behaviour, says_bpftrace
from kdiag.smoke import PROGRAMS, Outcome, SmokeReport, run, select, worked
from kdiag.smoke.cause import Cause
from kdiag.smoke.programs import Program, Scene, Shown, Skip
from tests.support.runners import bpftrace_at
from tests.support.waiting import HANG

ONE = select(["hello"])
#: Programs that take a script after -e, as far as they are here.
OTHERS = tuple(name for name in ("perl", "gawk", "ruby", "sed", "node", "lua") if shutil.which(name))


def go(bpftrace: Path, programs: tuple[Program, ...] = ONE, time_limit: float | None = None) -> SmokeReport:
    return run(
        programs,
        runners=bpftrace_at(bpftrace),
        behaviour=behaviour((0, 17, 0)),
        predictions={},
        required=("hello",),
        time_limit=time_limit,
    )


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("name", OTHERS)
def test_another_program_by_that_name_is_not_believed(name: str, tmp_path: Path) -> None:
    """A link of root's own; perl runs `BEGIN { ... }` and prints all that it was asked for."""
    (tmp_path / "bpftrace").symlink_to(str(shutil.which(name)))
    report = go(tmp_path / "bpftrace")
    (hello,) = report.programs
    assert hello.outcome is Outcome.FAILS
    assert worked(report) == exits.NOT_READY
    assert hello.arguments == ("--version",), "it gets no script"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("exit 0", "answered nothing"),
        ("echo This is perl 5, version 36", "answered 'This is perl 5, version 36'"),
        ("echo not-bpftrace v0.21.0", "is not bpftrace"),
        ("echo wrapper for bpftrace v0.21.0", "is not bpftrace"),
        ("echo; echo; printf '\\033]0;x\\007\\n'", "x1b]0;x"),
        ("echo 'libbcc.so.0: cannot open shared object file' >&2; exit 127", "libbcc.so.0"),
        ("kill -9 $$", "status -9"),
        ("yes bpftrace v0.21.0", "printed more than"),
        ("exec /nonexistent/bpftrace", "not found"),
    ],
)
def test_an_answer_that_is_not_bpftraces(text: str, says: str, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    program = script(tmp_path / "bpftrace", f'[ "$1" = -e ] && echo >{mark}\n{text}')
    report = go(program)
    (hello,) = report.programs
    assert hello.outcome is Outcome.FAILS
    assert says in hello.message
    assert hello.message.isprintable()
    assert worked(report) == exits.NOT_READY
    assert not mark.exists(), "nothing but the question who it is"


def test_each_program_says_so_where_hello_is_not_among_them(tmp_path: Path) -> None:
    report = go(script(tmp_path / "bpftrace", "true"), select(["struct", "uprobe"]))
    assert {one.outcome for one in report.programs} == {Outcome.FAILS}


def test_no_answer_within_the_time_for_all_is_no_answer_about_the_program(tmp_path: Path) -> None:
    report = go(script(tmp_path / "bpftrace", f"exec sleep {2 * HANG}"), time_limit=0.3)
    assert [one.outcome for one in report.programs] == [Outcome.SKIPPED]
    assert worked(report) == exits.CANNOT_TELL


@pytest.mark.parametrize(
    ("answer", "is_it"),
    [
        ("bpftrace v0.17.0\n", True),
        ("bpftrace v0.21.0-33-gdc4d-dirty\n", True),
        ("bpftrace 0.11.3\n", True),
        ("bpftrace v99999999999999999.9\n", True),
        ("WARNING: something\nbpftrace v0.23.2\n", True),
        ("bpftrace\n", False),
        ("bpftrace: error while loading shared libraries\n", False),
        ("0.17.0\n", False),
        ("GNU Awk 5.2.1, API 3.2\n", False),
    ],
)
def test_how_bpftrace_answers(answer: str, is_it: bool) -> None:
    assert says_bpftrace(answer) is is_it


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.id)
def test_no_other_interpreter_prints_the_proof(name: str, program: Program, cause: Cause) -> None:
    """Even if it were believed: what a script prints proves something only where the kernel answered."""
    scene = Scene(behaviour((0, 17, 0)), cause, exact_pids=False)
    try:
        arguments = program.arguments(scene)
    except Skip as skip:
        pytest.skip(str(skip))
    if "-e" not in arguments:
        pytest.skip("a file, no script")
    done = subprocess.run(
        (name, *arguments), input=b"", capture_output=True, timeout=HANG, check=False, cwd="/"
    )
    proof = program.proof(scene, Shown((), 1))
    assert not re.search(proof, done.stdout.decode("utf-8", "replace"), re.MULTILINE)
