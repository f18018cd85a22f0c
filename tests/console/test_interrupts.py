"""A signal at any moment ends kdiag with one line and the status of a shell; nothing is left.

The moments are no times but events of the interpreter (an import, a file opened, a process made), so that a slow
machine and a fast one are tried at the same places.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import FIXTURES
from tests.support.waiting import HANG

#: Sends itself a signal when the interpreter says the N-th time that it does one of these; says how often it did.
_DRIVER = """
import os, signal, sys
at, name, again, *arguments = sys.argv[1:]
at, number, count, me = int(at), int(name), 0, os.getpid()
EVENTS = ("import", "open", "os.fork", "os.listdir", "os.remove", "os.rename", "subprocess.Popen", "compile", "exec")
def watch(event, _):
    global count
    if event in EVENTS and os.getpid() == me:
        count += 1
        if count == at or (again == "1" and count == at + 1):
            os.kill(me, number)
from kdiag.__main__ import main
# Tell how many moments there were, where the one that was asked for did not come: the last thing that a process does
# is to end.
leave = os._exit
def told(status):
    if os.getpid() == me and (at < 0 or count < at):
        os.write(2, b"moments %d\\n" % count)
    leave(status)
os._exit = told
sys.argv = ["kdiag", *arguments]
sys.addaudithook(watch)
main()
"""

COMMANDS = {
    "version": ("--version",),
    "check": ("check", "--no-plugins"),
    "json": ("check", "--no-plugins", "--format", "json", "-o", "OUT/report.json"),
    "fix": ("fix", "--dry-run"),
    "env": ("env",),
    "record": ("record", "-o", "OUT/machine.tar.xz"),
    "list": ("list",),
    "explain": ("explain", "btf.vmlinux"),
    "learn": ("learn",),
    "report": ("report", str(FIXTURES / "gvisor")),
    "compare": ("compare", str(FIXTURES / "gvisor"), str(FIXTURES / "talos")),
    "usage": ("check", "--nonsense"),
}


def driven(
    out: Path, at: int, number: int, arguments: tuple[str, ...], again: bool = False
) -> subprocess.CompletedProcess[str]:
    """kdiag with the signal at that moment, as the leader of a session of its own."""
    return subprocess.run(
        [
            sys.executable,
            "-c",
            _DRIVER,
            str(at),
            str(int(number)),
            str(int(again)),
            *(argument.replace("OUT", str(out)) for argument in arguments),
        ],
        env={**os.environ, "TMPDIR": str(out), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
        start_new_session=True,
    )


def moments(out: Path, arguments: tuple[str, ...]) -> tuple[int, int]:
    """How many there are in this command, and how it ends without a signal."""
    done = driven(out, -1, signal.SIGINT, arguments)
    (told,) = [line for line in done.stderr.splitlines() if line.startswith("moments ")]
    for path in out.iterdir():
        path.unlink()
    return int(told.split()[1]), done.returncode


def interrupted(done: subprocess.CompletedProcess[str], number: int) -> bool:
    """Ended by the signal in the way that is promised. (Python itself ends by the signal where a second one came
    while the first one was being answered: for a shell it is the same status.)
    """
    word = "interrupted" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}"
    return done.returncode == 128 + number and done.stderr.splitlines()[-1:] == [f"kdiag: {word}"]


@pytest.mark.parametrize("name", COMMANDS)
def test_an_interrupt_at_any_moment(name: str, tmp_path: Path) -> None:
    total, status = moments(tmp_path, COMMANDS[name])
    assert total > 100
    stopped = 0
    for step in range(12):
        at = 1 + total * step // 12
        done = driven(tmp_path, at, signal.SIGINT, COMMANDS[name])
        assert "Traceback" not in done.stderr, (at, done.stderr)
        assert "ignored" not in done.stderr, (at, done.stderr)
        assert interrupted(done, signal.SIGINT), (at, status, done.returncode, done.stderr)
        stopped += 1
        left = [
            path.name for path in tmp_path.iterdir() if path.name not in ("report.json", "machine.tar.xz")
        ]
        assert not left, (at, left)
    assert stopped == 12


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_that_ask_to_stop(number: signal.Signals, tmp_path: Path) -> None:
    """The temporary file beside the recording does not stay either."""
    total, _ = moments(tmp_path, COMMANDS["record"])
    for at in (total // 2, total - 6, total - 3):
        done = driven(tmp_path, at, number, COMMANDS["record"])
        for _ in range(
            5
        ):  # a run of the living machine may have some moments fewer than the one that was counted
            fewer = re.search(r"^moments (\d+)$", done.stderr, re.MULTILINE)
            if fewer is None:
                break
            done = driven(tmp_path, int(fewer[1]) - (total - at), number, COMMANDS["record"])
        assert interrupted(done, number), (at, done.returncode, done.stderr)
        assert {path.name for path in tmp_path.iterdir()} <= {"machine.tar.xz"}


def test_two_interrupts_on_end(tmp_path: Path) -> None:
    """An impatient user: the second one comes while the first one is answered."""
    total, _ = moments(tmp_path, COMMANDS["list"])
    for at in range(1, total, total // 10):
        done = driven(tmp_path, at, signal.SIGINT, COMMANDS["list"], again=True)
        assert "Traceback" not in done.stderr, (at, done.stderr)
        assert done.returncode in (130, -signal.SIGINT), (at, done.stderr)
