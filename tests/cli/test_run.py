"""`kdiag run`: the command is what it is without kdiag, and where it fails kdiag says why below its last words."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from kdiag.console.kept import Kept
from tests.support.paths import REPOSITORY
from tests.support.terminal import shown
from tests.support.waiting import HANG, gone, wait_until

KDIAG = (sys.executable, "-m", "kdiag")


def started(
    *arguments: str, stderr: int = subprocess.PIPE, stdout: int = subprocess.PIPE
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*KDIAG, "run", *arguments], stdout=stdout, stderr=stderr, stdin=subprocess.DEVNULL, cwd=REPOSITORY
    )


def run(*arguments: str) -> tuple[int, bytes, bytes]:
    """Status, standard output, standard error."""
    process = started(*arguments)
    out, err = process.communicate(timeout=HANG)
    return process.returncode, out, err


def python(code: str) -> tuple[str, ...]:
    """A command of this interpreter's."""
    return ("--", sys.executable, "-c", code)


@pytest.mark.slow
def test_words_pass_as_they_are_and_the_status_is_the_commands() -> None:
    odd = b"\x00\xff\x1b[31m\r\n no end"
    code = f"import os, sys; os.write(1, b'out'); os.write(2, {odd!r})"
    assert run(*python(code)) == (0, b"out", odd)
    status, out, err = run(*python(code + "; sys.exit(7)"))
    assert (status, out) == (7, b"out")
    assert err.startswith(odd)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_a_command_that_a_signal_ends_is_ended_by_it_for_the_caller_too(number: signal.Signals) -> None:
    assert run(*python(f"import os; os.kill(os.getpid(), {int(number)})"))[0] == -number


@pytest.mark.slow
def test_output_and_errors_in_one_file_keep_their_order(tmp_path: Path) -> None:
    code = "import os\nfor n in range(2000): os.write(1 + n % 2, b'%d\\n' % n)"
    with (tmp_path / "log").open("wb") as log:
        process = started(*python(code), stdout=log.fileno(), stderr=log.fileno())
        assert process.wait(timeout=HANG) == 0
    assert [int(line) for line in (tmp_path / "log").read_bytes().split()] == [*range(2000)]


@pytest.mark.slow
def test_where_errors_go_to_a_terminal_the_command_has_one_that_changes_no_byte() -> None:
    code = "import os; print(os.isatty(2), os.get_terminal_size(2)); os.write(2, b'one\\ntwo\\n')"
    text = shown([*KDIAG, "run", *python(code)], {**os.environ, "TERM": "xterm"}, cwd=REPOSITORY)
    assert b"True os.terminal_size(columns=" in text
    assert b"one\r\ntwo\r\n" in text  # what the outer terminal makes of a line's end, once


@pytest.mark.slow
def test_a_signal_reaches_the_command_once() -> None:
    code = (
        "import signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
        "print('ready', flush=True)\n"
        "signal.sigwait([signal.SIGTERM])\n"
        "again = signal.sigtimedwait([signal.SIGTERM], 0.2)\n"
        "sys.exit(5 if again is None else 6)"
    )
    process = started(*python(code))
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=HANG)
    assert (process.returncode, err) == (5, b"")


@pytest.mark.slow
def test_the_keyboard_interrupts_the_command_once_and_kdiag_says_nothing(tmp_path: Path) -> None:
    """In a session with a terminal of its own: Ctrl-C goes to the whole group, kdiag included."""
    code = (
        "import os, signal, sys, time\n"
        "came = []\n"
        "signal.signal(signal.SIGINT, lambda *_: came.append(1))\n"
        "os.write(1, b'ready')\n"
        "while not came: time.sleep(0.01)\n"
        "time.sleep(0.2)\n"
        "os.write(2, b'error: failed to load\\n')\n"
        "os.write(1, b'[%d]' % len(came))\n"  # one piece: the words of the other stream may come before or after it
        "sys.exit(9)"
    )
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(REPOSITORY)
        os.execv(sys.executable, [*KDIAG, "run", *python(code)])
    text = _until(master, b"ready")
    os.write(master, b"\x03")
    text += _until(master, None)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 9
    assert b"[1]" in text
    assert b"kdiag:" not in text


def _until(terminal: int, words: bytes | None) -> bytes:
    text = b""
    while words is None or words not in text:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            return text
        if not piece:
            return text
        text += piece
    return text


#: A shell with one job in its terminal: says whether the job stopped, goes on with it, says how it ended.
_SHELL = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
_, status = os.waitpid(job, os.WUNTRACED)
os.tcsetpgrp(0, os.getpid())
print("stopped", os.WIFSTOPPED(status), flush=True)
if os.WIFSTOPPED(status):
    os.tcsetpgrp(0, job)
    os.killpg(job, signal.SIGCONT)
    _, status = os.waitpid(job, 0)
