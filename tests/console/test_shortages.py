"""Ordinary surroundings that are short of something: each command ends in one clear line, never in a traceback."""

from __future__ import annotations

import io
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kdiag.console import ending, exits
from kdiag.console.trouble import interrupt, shortage
from tests.support.paths import FIXTURES
from tests.support.terminal import shown
from tests.support.waiting import HANG

KDIAG = (sys.executable, "-m", "kdiag")
MACHINES = (str(FIXTURES / "gvisor"), str(FIXTURES / "talos"))
COMMANDS: dict[str, tuple[str, ...]] = {
    "check": ("check", "--no-plugins"),
    "html": ("check", "--from", MACHINES[0], "--format", "html"),
    "fix": ("fix", "--dry-run"),
    "undo": ("fix", "--undo", "--dry-run"),
    "env": ("env",),
    "record": ("record", "--list"),
    "archive": ("record", "-o", "-"),
    "list": ("list",),
    "explain": ("explain", "btf.vmlinux"),
    "schema": ("schema",),
    "programs": ("smoke", "--list"),
    "compare": ("compare", *MACHINES),
    "report": ("report", MACHINES[0]),
    "version": ("--version",),
    "help": ("--help",),
    "help-of-one": ("check", "--help"),
}
EVERY = pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)


def run(
    arguments: tuple[str, ...],
    *,
    where: str = "",
    cwd: str | Path | None = None,
    before: Callable[[], None] | None = None,
    **env: str,
) -> subprocess.CompletedProcess[bytes]:
    """kdiag, by a shell that changes its streams (`where`)."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {where}', "sh", *KDIAG, *arguments],
        env={**os.environ, "PYTHONPATH": str(FIXTURES.parent), **env},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=HANG,
        check=False,
        preexec_fn=before,
    )
    for word in (b"Traceback", b"defect of kdiag, not", b"Exception ignored"):
        assert word not in done.stderr, done.stderr.decode("utf-8", "replace")
    without_files = done.returncode == exits.USAGE and b"Too many open files" in done.stderr
    assert done.returncode in (0, 1, 3, 4, 130) or without_files, done
    return done


@EVERY
def test_no_room_for_the_output(arguments: tuple[str, ...]) -> None:
    done = run(arguments, where=">/dev/full")
    assert done.returncode == exits.FAILED
    assert done.stderr.splitlines()[-1] == b"kdiag: standard output: No space left on device"
    assert run(arguments, where=">/dev/full 2>/dev/full").returncode == exits.FAILED


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("name", ["check", "fix", "env", "list", "version"])
def test_closed_streams_change_nothing_else(name: str, closed: str) -> None:
    usual, done = run(COMMANDS[name]), run(COMMANDS[name], where=closed)
    assert done.returncode == usual.returncode
    if ">&-" not in closed.replace("2>&-", "") and name in ("env", "list", "version", "fix"):
        assert done.stdout == usual.stdout


def test_a_file_does_not_take_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    """What is written to standard error must not end in the report."""
    path = tmp_path / "report.json"
    run(("check", "--no-plugins", "--format", "json", "-o", str(path)), where="<&- >&- 2>&-")
    assert path.read_bytes().startswith(b"{") and path.read_bytes().endswith(b"}\n")


@EVERY
def test_a_directory_that_is_gone(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Like everywhere else; only the configuration is not looked for."""
    gone = tmp_path / "gone"
    gone.mkdir()
    script = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", str(gone), *KDIAG, *arguments],
        env={**os.environ, "PYTHONPATH": str(FIXTURES.parent)},
        capture_output=True,
        timeout=HANG,
        check=False,
    )
    usual = run(arguments)
    assert (done.returncode, done.stderr) == (usual.returncode, usual.stderr)


def test_a_file_named_from_a_directory_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    for arguments in (("check", "-o", "x.json"), ("record", "-o", "x.tar.xz"), ("check", "--root", ".")):
        done = subprocess.run(
            ["sh", "-c", 'cd "$1" && rmdir "$1" && shift && exec "$@"', "sh", str(gone), *KDIAG, *arguments],
            env={**os.environ, "PYTHONPATH": str(FIXTURES.parent)},
            capture_output=True,
            timeout=HANG,
            check=False,
        )
        gone.mkdir()
        assert done.returncode in (exits.USAGE, exits.FAILED)
        assert len(done.stderr.splitlines()) == 1 and b"defect" not in done.stderr, done.stderr


