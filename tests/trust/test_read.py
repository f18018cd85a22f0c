"""What a user names is read, as far as it is a file; nothing is waited for, and nothing outside is reached."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kdiag.fix import environment
from kdiag.system.recording_files import Directory
from kdiag.system.recording_index import BadRecording
from kdiag.trust import read
from kdiag.trust.owner import Untrusted
from tests.support.needs import need_program, need_root
from tests.support.paths import FIXTURES
from tests.support.waiting import HANG

MALLORY = 12345


def kdiag(*arguments: str, cwd: Path | None = None, stdin: bytes = b"") -> tuple[int, str]:
    """Exit status and the last line of standard error."""
    command = [sys.executable, "-m", "kdiag", *arguments]
    done = subprocess.run(command, capture_output=True, input=stdin, timeout=HANG, cwd=cwd, check=False)
    return done.returncode, (done.stderr.decode().splitlines() or [""])[-1]


@pytest.mark.parametrize(
    "command",
    [
        ("report", "FIFO"),
        ("compare", "FIFO"),
        ("check", "--from", "FIFO"),
        ("check", "--from", "FIFO.tar.xz"),
        ("compare", "--baseline", "FIFO", str(FIXTURES / "firecracker")),
        ("fix", "--dry-run", "--btf", "FIFO"),
    ],
)
@pytest.mark.parametrize("through", ["", "a link"])
def test_no_command_waits_for_a_fifo(command: tuple[str, ...], through: str, tmp_path: Path) -> None:
    name = next(word for word in command if word.startswith("FIFO"))
    os.mkfifo(tmp_path / (f"{name}.there" if through else name))
    if through:
        (tmp_path / name).symlink_to(f"{name}.there")
    status, said = kdiag(*command, cwd=tmp_path)
    if command[0] != "fix":  # which needs no BTF where the kernel has some
        assert status == 2 and f"{name}: it is a FIFO, not a file: give what it holds by `-`" in said


def test_the_kinds_that_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        for name, what in ((".", "directory"), ("socket", "a socket"), (os.devnull, "a device")):
            with pytest.raises(OSError, match=what):
                read.opened(name)
    assert environment.problem("BPFTRACE_BTF", os.devnull, "6.1") == f"{os.devnull} is not a file"


def test_a_pipe_that_the_caller_hands_over(tmp_path: Path) -> None:
    shell = need_program("bash")
    report = tmp_path / "r.json"
    kdiag("check", "--from", str(FIXTURES / "firecracker"), "-o", str(report))
    for words in (f"report <(cat {report})", f"report /dev/stdin <{report}", f"cat {report} | K report -"):
        line = words if "K " in words else f"K {words}"
        done = subprocess.run(
            [shell, "-c", line.replace("K ", f"{sys.executable} -m kdiag ")],
            capture_output=True,
            text=True,
            timeout=HANG,
            check=False,
        )
        assert done.returncode in (0, 1, 3) and "Firecracker" in done.stdout, done.stderr


def test_no_more_than_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="more than 1000 bytes"):
        read.user_file(str(path), 1000)
    with pytest.raises(OSError, match="more than 1000 bytes"):
        read.own_file(str(path), 1000)
    assert read.head(str(path), 3) == bytes(3)


def test_a_file_of_the_kernels_that_has_no_end() -> None:
    """/proc/kmsg is a regular file by its mode, and reading it waits for the next message."""
    need_root()
    try:
        with read.opened("/proc/kmsg") as file:
            for _ in range(100_000):
                if not file.read(1 << 16):
                    break
    except OSError as error:
        assert "no end" in str(error) or isinstance(error, PermissionError)


# -- a recording's directory -----------------------------------------------------------------------------------------


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A directory with a link inside it, beside a secret."""
    base = tmp_path / "recording"
    (base / "root" / "usr" / "lib").mkdir(parents=True)
    (base / "root" / "usr" / "lib" / "f").write_text("inside")
    (base / "root" / "lib").symlink_to("usr/lib")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "f").write_text("secret")
    return base


def test_links_inside_are_followed(recording: Path) -> None:
    assert Directory(recording).read("root/lib/f") == b"inside"


@pytest.mark.parametrize("target", ["../../secret", "/etc"])
def test_links_out_are_not(target: str, recording: Path) -> None:
    (recording / "root" / "out").symlink_to(target)
    assert Directory(recording).size("root/out/f") is None
    with pytest.raises(BadRecording, match="leads out"):
        Directory(recording).read("root/out/f")


def test_what_was_a_file_when_it_was_looked_at(recording: Path) -> None:
    os.mkfifo(recording / "root" / "fifo")
    with pytest.raises(BadRecording, match="a FIFO"):
        Directory(recording).read("root/fifo")


# -- what no other user may have put there ---------------------------------------------------------------------------


def test_ones_own_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    (tmp_path / "link").symlink_to("f")
    assert read.own_file(str(tmp_path / "f"), 10) == read.own_file(str(tmp_path / "link"), 10) == b"x"


def test_a_file_of_another_user(tmp_path: Path) -> None:
    need_root()
    (tmp_path / "f").write_text("x")
    os.chown(tmp_path / "f", MALLORY, MALLORY)
    with pytest.raises(Untrusted, match=f"f belongs to uid {MALLORY}"):
        read.own_file(str(tmp_path / "f"), 10)


def test_a_file_in_a_directory_of_another_user(tmp_path: Path) -> None:
    need_root()
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("x")
    os.chown(tmp_path / "d", MALLORY, MALLORY)
    with pytest.raises(Untrusted, match=f"d belongs to uid {MALLORY}"):
        read.own_file(str(tmp_path / "d" / "f"), 10)


@pytest.mark.parametrize("mode", [0o666, 0o602])
def test_a_file_that_everybody_can_write(mode: int, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    (tmp_path / "f").chmod(mode)
    with pytest.raises(Untrusted, match="writable by every user"):
        read.own_file(str(tmp_path / "f"), 10)


def test_a_second_name_of_a_file_in_a_sticky_directory(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("another repository's")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    os.link(tmp_path / "old", tmp_path / "shared" / "kdiag.toml")
    with pytest.raises(Untrusted, match="a second name"):
        read.own_file(str(tmp_path / "shared" / "kdiag.toml"), 100)