os.tcsetpgrp(0, os.getpid())
print("ended", os.waitstatus_to_exitcode(status), flush=True)
"""


@pytest.mark.slow
def test_a_command_that_suspends_itself_stops_the_job() -> None:
    code = (
        "import os, signal, sys\nos.write(2, b'before\\n')\nos.kill(os.getpid(), signal.SIGTSTP)\nsys.exit(3)"
    )
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(REPOSITORY)
        os.execv(sys.executable, [sys.executable, "-c", _SHELL, *KDIAG, "run", *python(code)])
    said = _until(master, None).split(b"\r\n")
    os.waitpid(pid, 0)
    assert said[:2] == [b"before", b"stopped True"]
    assert b"ended 3" in said


@pytest.mark.slow
def test_the_command_ends_with_kdiag_even_where_that_is_killed() -> None:
    process = started(*python("import os, time; print(os.getpid(), flush=True); time.sleep(9999)"))
    assert process.stdout is not None
    child = int(process.stdout.readline())
    assert child != process.pid
    process.kill()
    process.wait(timeout=HANG)
    wait_until(lambda: gone(child))


@pytest.mark.slow
def test_what_the_command_leaves_running_is_not_waited_for_and_can_go_on_writing(tmp_path: Path) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    left = f"import sys; open({str(go)!r}).read(); print('later', file=sys.stderr)"
    code = (
        "import subprocess, sys\n"
        f"subprocess.Popen([sys.executable, '-c', {left!r}], stdout=subprocess.DEVNULL)\n"
        "print('now', file=sys.stderr)"
    )
    process = started(*python(code))
    assert process.stderr is not None
    assert process.wait(timeout=HANG) == 0
    go.write_text("")
    assert process.stderr.read() == b"now\nlater\n"


@pytest.mark.slow
def test_without_a_reader_the_command_ends_as_it_does_alone() -> None:
    reader, writer = os.pipe()
    process = started(
        *python("import os\nwhile True: os.write(2, b'y' * 99)"), stderr=writer, stdout=subprocess.DEVNULL
    )
    os.close(writer)
    os.read(reader, 10)
    os.close(reader)
    process.wait(timeout=HANG)
    assert process.returncode != 0


@pytest.mark.slow
def test_a_message_of_a_command_that_fails_is_explained_below_it() -> None:
    line = "ERROR: failed to create map: '@': Operation not permitted"
    code = f"import sys; print({line!r}, file=sys.stderr); sys.exit(3)"
    status, out, err = run(*python(code))
    assert (status, out) == (3, b"")
    first, rest = err.decode().split("\n", 1)
    assert first == line
    name = Path(sys.executable).name
    assert rest.startswith(f"\nkdiag: {name} ended with status 3\n")
    assert "message  ERROR: failed to create map" in rest
    assert "held against this machine" in rest
    assert run("--no-why", *python(code)) == (3, b"", f"{line}\n".encode())
    ended = code.replace("sys.exit(3)", "sys.exit(0)")
    assert run(*python(ended)) == (0, b"", f"{line}\n".encode())


@pytest.mark.slow
def test_messages_that_kdiag_does_not_know_cost_one_line() -> None:
    code = "import sys; print('error: no rule for it', file=sys.stderr); sys.exit(2)"
    name = Path(sys.executable).name
    said = f"kdiag: {name} ended with status 2; kdiag knows none of its messages\n"
    assert run(*python(code)) == (2, b"", f"error: no rule for it\n{said}".encode())
    assert run(*python("raise SystemExit(2)")) == (2, b"", b"")


@pytest.mark.slow
def test_a_command_that_cannot_be_started(tmp_path: Path) -> None:
    assert run("--", "no-such-command") == (127, b"", b"kdiag: no-such-command: command not found\n")
    tool = tmp_path / "bpftrace"
    tool.write_bytes(b"\x7fELF\x02\x01\x01 of another machine")
    tool.chmod(0o755)
    status, _, err = run("--", str(tool))
    assert status == 126
    assert err.startswith(f"kdiag: {tool}: Exec format error\n".encode())


@pytest.mark.slow
def test_without_why_kdiag_becomes_the_command() -> None:
    code = "import os; print(os.getpid())"
    for arguments in (("--no-why", *python(code)), python(code)):
        nowhere = "--no-why" not in arguments
        process = started(*arguments, stderr=subprocess.DEVNULL if nowhere else subprocess.PIPE)
        out, _ = process.communicate(timeout=HANG)
        assert int(out) == process.pid


def pieces(text: bytes, sizes: Sequence[int]) -> list[bytes]:
    """The text in pieces of these sizes, again and again."""
    found, at, turn = [], 0, 0
    while at < len(text):
        found.append(text[at : at + sizes[turn % len(sizes)]])
        at += sizes[turn % len(sizes)]
        turn += 1
    return found


@pytest.mark.parametrize("sizes", [(1,), (7, 3), (64,), (100_000,)])
def test_what_is_kept_of_a_long_text(sizes: Sequence[int]) -> None:
    text = b"".join(b"%d\n" % n for n in range(2000))
    kept = Kept(head=100, tail=300)
    for piece in pieces(text, sizes):
        kept.add(piece)
    assert kept.text() == text[:100] + b"\n" + text[-300:]
    assert kept.dropped == len(text) - 400
    short = Kept(head=100, tail=300)
    for piece in pieces(text[:400], sizes):
        short.add(piece)
    assert (short.text(), short.dropped) == (text[:400], 0)