def test_configuration_is_not_looked_for_where_it_cannot_be(tmp_path: Path) -> None:
    """As a user whom the directory does not let in: the judgement that every command asks."""
    from kdiag.config.file import find

    def look(path: str) -> int:
        child = os.fork()
        if not child:
            status = 1
            try:
                if os.geteuid() == 0:
                    os.setgroups([])
                    os.setgid(65534)
                    os.setuid(65534)
                status = 0 if find(Path(path)) is None else 1
            finally:
                os._exit(status)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    closed = tmp_path / "closed"
    (closed / "inner").mkdir(parents=True)
    (closed / "inner" / "kdiag.toml").write_text("nonsense = 1\n")
    closed.chmod(0o600)
    try:
        assert look(str(closed / "inner")) == 0
    finally:
        closed.chmod(0o700)


@pytest.mark.parametrize("columns", ["²", "٣", "-5", "0", "1e3", " 80", "9" * 5000, "9" * 23, ""])
def test_columns(columns: str) -> None:
    done = run(("check", "--from", MACHINES[0]), COLUMNS=columns)
    assert max(map(len, done.stdout.decode().splitlines())) < 200
    assert not done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp037", "utf-16", "utf-7", "ascii:strict"])
@pytest.mark.parametrize("name", ["check", "explain", "help", "report", "compare"])
def test_encodings(name: str, encoding: str) -> None:
    usual, done = (
        run(COMMANDS[name]),
        run(COMMANDS[name], PYTHONIOENCODING=encoding, LC_ALL="C", PYTHONUTF8="0"),
    )
    assert done.returncode == usual.returncode
    done.stdout.decode(encoding.partition(":")[0])


@pytest.mark.parametrize("files", [5, 6, 8, 16])
def test_few_open_files(files: int) -> None:
    for name in ("list", "version", "report"):
        done = run(COMMANDS[name], before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)))
        if done.returncode == exits.FAILED:
            assert done.stderr.startswith(b"kdiag: too few files may be open at a time"), done.stderr


class ZstdError(Exception):
    """As the library has it: which of its modules it comes from depends on how it was built."""

    __module__ = "zstandard.backend_c"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), "too little memory"),
        (OSError(12, "Cannot allocate memory"), "too little memory"),
        (ImportError("libx.so.1: failed to map segment from shared object"), "too little memory"),
        (ImportError("libx.so.1: cannot allocate memory in static TLS block"), "too little memory"),
        (OSError(24, "Too many open files"), "too few files"),
        (RuntimeError("can't start new thread"), "no thread"),
        (ZstdError("cannot compress: Allocation error : not enough memory"), "too little memory"),
    ],
)
def test_too_little_of_something_is_no_defect(
    error: Exception, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> int:
        try:
            raise error
        except Exception as inner:
            raise LookupError("what a library made of it") from inner

    assert ending.status(fails) == exits.FAILED
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line and "defect" not in line


def test_a_check_that_has_too_little_memory_is_not_called_a_defect() -> None:
    from kdiag.check import check
    from kdiag.checking.registry import Registered
    from kdiag.checking.runner import run_one
    from kdiag.machine import Machine
    from kdiag.system.recording import Recording

    @check("x.hungry", "Takes all")
    def hungry(machine):  # type: ignore[no-untyped-def]
        """Takes all."""
        raise MemoryError
        yield  # type: ignore[unreachable]  # a check is a generator

    machine = Machine(Recording(FIXTURES / "gvisor"))
    (found,) = run_one(machine, Registered(hungry, "pkg", "1", "pkg.checks"))
    assert found.status.value == "unknown"
    assert "too little memory" in found.reason and "defect" not in found.reason


def test_the_limit_is_told() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert shortage(OSError(24, "Too many open files")).endswith(f": the limit is {soft} (ulimit -n)")
    assert not shortage(ValueError("no"))
    assert hard


def test_an_interrupt_in_the_making_of_a_class_stays_one() -> None:
    """Python before 3.12 makes a RuntimeError of what a `__set_name__` raises."""

    class Interrupted:
        def __set_name__(self, owner: type, name: str) -> None:
            raise KeyboardInterrupt

    def fails() -> int:
        type("Made", (), {"value": Interrupted()})
        return 0

    with pytest.raises(KeyboardInterrupt):
        ending.status(fails)
    assert interrupt(ValueError()) is None


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs util-linux")
def test_little_memory(tmp_path: Path) -> None:
    """From too little to enough. (Where not even the interpreter starts, it says so itself.)"""
    ended = set()
    for megabytes in (60, 100, 300):
        size = megabytes * 1024 * 1024
        done = subprocess.run(
            ["prlimit", f"--as={size}", *KDIAG, "list"], capture_output=True, timeout=HANG, check=False
        )
        if b"in <module>" not in done.stderr and b"Fatal Python" not in done.stderr:
            assert done.returncode in (0, exits.FAILED), done.stderr
            assert b"defect" not in done.stderr
            ended.add(done.returncode)
    assert 0 in ended


# -- a terminal ----------------------------------------------------------------------------------------------

VALUE = "\x1b[2Jx\x9b31m\u202e\n::error::y\x07\x7f\udcff"
HOSTILE: dict[str, tuple[str, ...]] = {
    "option": (f"--{VALUE}",),
    "letter": ("check", f"-{VALUE}"),
    "command": (VALUE,),
    "surplus": ("check", VALUE),
    "format": ("check", "--format", VALUE),
    "only": ("check", "--only", VALUE),
    "skip": ("check", "--skip", VALUE),
    "require": ("check", "--require", VALUE),
    "root": ("check", "--root", f"/{VALUE}"),
    "from": ("check", "--from", VALUE),
    "config": ("check", "--config", VALUE),
    "output": ("check", "-o", f"/nonexistent{VALUE}/x.json"),
    "suffix": ("check", "-o", VALUE),
    "recording": ("record", "-o", f"/nonexistent{VALUE}/x.tar.xz"),
    "archive": ("record", "-o", f"{VALUE}.zip"),
    "report": ("report", VALUE),
    "named": ("report", "--no-color", "."),
    "compare": ("compare", "--no-color", "."),
    "several": ("compare", VALUE, f"{VALUE}2"),
    "baseline": ("compare", "--baseline", VALUE, VALUE),
    "run": ("run", "--", VALUE),
    "explain": ("explain", VALUE),
    "btf": ("fix", "--dry-run", "--btf", f"/{VALUE}"),
    "number": ("smoke", "--time-limit", VALUE),
    "program": ("smoke", "--only", VALUE),
    "shell": ("env", "--format", VALUE),
}


def terminal(arguments: tuple[str, ...], cwd: Path) -> bytes:
    """What kdiag writes to a terminal."""
    env = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(FIXTURES.parent)}
    return shown([*KDIAG, *arguments], env, cwd=cwd).replace(b"\r\n", b"\n")


