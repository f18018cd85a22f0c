"""Faults, each made for real: `kill -9` at every point, full and read-only file systems, other users.

Always: exit status 4 with a reason, and the machine as before; or the job complete.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kdiag.console import exits
from kdiag.fix.journal import Journal
from tests.support.fix_runs import (
    DEBIAN,
    FIX_PROCESS,
    NOBODY,
    NOTHING_DONE,
    argv,
    elsewhere,
    finished,
    needs_root,
    run_fix,
    trees,
)
from tests.support.fixable_machine import RELEASE, btf, case, snapshot
from tests.support.headers_archive import write_tree
from tests.support.waiting import HANG, wait_until

KILLED = -signal.SIGKILL

#: name -> (variants, changes, options, ids of the steps)
SCENES: dict[str, tuple[list[str], dict[str, object], dict[str, object], list[str]]] = {
    "file": ([], {}, {}, ["kheaders.extract-module"]),
    "load": (
        ["loadable"],
        {"euid": 0},
        {"load": True, "link": True},
        ["kheaders.load", "kheaders.extract", "headers.link"],
    ),
    "packages": (
        ["without_module", "debian"],
        {"euid": 0, "release": DEBIAN},
        {"packages": True},
        ["headers.package"],
    ),
    "btf": (["without_btf", "without_module"], {}, {"btf": "mine.btf"}, ["btf.file"]),
}


def scene(home: Path, name: str) -> dict[str, object]:
    """Prepare the machine; the words for `drive`."""
    variants, changes, options, _ = SCENES[name]
    (home / "mine.btf").write_bytes(btf())
    case(home, *variants, **changes)
    if "btf" in options:
        options = {"btf": str(home / "mine.btf")}
    return {"variants": variants, "changes": changes, "options": options}


def points(undoing: bool) -> list[tuple[str, str]]:
    found = []
    for name, (_, _, _, steps) in SCENES.items():
        for step in steps:
            words = ["unmade", "undone"] if undoing else ["begun", "made", "done"]
            if not undoing and "extract" in step:
                words.insert(1, "midway")
            found += [(name, f"{step} {word}") for word in words]
    return found


@pytest.mark.parametrize(("name", "point"), points(undoing=False))
def test_killed_while_fixing(tmp_path: Path, name: str, point: str) -> None:
    """Undone afterwards, the machine is as before; fixed again, all is there, and undone then, it is as before."""
    words = scene(tmp_path, name)
    before = snapshot(tmp_path)
    assert run_fix(tmp_path, **words, kill=point).returncode == KILLED
    undone = run_fix(tmp_path, **words, do="undo")
    assert undone.returncode == exits.READY, undone.stderr
    if point == "headers.package made":
        # What the package brought with it was not noted yet: it is said, and stays.
        assert "what came with it stays" in undone.stdout
        assert "gcc-x" in (tmp_path / "dpkg-status").read_text()
        return
    assert snapshot(tmp_path) == before
    assert run_fix(tmp_path, **words, kill=point).returncode == KILLED
    again = run_fix(tmp_path, **words)
    assert again.returncode in NOTHING_DONE or name in ("btf", "packages"), again.stdout + again.stderr
    assert_complete(tmp_path, name)
    undone = run_fix(tmp_path, **words, do="undo")
    assert undone.returncode == exits.READY, undone.stderr
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(("name", "point"), points(undoing=True))
def test_killed_while_undoing(tmp_path: Path, name: str, point: str) -> None:
    words = scene(tmp_path, name)
    before = snapshot(tmp_path)
    run_fix(tmp_path, **words)
    assert run_fix(tmp_path, **words, do="undo", kill=point).returncode == KILLED
    assert run_fix(tmp_path, **words, do="undo").returncode == exits.READY
    assert snapshot(tmp_path) == before
    run_fix(tmp_path, **words)
    assert run_fix(tmp_path, **words, do="undo", kill=point).returncode == KILLED
    run_fix(tmp_path, **words)
    assert_complete(tmp_path, name)
    assert run_fix(tmp_path, **words, do="undo").returncode == exits.READY
    assert snapshot(tmp_path) == before


def assert_complete(home: Path, name: str) -> None:
    """All that the scene's plan brings is there, and the journal says so."""
    _, changes, _, _ = SCENES[name]
    one = case(home, **changes)
    for entry in Journal(one.places.journal).entries():
        assert entry.finished
    if name in ("file", "load"):
        [tree] = trees(one)
        assert (tree / "include/linux/kconfig.h").is_file()
    if name == "load":
        assert "kheaders" in (home / "proc-modules").read_text()
        assert (one.places.modules / RELEASE / "build").resolve() == tree
    if name == "packages":
        assert f"linux-headers-{DEBIAN}\n" in (home / "dpkg-status").read_text()
    if name == "btf":
        assert [p.read_bytes() for p in one.places.btf.iterdir()] == [btf()]


