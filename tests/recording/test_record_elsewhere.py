"""A recording is played back where there is no Linux: without its modules and calls, with other error numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import FIXTURES
from tests.support.waiting import HANG

#: What a Python on Windows or macOS lacks or calls otherwise.
ELSEWHERE = """
import builtins, errno, os, sys
for name in ("fork", "uname", "getuid", "geteuid", "getgid", "getegid", "getgroups", "getresuid", "setsid", "mkfifo",
             "sched_getaffinity", "fchown", "chown", "statvfs", "O_NONBLOCK", "O_NOCTTY", "O_DIRECTORY", "O_CLOEXEC"):
    if hasattr(os, name):
        delattr(os, name)
errno.errorcode = {number: f"E{number}" for number in range(200)}
os.strerror = lambda number: f"error {number}"
sys.platform = "elsewhere"
absent = {"fcntl", "resource", "pwd", "grp", "termios", "ctypes", "kdiag.system.live", "kdiag.system.probes",
          "kdiag.system.syscalls", "kdiag.system.commands"}
real = builtins.__import__
def importing(name, globals=None, locals=None, fromlist=(), level=0):
    if level == 0 and name in absent:
        raise ImportError(f"{name} is not to be had here")
    return real(name, globals, locals, fromlist, level)
"""
REPLAY = """
import json, sys
from kdiag.checking.analysis import analyse
from kdiag.machine import Machine
from kdiag.recording.pack import opened
from kdiag.checking.registry import discover
from kdiag.report.faces.json import render
{there}
registry = discover(plugins=False)
report = analyse(Machine(opened(sys.argv[1])), registry, registry.checks)
sys.stdout.write(render(report))
assert not {{"kdiag.system.live", "kdiag.system.syscalls"}} & set(sys.modules), "the live machine was imported"
"""


def replay(path: Path, *, elsewhere: bool) -> dict[str, object]:
    code = (ELSEWHERE if elsewhere else "") + REPLAY.format(
        there="builtins.__import__ = importing" if elsewhere else ""
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=HANG, check=False
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    del document["created"]
    return document


@pytest.mark.parametrize("name", sorted(path.parent.name for path in FIXTURES.glob("*/recording.json")))
def test_the_same_report_as_on_linux(name: str) -> None:
    assert replay(FIXTURES / name, elsewhere=True) == replay(FIXTURES / name, elsewhere=False)


def test_the_command_line_plays_it_back_there(tmp_path: Path) -> None:
    code = ELSEWHERE + (
        "builtins.__import__ = importing\n"
        "sys.argv = ['kdiag', 'check', '--no-plugins', '--format', 'json', '--from', sys.argv[1]]\n"
        "from kdiag.__main__ import main\nmain()\n"
    )
    path = FIXTURES / "firecracker"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode in (0, 1, 3), done.stderr
    document = json.loads(done.stdout)
    del document["created"]
    assert document == replay(path, elsewhere=False)


def test_error_numbers_are_linuxs() -> None:
    import errno
    import os

    from kdiag import errnos

    if sys.platform != "linux":
        pytest.skip("needs Linux to compare with")
    assert errnos.name(errno.EPERM) == "EPERM"
    assert errnos.name(524) == "ENOTSUPP"
    assert errnos.name(9999) == "9999"
    for number in (errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOSYS, errno.ELOOP):
        assert errnos.words(number) == os.strerror(number)