def obeyed(text: bytes) -> list[bytes]:
    """What a terminal, a reader or a log would obey."""
    raw = [mark for mark in (b"\x1b]", b"\x1b[2J", b"\x07", b"\x7f", b"\xff", b"\r") if mark in text]
    raw += [mark.encode() for mark in ("\x9b", "\u202e") if mark.encode() in text]
    return raw + [line for line in text.split(b"\n") if line.lstrip().startswith(b"::")]


@pytest.mark.parametrize("arguments", HOSTILE.values(), ids=HOSTILE)
def test_an_argument_is_shown_not_sent(arguments: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "\x1b]0;title\x07bad.json").write_text("x")
    (tmp_path / "a\n::error::x.json").write_text("x")
    text = terminal(arguments, tmp_path)
    assert text.strip()
    assert not obeyed(text), text


@pytest.mark.parametrize(
    "text",
    [
        'baseline = "\\u001b]0;x\\u0007x\\n::error::y"\n',
        'format = "\\u001b[2J"\n',
        '"\\u001b[2J\\n::error::" = 1\n',
        'skip = ["\\u001b[2J"]\n',
        "x = \x1b[2J\n",
        '[[waiver]]\nfinding = "btf.modules"\nreason = "\\u001b]0;x\\u0007\\n\\n::error::y"\nuntil = "2090-01-01"\n',
    ],
)
def test_a_configuration_is_shown_not_sent(text: str, tmp_path: Path) -> None:
    place = tmp_path / "\x1b]0;title\x07dir"
    place.mkdir()
    (place / "kdiag.toml").write_bytes(text.encode())
    for arguments in (
        ("check", "--no-color", "--only", "btf.*", "--config", f"{place}/kdiag.toml"),
        ("compare", MACHINES[0], "--no-color"),
    ):
        shown = terminal(arguments, place)
        assert shown.strip()
        assert not obeyed(shown), shown


def test_a_limit_takes_no_memory(tmp_path: Path) -> None:
    """What a file may have at most is not taken before it is read."""
    from kdiag.trust.read import at_most

    class Counting(io.BytesIO):
        largest = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.largest = max(self.largest, size or 0)
            return super().read(size)

    file = Counting(b"x" * 3_000_000)
    assert len(at_most(file, 1 << 40)) == 3_000_000
    assert file.largest <= 1 << 20
    assert at_most(Counting(b"abc"), 2) == b"ab"