@needs_root
@pytest.mark.parametrize("point", ["begun", "made", "done"])
def test_killed_around_a_mount(tmp_path: Path, point: str) -> None:
    if "tracefs" not in Path("/proc/filesystems").read_text():
        pytest.skip("this kernel has no tracefs")
    case(tmp_path)
    before = snapshot(tmp_path)
    fix, undo = argv(tmp_path, tracefs=True), argv(tmp_path, tracefs=True, do="undo")
    killed = argv(tmp_path, tracefs=True, kill=f"tracefs.mount {point}")
    count = "echo mounts $(grep -c ' - tracefs ' /proc/self/mountinfo)"
    hide = "while umount /sys/kernel/tracing 2>/dev/null; do :; done"
    result = elsewhere(hide, killed, count, undo, count, killed, fix, count, undo, count)
    counts = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("mounts")]
    assert counts == ["0" if point == "begun" else "1", "0", "1", "0"], result.stdout + result.stderr
    assert snapshot(tmp_path) == before


def test_killed_while_modprobe_runs_on(tmp_path: Path) -> None:
    """The orphan keeps the lock: an undo waits for its end, and then unloads what it loaded."""
    words = scene(tmp_path, "load")
    script = tmp_path / "bin" / "modprobe"
    head, _, body = script.read_text().partition("\n")
    script.write_text(f"{head}\n[ $1 = -r ] || {{ : > {tmp_path}/running; sleep 3; }}\n{body}")
    before = snapshot(tmp_path)
    with subprocess.Popen(argv(tmp_path, **words), stdout=subprocess.DEVNULL) as process:
        wait_until((tmp_path / "running").exists)
        process.kill()
    (tmp_path / "running").unlink()
    undone = run_fix(tmp_path, **words, do="undo")
    assert undone.returncode == exits.READY, undone.stderr
    assert "waiting for another kdiag" in undone.stdout
    assert "unloaded" in undone.stdout
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_takes_back_what_was_begun(tmp_path: Path, number: signal.Signals) -> None:
    words = scene(tmp_path, "load")
    one = case(tmp_path)
    script = tmp_path / "bin" / "modprobe"
    head, _, body = script.read_text().partition("\n")
    script.write_text(f"{head}\n[ $1 = -r ] || {{ : > {tmp_path}/running; sleep 60; }}\n{body}")
    before = snapshot(tmp_path)
    with subprocess.Popen(
        argv(tmp_path, **words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        wait_until((tmp_path / "running").exists)
        process.send_signal(number)
        assert process.wait(timeout=HANG) != 0
    (tmp_path / "running").unlink()
    assert snapshot(tmp_path) == before
    assert trees(one) == []


# -- the journal cannot be written -----------------------------------------------------------------------------------


def refused(result: subprocess.CompletedProcess[str], words: str) -> None:
    """Exit status 4, with these words."""
    assert result.returncode == exits.FAILED, result.stdout + result.stderr
    assert words.lower() in result.stderr.lower(), result.stderr
    assert "Traceback" not in result.stderr


@needs_root
def test_a_read_only_file_system(tmp_path: Path) -> None:
    case(tmp_path)
    before = snapshot(tmp_path)
    state = tmp_path / "state"
    result = elsewhere(f"mount --bind {state} {state} && mount -o remount,ro,bind {state}", argv(tmp_path))
    refused(result, "Read-only file system")
    assert snapshot(tmp_path) == before


@needs_root
@pytest.mark.parametrize("size", ["size=4k", "size=8k", "nr_inodes=2", "nr_inodes=3"])
def test_a_full_file_system(tmp_path: Path, size: str) -> None:
    """The directory, the lock or the journal is what does not fit any more."""
    case(tmp_path)
    before = snapshot(tmp_path)
    state = tmp_path / "state"
    fill = f"head -c 4096 /dev/zero > {state}/filler" if "size" in size else "true"
    result = elsewhere(
        f"mount -t tmpfs -o {size} tmpfs {state}; {fill}", argv(tmp_path), f"s=$?; ls {state}; exit $s"
    )
    refused(result, "No space left on device")
    assert result.stdout.splitlines()[-1:] != ["kdiag"]
    assert snapshot(tmp_path) == before


@needs_root
def test_a_file_system_that_fills_between_two_lines(tmp_path: Path) -> None:
    """The change is announced and made, and that it is done cannot be written any more."""
    one = case(tmp_path)
    before = snapshot(tmp_path)
    journal, state = one.places.journal, tmp_path / "state"
    begin = {"event": "begin", "version": 1, "id": "0" * 16, "step": "", "boot": "", "at": ""}
    effect = {"kind": "module", "module": "kheaders"}
    end = json.dumps({"event": "undone", "id": "0" * 16}) + "\n"
    line = json.dumps({**begin, "effect": effect}) + "\n"
    # A page of the tmpfs ends 50 bytes after the line that announces the change.
    room = 4096 - len(line) - len(end) - announcement(tmp_path) - 50
    text = json.dumps({**begin, "step": "x" * room, "effect": effect}) + "\n" + end
    result = elsewhere(
        f"mount -t tmpfs -o size=4k tmpfs {state}; mkdir -m 700 {state}/kdiag",
        f"umask 077; printf %s {shlex.quote(text)} > {journal}",
        argv(tmp_path),
        f"s=$?; ls {state}/kdiag; exit $s",
    )
    refused(result, "No space left on device")
    assert "everything is as before" in result.stderr
    assert snapshot(tmp_path) == before


def announcement(home: Path) -> int:
    """The length of the first line of a run's journal."""
    run_fix(home)
    length = len(case(home).places.journal.read_bytes().partition(b"\n")[0]) + 1
    run_fix(home, do="undo")
    return length


@needs_root
def test_a_full_file_system_below_the_store(tmp_path: Path) -> None:
    case(tmp_path)
    before = snapshot(tmp_path)
    cache = tmp_path / "cache"
    result = elsewhere(
        f"mount -t tmpfs -o size=8k tmpfs {cache}", argv(tmp_path), f"s=$?; ls -A {cache}; exit $s"
    )
    refused(result, "no space left")
    assert snapshot(tmp_path) == before


@needs_root
def test_no_permission(shared_path: Path) -> None:
    case(shared_path)
    before = snapshot(shared_path)
    refused(run_fix(shared_path, uid=NOBODY), "Permission denied")
    assert snapshot(shared_path) == before


@needs_root
def test_an_ordinary_user_needs_nobody(shared_path: Path) -> None:
    """Headers out of the module's file, into the user's own directories."""
    one = case(shared_path)
    for name in ("cache", "state"):
        os.chown(shared_path / name, NOBODY, NOBODY)
    before = snapshot(shared_path)
    result = run_fix(shared_path, uid=NOBODY)
    assert result.returncode == exits.READY, result.stdout + result.stderr
    [tree] = trees(one)
    assert tree.stat().st_uid == NOBODY
    assert one.places.journal.stat().st_uid == NOBODY
    assert run_fix(shared_path, uid=NOBODY, do="undo").returncode == exits.READY
    assert snapshot(shared_path) == before


# -- what others planted ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ("mkdir -m 777 {state}/kdiag", "writable by every user"),
        (": > {state}/kdiag", "not a directory"),
        ("mkdir -m 700 {state}/kdiag; mkdir {state}/kdiag/journal", "journal"),
        ("mkdir -m 700 {state}/kdiag; mkfifo {state}/kdiag/journal", "not a file"),
        ("mkdir -m 700 {state}/kdiag; mkfifo {state}/kdiag/lock", "not a lock of ours"),
        ("mkdir -m 700 {state}/kdiag; ln -s {home}/precious {state}/kdiag/journal", "journal"),
        ("mkdir -m 700 {state}/kdiag; ln -s {home}/precious {state}/kdiag/lock", "symbolic link"),
        ("mkdir -m 700 {state}/kdiag; echo garbage > {state}/kdiag/journal", "line 1"),
        (
            "mkdir -m 700 {state}/kdiag; : > {state}/kdiag/journal; chmod 666 {state}/kdiag/journal",
            "writable by others",
        ),
    ],
)
@pytest.mark.parametrize("do", ["fix", "undo"])
def test_a_journal_that_is_not_to_be_trusted(tmp_path: Path, plan: str, words: str, do: str) -> None:
    case(tmp_path)
    (tmp_path / "precious").write_bytes(b"")
    subprocess.run(["sh", "-c", plan.format(state=tmp_path / "state", home=tmp_path)], check=True)
    before = snapshot(tmp_path)
    result = run_fix(tmp_path, do=do)
    if do == "undo" and result.returncode == exits.READY:
        assert "Nothing to undo" in result.stdout
    else:
        refused(result, words)
    after = snapshot(tmp_path)
    after.pop("state/kdiag/lock", None)
    before.pop("state/kdiag/lock", None)
    assert after == before


