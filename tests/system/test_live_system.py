"""`Live`: real files and links, below another root, as another user, with programs."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

import kdiag
from kdiag.system import Unavailable
from kdiag.system.commands import launch
from kdiag.system.live import Live
from kdiag.trust.program import distrusted
from kdiag.trust.search import find
from tests.support.needs import need_root
from tests.support.waiting import HANG, ends, gone, wait_until


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small root with the links that matter: merged /usr, absolute and relative ones, loops, one that leads out."""
    for directory in ("usr/lib/modules/6.1", "usr/src/headers", "etc", "boot"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "usr/src/headers/kconfig.h").write_text("here")
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "usr/lib/modules/6.1/relative").symlink_to("../../../src/headers")
    (tmp_path / "usr/lib/modules/6.1/absolute").symlink_to("/usr/src/headers")
    (tmp_path / "etc/hostname").symlink_to("/../../../../etc/hostname")
    (tmp_path / "etc/a").symlink_to("b")
    (tmp_path / "etc/b").symlink_to("a")
    (tmp_path / "boot/gone").symlink_to("/nowhere/file")
    return tmp_path


@pytest.mark.parametrize("link", ["relative", "absolute"])
@pytest.mark.parametrize("start", ["/lib", "/usr/lib"])
def test_links_lead_where_the_examined_system_would_go(root: Path, start: str, link: str) -> None:
    assert Live(str(root)).read(f"{start}/modules/6.1/{link}/kconfig.h") == b"here"


def test_no_link_leads_out_of_the_root(root: Path) -> None:
    """`/../../etc/hostname` stays inside, where there is no such file."""
    live = Live(str(root))
    with pytest.raises(Unavailable, match="ELOOP"):
        live.read("/etc/hostname")
    (root / "etc/passwd").write_text("inside")
    assert live.read("/../../../etc/passwd") == b"inside"


def test_a_loop_of_links_is_told(root: Path) -> None:
    with pytest.raises(Unavailable, match="ELOOP") as loop:
        Live(str(root)).read("/etc/a")
    assert loop.value.errno == errno.ELOOP


def test_dangling_link(root: Path) -> None:
    live = Live(str(root))
    assert live.read("/boot/gone") is None
    assert live.stat("/boot/gone") is None
    found = live.lstat("/boot/gone")
    assert found is not None
    assert (found.kind, found.target) == ("link", "/nowhere/file")


def test_another_root_has_no_kernel_no_programs_and_no_environment(root: Path) -> None:
    """The running kernel is not that of the tree: unknown, although this machine could answer."""
    (root / "proc").mkdir()
    (root / "proc/version").write_text("a left-over")
    live = Live(str(root))
    assert not live.live
    for question in (
        lambda: live.read("/proc/version"),
        lambda: live.stat("/sys/kernel"),
        lambda: live.listdir("/dev/fd"),
        lambda: live.run(("/bin/true",)),
        lambda: live.probe("bpf:map"),
        lambda: live.env("HOME"),
        live.uname,
    ):
        with pytest.raises(Unavailable):
            question()


def test_another_root_that_was_given_as_a_relative_path(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.parent)
    assert Live(root.name).root == str(root)


@pytest.mark.parametrize("name", ["fifo", "directory", "socket", "null"])
def test_what_is_no_file_is_not_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "fifo":
        os.mkfifo(path)
    elif name == "directory":
        path.mkdir()
    elif name == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    else:
        path.symlink_to("/dev/null")
    for question in (Live().read, lambda p: Live().head(p, 10), Live().open):
        with ends(), pytest.raises(Unavailable):
            question(str(path))


def test_limits(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(10 * 2**30)
    with pytest.raises(Unavailable, match="more than"):
        Live().read(str(path))
    assert Live().head(str(path), 16) == bytes(16)
    (tmp_path / "small").write_bytes(b"12345")
    assert Live().read(str(tmp_path / "small"), 5) == b"12345"
    with pytest.raises(Unavailable):
        Live().read(str(tmp_path / "small"), 4)


def test_a_path_that_is_none() -> None:
    with pytest.raises(Unavailable):
        Live().read("/etc/\0passwd")
    with pytest.raises(Unavailable, match="ENAMETOOLONG"):
        Live().read("/" + "x" * 5000)


def test_open_files_do_not_pile_up(tmp_path: Path) -> None:
    (tmp_path / "fifo").mkdir()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        with pytest.raises(Unavailable):
            Live().read(str(tmp_path / "fifo"))
        Live().read("/proc/self/status")
    assert len(os.listdir("/proc/self/fd")) == before


# -- programs ----------------------------------------------------------------------------------------------------------


def script(path: Path, text: str) -> tuple[str, str]:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path), "--version"


