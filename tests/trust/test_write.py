"""What is written by name lands where the name says, whoever owns the directory and whatever they do meanwhile."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kdiag.recording import pack
from kdiag.report.write import write_atomically
from kdiag.trust import scratch, write
from kdiag.trust.owner import Untrusted
from tests.support.needs import need_root
from tests.support.users import as_user

MALLORY = 12345


def given(path: Path, uid: int, mode: int | None = None) -> Path:
    """The path, made another user's."""
    os.chown(path, uid, uid, follow_symlinks=False)
    if mode is not None:
        path.chmod(mode)
    return path


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A directory of another user's."""
    need_root()
    (tmp_path / "theirs").mkdir()
    return given(tmp_path / "theirs", MALLORY)


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    """A file of ours that must stay as it is."""
    path = tmp_path / "victim"
    path.write_text("precious")
    path.chmod(0o600)
    before = path.stat()
    yield path
    after = path.stat()
    assert path.read_text() == "precious"
    assert (after.st_mode, after.st_uid, after.st_ino) == (before.st_mode, before.st_uid, before.st_ino)


def test_into_another_users_directory(theirs: Path) -> None:
    """`sudo kdiag check -o report.json` in one's own checkout."""
    write.file(str(theirs / "new"), b"x")
    assert (theirs / "new").read_bytes() == b"x" and (theirs / "new").stat().st_uid == 0
    (theirs / "old").write_text("")
    given(theirs / "old", MALLORY, 0o640)
    write.file(str(theirs / "old"), b"y")
    info = (theirs / "old").stat()
    assert (info.st_uid, stat.S_IMODE(info.st_mode)) == (MALLORY, 0o640)
    assert sorted(os.listdir(theirs)) == ["new", "old"]


@pytest.mark.parametrize("mode", [0o1777, 0o775])
def test_a_file_that_another_user_put_where_many_write_is_not_given_to_them(
    mode: int, tmp_path: Path
) -> None:
    need_root()
    tmp_path.chmod(mode)
    path = tmp_path / "report.json"
    path.write_text("mine")
    given(path, MALLORY, 0o666)
    write.file(str(path), b"x")
    assert path.stat().st_uid == 0 and not path.stat().st_mode & 0o022


def test_no_bit_but_those_of_the_permissions_stays(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("")
    path.chmod(0o4755)
    write.file(str(path), b"x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o755


@pytest.mark.parametrize("what", [write.file, lambda path, data: write.tree(path, {"f": data})])
@pytest.mark.parametrize("where", ["", "below/"])
def test_a_link_of_another_user_anywhere_in_the_path(
    what: Callable[[str, bytes], None], where: str, theirs: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    link = theirs / "out"
    link.symlink_to(secret)
    given(link, MALLORY)
    with pytest.raises(Untrusted, match=f"out is a symbolic link and belongs to uid {MALLORY}"):
        what(str(link / where / "cron"), b"x")
    assert os.listdir(secret) == []


def test_a_link_of_roots_that_another_user_could_have_moved_there(theirs: Path, victim: Path) -> None:
    (theirs / "report.json").symlink_to(victim)
    with pytest.raises(Untrusted, match="a symbolic link that another user could have put there"):
        write.file(str(theirs / "report.json"), b"x")


def test_a_second_name_of_a_link_of_roots_in_a_sticky_directory(tmp_path: Path, victim: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (tmp_path / "link").symlink_to(victim)
    os.link(tmp_path / "link", shared / "report.json", follow_symlinks=False)
    with pytest.raises(Untrusted, match="a second name"):
        write.file(str(shared / "report.json"), b"x")


def test_ones_own_links_and_dots_lead_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "to-b").symlink_to("a/./b/../b")
    (tmp_path / "a" / "b" / "r").symlink_to(tmp_path / "a" / "r")
    monkeypatch.chdir(tmp_path / "a")
    write.file("../to-b//r", b"x")
    assert (tmp_path / "a" / "r").read_bytes() == b"x" and (tmp_path / "a" / "b" / "r").is_symlink()


def test_a_directory_that_is_moved_while_the_path_is_walked(theirs: Path) -> None:
    """`..` leads to where the walk came from, or nowhere."""
    from kdiag.trust import walk

    (theirs / "a" / "b").mkdir(parents=True)
    with walk._walking(str(theirs / "a" / "b" / ".." / "x"), strict=False) as going:
        while going.hops[-1] != "..":
            going.step(name := going.hops.pop(), os.open(name, walk._HOP, dir_fd=going.at))
        (theirs / "a" / "b").rename(theirs / "b")
        with pytest.raises(Untrusted, match="moved a directory"):
            going.to_the_last()


# -- what is no file -------------------------------------------------------------------------------------------------


def test_a_fifo_that_no_program_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "_PATIENCE", 0.0)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="no program reads from it"):
        write.file(str(tmp_path / "fifo"), b"x")


def test_more_than_a_pipe_holds_goes_through_a_fifo(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "fifo").read_bytes()))
    reader.start()
    write.file(str(tmp_path / "fifo"), b"x" * 300_000)
    reader.join(20)
    assert got == [b"x" * 300_000]


def test_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        with pytest.raises(OSError, match="it is a socket"):
            write.file("s", b"x")


def test_a_fifo_in_another_users_directory(theirs: Path) -> None:
    os.mkfifo(theirs / "fifo")
    with pytest.raises(Untrusted, match="a FIFO that another user could have put there"):
        write.file(str(theirs / "fifo"), b"x")