@needs_root
@pytest.mark.parametrize("what", ["kdiag", "kdiag/journal", "kdiag/lock"])
def test_a_journal_of_another_user(tmp_path: Path, what: str) -> None:
    one = case(tmp_path)
    one.places.state.mkdir(mode=0o700)
    for name in ("journal", "lock"):
        (one.places.state / name).touch(mode=0o600)
    os.chown(tmp_path / "state" / what, NOBODY, NOBODY)
    before = snapshot(tmp_path)
    refused(run_fix(tmp_path), "65534")
    assert trees(one) == []
    before.pop("state/kdiag/lock")
    after = snapshot(tmp_path)
    after.pop("state/kdiag/lock", None)
    assert after == before


@needs_root
def test_a_link_to_a_journal_planted_by_another_user(tmp_path: Path) -> None:
    """In a directory that everybody may write to, as /tmp is."""
    one = case(tmp_path)
    (tmp_path / "state").chmod(0o1777)
    (tmp_path / "theirs").mkdir(mode=0o700)
    one.places.state.symlink_to(tmp_path / "theirs")
    os.lchown(one.places.state, NOBODY, NOBODY)
    before = snapshot(tmp_path)
    refused(run_fix(tmp_path), "belongs to uid 65534")
    assert snapshot(tmp_path) == before


