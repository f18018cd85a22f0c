"""`kdiag explain FILE --try`: loads the object for real, says what happened, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kdiag.commands import trial
from kdiag.smoke.programs import Runner
from tests.support.explained import described, here
from tests.support.needs import need, need_root
from tests.support.waiting import HANG, gone, wait_until

ROOT = Path(__file__).parents[2]
OBJECTS = Path(__file__).parent / "objects"
SHIPPED = ROOT / "kdiag" / "smoke" / "objects"
HERE = here(described("0.23.2"))
RECORDING = str(ROOT / "fixtures" / "minimal")


def kdiag(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kdiag", "explain", "--no-plugins", *arguments],
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
        cwd=ROOT,
    )


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A copy that no other user can have written: the checkout may be anybody's."""
    file = tmp_path / "raw.bpf.o"
    shutil.copy(SHIPPED / "ring.bpf.o", file)
    return file


def test_a_recording_is_not_tried() -> None:
    done = kdiag("--try", "--from", RECORDING, str(OBJECTS / "plain.bpf.o"))
    assert (done.returncode, "--try loads the object into the kernel of this machine" in done.stderr) == (
        2,
        True,
    )


def test_only_objects_are_tried() -> None:
    need_root()
    done = kdiag("--try", "btf.vmlinux")
    assert (done.returncode, "btf.vmlinux is no BPF object" in done.stderr) == (3, True), done


def test_a_file_of_another_user_is_not_loaded(mine: Path) -> None:
    need_root()
    os.chown(mine, 65534, 65534)
    done = kdiag("--try", str(mine))
    assert (
        done.returncode,
        f"{mine} was not loaded, because {mine} belongs to uid 65534" in done.stderr,
    ) == (3, True)


@pytest.mark.live
def test_what_happened_is_told_and_nothing_is_left(mine: Path) -> None:
    need_root()
    pins = sorted(os.listdir("/sys/fs/bpf")) if os.path.isdir("/sys/fs/bpf") else []
    done = kdiag("--try", str(mine))
    need("--try: no libbpf.so" not in done.stderr, "a shared libbpf")
    assert "\nTried here\n" in done.stdout and "Nothing is left of it." in done.stdout, done
    assert "please report" not in done.stdout, done.stdout
    refused = kdiag("--try", str(_copied(mine, "unknown_helper")))
    assert (refused.returncode, "It does not load here" in refused.stdout) == (1, True), refused
    assert pins == (sorted(os.listdir("/sys/fs/bpf")) if os.path.isdir("/sys/fs/bpf") else [])


def _copied(beside: Path, name: str) -> Path:
    file = beside.parent / f"{name}.bpf.o"
    shutil.copy(OBJECTS / f"{name}.bpf.o", file)
    return file


@pytest.mark.live
def test_bpftool_loads_where_no_libbpf_is_installed_and_its_pins_go_with_it(mine: Path) -> None:
    need_root()
    bpftool = shutil.which("bpftool", path="/usr/sbin:/usr/bin:/sbin:/bin")
    need(bpftool is not None, "bpftool")
    assert bpftool is not None
    before = Path("/proc/mounts").read_text(encoding="utf-8")
    try:
        good = trial._load_by_bpftool((bpftool,), mine.read_bytes())
        bad = trial._load_by_bpftool((bpftool,), _copied(mine, "unknown_helper").read_bytes())
    except trial.NotTried as error:
        pytest.skip(str(error))  # a container without CAP_SYS_ADMIN
    need(good.loaded or "Operation not permitted" not in " ".join(good.said), "bpf(2)")
    assert good.loaded and not bad.loaded and bad.said
    assert Path("/proc/mounts").read_text(encoding="utf-8") == before
    assert not os.path.exists("/sys/fs/bpf/kdiag")


@pytest.mark.parametrize(
    ("library", "bpftool", "used"),
    [("libbpf.so.1", "/usr/sbin/bpftool", "libbpf.so.1"), ("", "/usr/sbin/bpftool", "/usr/sbin/bpftool")],
)
def test_the_library_is_asked_before_bpftool(
    monkeypatch: pytest.MonkeyPatch, library: str, bpftool: str, used: str
) -> None:
    known = {
        "libbpf": Runner("libbpf", ("python", library) if library else (), (), bool, library),
        "bpftool": Runner("bpftool", (bpftool,), (), bool),
    }
    monkeypatch.setattr(trial, "runners", lambda _: known)
    assert trial._way(HERE)[1] == used
    monkeypatch.setattr(
        trial, "runners", lambda _: {name: one._replace(words=()) for name, one in known.items()}
    )
    with pytest.raises(trial.NotTried, match="install either"):
        trial._way(HERE)


#: Takes the place of the loader, and stays: it waits for a line that never comes.
_STAYS = "import os, sys; sys.stdin.read(); os.read(os.pipe()[0], 1)"
_STAND_IN = f"""
import sys
from kdiag.commands import trial
trial._load((sys.executable, "-c", {_STAYS!r}, "kdiag-stand-in"), b"")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_loader_ends_with_kdiag(number: int) -> None:
    """What is loaded lives as long as that process, which ends when kdiag does, however that happens."""
    kdiag_ = subprocess.Popen([sys.executable, "-c", _STAND_IN], cwd=ROOT, stderr=subprocess.DEVNULL)
    wait_until(lambda: _children(kdiag_.pid), "the loader starts")
    (child,) = _children(kdiag_.pid)
    kdiag_.send_signal(number)
    kdiag_.wait(HANG)
    wait_until(lambda: gone(child), "the loader ends")


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in listed.split() if b"kdiag-stand-in" in _words(int(child))]


def _words(pid: int) -> bytes:
    """The command line of a process, empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