def test_a_fifo_of_another_user(tmp_path: Path) -> None:
    need_root()
    os.mkfifo(tmp_path / "fifo")
    given(tmp_path / "fifo", MALLORY)
    with pytest.raises(Untrusted, match=f"belongs to uid {MALLORY}"):
        write.file(str(tmp_path / "fifo"), b"x")


def test_ones_own_link_to_the_null_device(tmp_path: Path) -> None:
    (tmp_path / "nothing").symlink_to(os.devnull)
    write.file(str(tmp_path / "nothing"), b"x")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
@pytest.mark.parametrize("to", ["pipe", "file"])
def test_descriptors_by_name(name: str, to: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/stdout")
    code = f"from kdiag.trust.write import file; file({name!r}, b'two')"
    path = tmp_path / "out"
    path.write_bytes(b"one ")
    with path.open("ab") as out:
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdout=out if to == "file" else subprocess.PIPE,
            check=True,
            cwd=tmp_path,
        )
    assert path.read_bytes() == b"one two" if to == "file" else done.stdout == b"two"


# -- directories -----------------------------------------------------------------------------------------------------


def test_a_new_directory_has_the_modes_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write.tree(str(tmp_path / "new"), {"a/b/c": b"x", "d": b"y"})
    finally:
        os.umask(before)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "new").rglob("*")}
    assert modes == {"a": 0o750, "b": 0o750, "c": 0o640, "d": 0o640}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o750 and os.listdir(tmp_path) == ["new"]


def test_the_empty_directory_that_one_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    inode = tmp_path.stat().st_ino
    write.tree(".", {"root/x": b"1", "index": b"2"})
    assert sorted(os.listdir()) == ["index", "root"] and tmp_path.stat().st_ino == inode


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/a/../x"])
def test_no_name_leads_out(name: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no name of a file below it"):
        write.tree(str(tmp_path / "new"), {"ok": b"", name: b""})
    assert os.listdir(tmp_path) == []


def test_a_directory_of_roots_that_another_user_puts_in_the_place_of_ours_stays(theirs: Path) -> None:
    """What is cleared away is what was made, not what bears its name."""
    (theirs / "roots").mkdir()
    (theirs / "roots" / "precious").write_text("")
    fd = os.open(theirs, os.O_PATH)
    try:
        with write.private(fd, ".kdiag-x") as work:
            write.new(work, "f", b"")
            (theirs / ".kdiag-x").rename(theirs / "away")
            (theirs / "roots").rename(theirs / ".kdiag-x")
    finally:
        os.close(fd)
    assert os.listdir(theirs / ".kdiag-x") == ["precious"] and os.listdir(theirs / "away") == []


# -- while another user does what they can ---------------------------------------------------------------------------


@contextlib.contextmanager
def racer(directory: Path, swap: Callable[[str], None]) -> Iterator[None]:
    """Another user who, in a directory of theirs, swaps whatever appears, until the test has tried often enough."""
    child = os.fork()
    if child == 0:
        os.chdir(directory)
        os.setgroups([])
        os.setgid(MALLORY)
        os.setuid(MALLORY)
        while True:
            for name in os.listdir("."):
                with contextlib.suppress(OSError):
                    swap(name)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def swap_for(target: Path) -> Callable[[str], None]:
    def swap(name: str) -> None:
        if not os.path.islink(name):
            os.rename(name, "away") if os.path.isdir(name) else os.unlink(name)
            os.symlink(target, name)

    return swap


@pytest.mark.parametrize("suffix", ["json", "tar.xz"])
def test_files_while_their_names_are_swapped_for_links(suffix: str, theirs: Path, victim: Path) -> None:
    path = str(theirs / f"machine.{suffix}")
    with racer(theirs, swap_for(victim)):
        for _ in range(200):
            with contextlib.suppress(Exception):
                if suffix == "json":
                    write_atomically(path, "x" * 5000)
                else:
                    pack.write(path, {"recording.json": b"{}"}, 0)


def test_directories_while_their_names_are_swapped_for_links(theirs: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "recording.json").write_text("precious")
    files = {**{f"root/etc/{n}": b"x" for n in range(20)}, "recording.json": b"{}"}
    with racer(theirs, swap_for(outside)):
        for _ in range(100):
            with contextlib.suppress(OSError):
                os.unlink(theirs / "m")
            with contextlib.suppress(Exception):
                write.tree(str(theirs / "m"), files)
    assert os.listdir(outside) == ["recording.json"]
    assert (outside / "recording.json").read_text() == "precious"


# -- temporary files -------------------------------------------------------------------------------------------------


def test_a_temporary_directory_of_another_user_is_not_used(
    theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(theirs))
    with scratch.filled({"x": b"1"}) as made:
        assert (made / "x").read_bytes() == b"1" and not made.is_relative_to(theirs)
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert not made.exists() and os.listdir(theirs) == []


def test_the_details_of_a_crash_are_the_callers_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o1777)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    path = scratch.kept("kdiag-report-", ".txt", b"x")
    assert path.parent == tmp_path and stat.S_IMODE(path.stat().st_mode) == 0o600


# -- whoever calls ---------------------------------------------------------------------------------------------------


def test_an_ordinary_user_in_a_directory_of_a_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_root()
    os.chown(tmp_path, 0, MALLORY)
    tmp_path.chmod(0o2775)
    monkeypatch.chdir(tmp_path)  # the directories above are root's alone

    def work() -> str:
        write.file("report.json", b"x")
        write.tree("recording", {"f": b""})
        return f"{os.stat('report.json').st_uid}"

    assert as_user(MALLORY, work) == str(MALLORY)