@needs_root
def test_the_trees_place_taken_by_another_user(tmp_path: Path) -> None:
    one = case(tmp_path)
    run_fix(tmp_path)
    [tree] = trees(one)
    run_fix(tmp_path, do="undo")
    write_tree(tree, RELEASE)
    os.chown(tree, NOBODY, NOBODY)
    before = snapshot(tmp_path)
    refused(run_fix(tmp_path), "belongs to uid 65534")
    assert snapshot(tmp_path) == before


# -- the surroundings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["modprobe", "apt-get"])
@pytest.mark.parametrize("script", [None, f"sleep {2 * HANG}"])
def test_programs_that_are_missing_or_hang(tmp_path: Path, name: str, script: str | None) -> None:
    words = scene(tmp_path, "load" if name == "modprobe" else "packages")
    path = tmp_path / "bin" / name
    if script is None:
        path.unlink()
    else:
        path.write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / "sleep").symlink_to("/bin/sleep")
    before = snapshot(tmp_path)
    result = run_fix(tmp_path, **words, limit=1.0, long_limit=1.0, path=f"{tmp_path}/bin")
    refused(result, "not installed" if script is None else "was killed")
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1", "nonsense"])
def test_a_locale_that_is_not_utf_8(tmp_path: Path, locale: str) -> None:
    """Directories with a name that the locale cannot spell."""
    home = tmp_path / "Bj\u00f6rn \u2603"
    home.mkdir()
    case(home)
    before = snapshot(home)
    env = {"PATH": os.environ["PATH"], "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    # As the process itself reads that name from its surroundings.
    seen = finished(
        [sys.executable, "-c", "import os; print(ascii(os.listdir(os.environ['D'])))"],
        {**env, "D": str(tmp_path)},
    )
    name = json.dumps(f"{tmp_path}/{eval(seen.stdout)[0]}")
    for do in ("fix", "undo"):
        spec = f'{{"home": {name}, "do": "{do}"}}'
        result = finished([sys.executable, str(FIX_PROCESS), spec], {**env, "PYTHONIOENCODING": ":strict"})
        assert result.returncode == exits.READY, result.stdout + result.stderr
    assert snapshot(home) == before


@pytest.mark.parametrize("place", ["/nonexistent", "/dev/null", "/proc"])
def test_a_tmpdir_that_is_none(tmp_path: Path, place: str) -> None:
    case(tmp_path)
    result = finished(argv(tmp_path), {**os.environ, "TMPDIR": place})
    assert result.returncode == exits.READY, result.stderr


@needs_root
def test_directories_where_nothing_can_be_executed(tmp_path: Path) -> None:
    case(tmp_path)
    noexec = " ".join(
        f"mount -t tmpfs -o noexec,nosuid,nodev tmpfs {tmp_path / name};" for name in ("cache", "state")
    )
    run = f"TMPDIR={tmp_path}/cache {shlex.join(argv(tmp_path))}"
    result = elsewhere(noexec, run, argv(tmp_path, do="undo"))
    assert result.returncode == exits.READY, result.stderr
    assert "removed" in result.stdout


def test_no_home_at_all() -> None:
    """A user that no database knows, without HOME."""
    from kdiag.fix.errors import FixError
    from kdiag.fix.store.places import state_base

    with pytest.raises(FixError, match="no home"):
        state_base(4_000_000, {})
    assert str(state_base(0, {"XDG_STATE_HOME": "/home/me"})) == "/var/lib/kdiag"
    assert str(state_base(1000, {"XDG_STATE_HOME": "/s"})) == "/s/kdiag"
    assert str(state_base(1000, {"XDG_STATE_HOME": "relative", "HOME": "/h"})) == "/h/.local/state/kdiag"
    with contextlib.suppress(KeyError):
        assert state_base(os.getuid() or NOBODY, {}).name == "kdiag"