def test_a_program_runs_without_input_and_in_the_c_locale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    result = launch(script(tmp_path / "x", 'cat; echo "$LC_ALL $1"; echo oops >&2; exit 7'), 5.0).result()
    assert (result.stdout, result.stderr, result.status) == ("C --version\n", "oops\n", 7)


def test_time_limit(tmp_path: Path) -> None:
    with ends(), pytest.raises(Unavailable, match=r"0\.3 s"):
        launch(script(tmp_path / "x", f"echo $$ > {tmp_path}/pid; exec sleep {2 * HANG}"), 0.3).result()
    if (tmp_path / "pid").exists():  # on a busy machine it is ended before it comes to that
        wait_until(lambda: gone(int((tmp_path / "pid").read_text())))


def test_a_program_that_leaves_a_child_with_its_output_open(tmp_path: Path) -> None:
    """The child keeps the pipe, and the answer is there all the same: what the program said before it ended."""
    program = script(tmp_path / "x", f"sleep {2 * HANG} &\necho $! >{tmp_path}/pid\necho bpftrace v0.23.2")
    try:
        result = launch(program, HANG).result()
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert (result.status, result.stdout) == (0, "bpftrace v0.23.2\n")


def test_what_cannot_be_started(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\x7fELF nothing")
    (tmp_path / "x").chmod(0o755)
    with pytest.raises(Unavailable):
        launch((str(tmp_path / "x"),), 1.0).result()
    with pytest.raises(Unavailable, match="ENOENT"):
        launch((str(tmp_path / "nothing"),), 1.0).result()


def test_path_lookup_takes_no_relative_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty part of PATH means the current directory to a shell; a tool that runs as root does not go there."""
    script(tmp_path / "bpftrace", "true")
    monkeypatch.chdir(tmp_path)
    for path in ("", ":", f":{tmp_path}/nowhere", ".", "./", "bin:."):
        assert find("bpftrace", path) is None
    assert find("bpftrace", f"relative:{tmp_path}") == str(tmp_path / "bpftrace")


def test_whom_root_does_not_trust(tmp_path: Path) -> None:
    need_root()
    program = tmp_path / "x"
    script(program, "true")
    assert distrusted(str(program)) == ""
    program.chmod(0o777)
    assert "every user" in str(distrusted(str(program)))
    program.chmod(0o755)
    tmp_path.chmod(0o777)
    assert "every user" in str(distrusted(str(program))), (
        "who may write the directory may replace the program"
    )
    tmp_path.chmod(0o755)
    os.chown(program, 12345, 0)
    assert "12345" in str(distrusted(str(program)))


def test_root_of_a_user_namespace_trusts_the_system_it_is_in() -> None:
    """Real root's files seem to belong to the overflow id there; a program that others may write is none the better."""
    need_root()
    code = (
        "import os, sys, tempfile; sys.path.insert(0, sys.argv[1])\n"
        "from kdiag.trust.program import distrusted\n"
        "own = tempfile.mkdtemp() + '/x'; os.close(os.open(own, os.O_CREAT, 0o700)); os.chmod(own, 0o777)\n"
        "print(os.geteuid(), distrusted('/bin/sh') or 'none', '|', distrusted(own))"
    )
    # an ordinary id first: root's own would be mapped, and its files with it
    ordinary = ["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups"]
    namespace = ["unshare", "--user", "--map-root-user"]
    source = str(Path(kdiag.__file__).parents[1])
    words = [*ordinary, *namespace, "/usr/bin/python3", "-I", "-B", "-c", code, source]
    answer = subprocess.run(words, capture_output=True, text=True, check=False)
    if answer.returncode:
        pytest.skip(f"no user namespace for an ordinary user here: {answer.stderr.strip()[-200:]}")
    trusted, _, other = answer.stdout.partition("|")
    assert trusted.split() == ["0", "none"]
    assert "every user" in other


def test_a_program_that_its_group_may_change(tmp_path: Path) -> None:
    """Writable by a group other than root's is writable by somebody else."""
    need_root()
    program = tmp_path / "x"
    script(program, "true")
    os.chown(program, 0, 12345)
    program.chmod(0o775)
    assert distrusted(str(program))
