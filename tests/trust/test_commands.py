"""Whole commands where another user owns the directory, or had a hand in the path."""

from __future__ import annotations

import ctypes
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kdiag.trust import owner
from tests.support.needs import need, need_program, need_root
from tests.support.paths import FIXTURES
from tests.support.users import as_user
from tests.support.waiting import HANG

MALLORY = 12345
MACHINE = str(FIXTURES / "firecracker")


def kdiag(cwd: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Exit status and what is said on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "kdiag", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stderr


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A directory of another user's, with a link of theirs to a directory of ours."""
    need_root()
    (tmp_path / "secret").mkdir()
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "out").symlink_to("../secret")
    for path in (tmp_path / "theirs", tmp_path / "theirs" / "out"):
        os.chown(path, MALLORY, MALLORY, follow_symlinks=False)
    return tmp_path / "theirs"


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "--from", MACHINE, "--format", "json", "-o", "out/cron"),
        ("check", "--from", MACHINE, "-o", "good.html", "-o", "out/bad.json"),
        ("compare", MACHINE, MACHINE, "-o", "out/cron"),
        ("report", "r.json", "--format", "markdown", "-o", "out/cron"),
        ("record", "-o", "out/machine.tar.xz"),
        ("record", "-o", "out/machine"),
        ("record", "-o", "out"),
    ],
    ids=" ".join,
)
def test_no_command_writes_through_another_users_link(arguments: tuple[str, ...], theirs: Path) -> None:
    status, _ = kdiag(theirs, "check", "--from", MACHINE, "-o", "r.json")
    assert status in (0, 1, 3)
    status, said = kdiag(theirs, *arguments)
    assert (status, "out is a symbolic link and belongs to uid 12345" in said) == (4, True), said
    assert os.listdir(theirs.parent / "secret") == []
    assert (theirs / "good.html").exists() is ("good.html" in arguments)
    assert not [name for name in os.listdir(theirs) if name.startswith(".")]


@pytest.mark.parametrize("name", ["m.tar.xz", "m"])
def test_root_records_into_another_users_directory(name: str, theirs: Path) -> None:
    status, said = kdiag(theirs, "record", "--only", "kernel.*", "-o", name)
    assert status == 0, said
    status, said = kdiag(theirs, "check", "--from", name)
    assert status in (0, 1, 3), said


def test_a_socket_is_no_place_for_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("r.json")
        assert kdiag(tmp_path, "check", "--from", MACHINE, "-o", "r.json") == (
            4,
            "kdiag: cannot write r.json: it is a socket\n",
        )


def test_a_block_device_of_roots_is_none_either(tmp_path: Path) -> None:
    """Not even in a path that root alone can change: nobody means to overwrite a disk with a report."""
    need_root()
    device = tmp_path / "r.json"
    try:
        os.mknod(device, 0o060600, os.makedev(7, 200))
    except PermissionError:
        need(False, "mknod")
    assert kdiag(tmp_path, "check", "--from", MACHINE, "-o", "r.json") == (
        4,
        "kdiag: cannot write r.json: it is a block device\n",
    )


def test_the_details_of_a_crash_stay_out_of_another_users_directory(theirs: Path) -> None:
    code = "from kdiag.console.crash import write_report; print(write_report(ValueError('x')))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TMPDIR": str(theirs)},
    )
    found = re.search(r"with the file (\S+) and", done.stdout)
    assert found, done.stdout
    path = Path(found[1])
    try:
        assert path.is_file() and not path.is_relative_to(theirs)
    finally:
        path.unlink()


def test_where_real_root_has_no_id(tmp_path: Path) -> None:
    """In `unshare --map-root-user` the files of the system seem to be nobody's, and one's own are root's."""
    unshare = need_program("unshare")
    script = f"exec {sys.executable} -m kdiag check --from {MACHINE} --format json -o r.json"
    done = subprocess.run(
        [unshare, "--map-root-user", "sh", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    need(
        "Operation not permitted" not in done.stderr and "No space left" not in done.stderr, "user namespaces"
    )
    assert done.returncode in (0, 1, 3), done.stderr
    assert json.loads((tmp_path / "r.json").read_text())["schema"] == "kdiag.report/1"


def test_the_null_device_of_a_rootless_container() -> None:
    """It is bound from the host, where it belongs to a root that has no id inside; a file of that root's is not known
    to be root's.
    """

    library = ctypes.CDLL(
        None
    )  # before the change of user, who may not be able to read the modules of this Python

    def work() -> str:
        library.prctl(4, 1)  # PR_SET_DUMPABLE: /proc/self is ours again after the change of user
        if library.unshare(0x10000000) != 0:  # CLONE_NEWUSER
            return "no user namespace"
        Path("/proc/self/uid_map").write_text(f"0 {MALLORY} 1")
        device, file = os.stat(os.devnull), os.stat("/etc/passwd")
        return f"{os.geteuid()} {device.st_uid} {owner._device_of_the_host(device)} {owner._device_of_the_host(file)}"

    said = as_user(MALLORY, work)
    need(said[:1] == "0", f"user namespaces ({said})")
    assert said == "0 65534 True False"
