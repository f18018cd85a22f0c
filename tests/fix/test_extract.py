"""Unpacking the headers archive: what comes out, whose it is, and what faults, rivals and kills do to it."""

from __future__ import annotations

import json
import lzma
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdiag.fix.errors import FixError
from kdiag.fix.store import trees as store
from kdiag.fix.store.extract import archive_from_module, extract
from tests.support.headers_archive import (
    LAB,
    NOBODY,
    RELEASE,
    archive,
    entry,
    files,
    forked,
    on_tmpfs,
    remade,
    settle,
    tar,
    tree,
)
from tests.support.needs import need_program, need_root
from tests.support.waiting import HANG


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    """A base in memory where that is possible: the tests make many files."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path / "kdiag" / "headers"
        return
    place = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="kdiag-test-"))
    yield place / "kdiag" / "headers"
    settle()
    shutil.rmtree(place)


def put(base: Path, data: bytes | None = None, *, release: str = RELEASE, srcarch: str = "x86") -> Path:
    """Extract to where the store wants it, and wait until it is settled."""
    data = archive() if data is None else data
    made = extract(data, base / store.tree_name(release, data), release=release, srcarch=srcarch)
    settle()
    return made


# -- what comes out ----------------------------------------------------------------------------------------------


def test_the_tree_is_the_archive(base: Path) -> None:
    made = put(base)
    assert made.parent == base and os.listdir(base) == [made.name]
    there = remade(made)
    assert {
        name: data
        for name, data in there.items()
        if isinstance(data, bytes) and name != "include/linux/also.h"
    } == {name.removeprefix("./"): data for name, data in files().items()}
    assert there["include/linux/also.h"] == "-> ../../include/linux/types.h"
    assert store.validate(made, RELEASE, "x86") == ""
    assert store.find(RELEASE, "x86", (base,)) == made


@pytest.mark.parametrize("mask", [0o077, 0o000])
def test_rights_are_ours_not_the_archives_nor_the_umasks(base: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        made = put(base)
        assert os.umask(mask) == mask, "the caller's umask is back"
    finally:
        os.umask(before)
    for path in (made, *made.rglob("*")):
        info = path.lstat()
        assert (info.st_uid, info.st_gid) == (os.geteuid(), os.getegid()), path
        if not path.is_symlink():
            assert stat.S_IMODE(info.st_mode) == (0o755 if path.is_dir() else 0o644), path
    # Root's store is for everybody, a user's for nobody else (XDG Base Directory Specification).
    assert stat.S_IMODE(base.stat().st_mode) == (0o755 if os.geteuid() == 0 else 0o700)


def test_a_set_group_id_directory_passes_nothing_on(base: Path) -> None:
    base.mkdir(parents=True)
    base.chmod(0o2755)
    made = put(base)
    assert not any(path.lstat().st_mode & stat.S_ISGID for path in (made, *made.rglob("*")))


def test_directories_without_a_member_of_their_own(base: Path) -> None:
    made = put(base, archive(member for member in tree() if not member[0].isdir()))
    assert store.validate(made, RELEASE, "x86") == ""


def test_pax_and_gnu_long_names_and_content_across_pieces(base: Path) -> None:
    """A name of more than 100 bytes, a file larger than the pieces that the decompressor makes."""
    name = "./include/" + "/".join("d" * 60 for _ in range(4)) + "/x.h"
    content = os.urandom(1 << 16) * 40
    for form in (2, 1):  # pax, GNU
        made = put(base, archive([*tree(), entry(name, content)], form))
        assert (made / name).read_bytes() == content
        store.remove(made)


def test_progress_ends_at_the_whole(base: Path) -> None:
    data = archive([*tree(), entry("./include/big.h", bytes(7 << 20))])
    seen: list[tuple[int, int]] = []
    extract(data, base / "t", release=RELEASE, srcarch="x86", progress=lambda *both: seen.append(both))
    size = len(lzma.decompress(data))
    assert seen[-1] == (size, size) and len(seen) >= 3
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@pytest.mark.skipif(not LAB.exists(), reason="no lab kernel beside this tree")
def test_the_labs_archive_as_tar_unpacks_it(base: Path) -> None:
    need_program("tar")
    data = archive_from_module(LAB.read_bytes())
    release = "6.12.107-kdiaglab"
    made = put(base, data, release=release)
    other = base / "tar"
    other.mkdir()
    subprocess.run(["tar", "-C", str(other), "-xJf", "-"], input=data, check=True)
    ours = remade(made)
    assert ours == remade(other)
    kinds = [
        "link" if isinstance(v, str) and v[0] == "-" else "dir" if v == "dir" else "file"
        for v in ours.values()
    ]
    assert [kinds.count(kind) for kind in ("file", "dir", "link")] == [6674, 343, 4]


def test_a_module_without_headers() -> None:
    with pytest.raises(FixError, match="no kernel headers archive"):
        archive_from_module(b"no module" * 200)
    with pytest.raises(FixError, match=r"damaged|early"):
        archive_from_module(archive()[:-20])


# -- again, and what is in the way -------------------------------------------------------------------------------


def test_a_sound_tree_is_kept(base: Path) -> None:
    made = put(base)
    before = made.stat().st_ino
    assert put(base) == made
    assert made.stat().st_ino == before


def test_a_tree_of_ours_that_was_damaged_is_made_anew(base: Path) -> None:
    made = put(base)
    (made / "include/linux/kconfig.h").unlink()
    (made / "include/linux/types.h").write_bytes(b"")
    assert put(base) == made
    assert store.validate(made, RELEASE, "x86") == ""
    assert os.listdir(base) == [made.name]


@pytest.mark.parametrize("what", ["file", "link", "dangling", "directory"])
def test_something_in_the_way_stays(base: Path, tmp_path: Path, what: str) -> None:
    target = base / store.tree_name(RELEASE, archive())
    base.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    if what == "file":
        target.write_text("mine")
    elif what == "directory":
        target.mkdir()
        (target / "notes").write_text("mine")
    else:
        if what == "link":
            elsewhere.mkdir()
        target.symlink_to(elsewhere)
    with pytest.raises(FixError) as caught:
        put(base)
    assert str(target) in caught.value.message and "in the way" in caught.value.message
    assert os.listdir(base) == [target.name]
    assert not elsewhere.exists() or not os.listdir(elsewhere)
    if what in ("file", "directory"):
        assert (target if what == "file" else target / "notes").read_text() == "mine"


def test_somebody_elses_directory_or_link_in_the_way(base: Path) -> None:
    need_root()
    target = base / store.tree_name(RELEASE, archive())
    base.mkdir(parents=True)
    target.mkdir()
    os.chown(target, NOBODY, NOBODY)
    with pytest.raises(FixError, match=f"in the way: it belongs to uid {NOBODY}"):
        put(base)
    target.rmdir()
    target.symlink_to("/etc")
    os.chown(target, NOBODY, NOBODY, follow_symlinks=False)
    with pytest.raises(FixError, match="in the way: it is a symbolic link"):
        put(base)
    assert os.listdir(base) == [target.name]


def test_a_link_planted_by_another_user_on_the_way(base: Path, tmp_path: Path) -> None:
    """CVE-2024-2313: in a directory that all may write to, whoever comes first decides where root's headers are."""
    need_root()
    shared = base.parent
    shared.mkdir(parents=True)
    shared.chmod(0o1777)
    victim = tmp_path / "victim"
    victim.mkdir()
    (shared / "headers").symlink_to(victim)
    os.chown(shared / "headers", NOBODY, NOBODY, follow_symlinks=False)
    with pytest.raises(FixError, match=f"headers is a symbolic link and belongs to uid {NOBODY}"):
        put(base)
    assert os.listdir(victim) == []


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_base_that_others_may_write_to(base: Path, mode: int) -> None:
    base.mkdir(parents=True)
    if mode == 0o775:
        need_root()
        os.chown(base, 0, NOBODY)
    base.chmod(mode)
    with pytest.raises(FixError, match="is writable by"):
        put(base)
    assert os.listdir(base) == []


def test_a_link_of_our_own_on_the_way_is_followed(base: Path, tmp_path: Path) -> None:
    real = tmp_path / "disk"
    real.mkdir()
    base.parent.mkdir(parents=True)
    base.symlink_to(real)
    made = put(base)
    assert (real / made.name / "include").is_dir() and store.find(RELEASE, "x86", (base,)) == made


# -- where the system refuses ------------------------------------------------------------------------------------


def test_no_room_is_known_before_anything_is_written(tmp_path: Path) -> None:
    need_root()
    data = tmp_path / "a.tar.xz"
    data.write_bytes(archive([*tree(), entry("./include/big.h", bytes(4 << 20))]))
    said, left = on_tmpfs("size=2m", data, tmp_path / "mnt")
    assert said[0] == "refused" and "no space left in" in said[1] and "free some" in said[2]
    assert left == []


def test_the_disk_becomes_full_midway(tmp_path: Path) -> None:
    """1,500 small files: 1.5 MB as a tar, 6 MB in blocks of 4 KiB."""
    need_root()
    data = tmp_path / "a.tar.xz"
    data.write_bytes(archive([*tree(), *(entry(f"./include/f{n}.h", b"x") for n in range(1500))]))
    said, left = on_tmpfs("size=3m", data, tmp_path / "mnt")
    assert said[0] == "refused" and "no space left in" in said[1]
    assert left == []


def test_no_inodes_left(tmp_path: Path) -> None:
    need_root()
    data = tmp_path / "a.tar.xz"
    data.write_bytes(archive([*tree(), *(entry(f"./include/f{n}.h") for n in range(200))]))
    said, left = on_tmpfs("size=20m,nr_inodes=100", data, tmp_path / "mnt")
    assert said[0] == "refused" and "no inodes left" in said[1]
    assert left == []


def test_a_read_only_file_system(tmp_path: Path) -> None:
    need_root()
    data = tmp_path / "a.tar.xz"
    data.write_bytes(archive())
    said, left = on_tmpfs("ro,size=20m", data, tmp_path / "mnt")
    assert said[0] == "refused" and "read-only file system" in said[1]
    assert left == []


def test_a_tmpfs_with_room(tmp_path: Path) -> None:
    """The four tests above are refused for their reasons, not because nothing works there."""
    need_root()
    data = tmp_path / "a.tar.xz"
    data.write_bytes(archive())
    said, left = on_tmpfs("size=20m", data, tmp_path / "mnt")
    assert said[0] == "done" and left == ["t"]


def test_no_permission(base: Path) -> None:
    need_root()
    put(base.parent / "warm")  # loads what extract imports late
    base.mkdir()
    for path in (base, base.parent, base.parent.parent):
        path.chmod(0o755)

    def work() -> str:
        put(base)
        return "done"

    assert "FixError: no permission to write to" in forked(work, NOBODY)
    assert os.listdir(base) == []
    os.chown(base, NOBODY, NOBODY)
    assert forked(work, NOBODY) == "done"


def test_the_end_of_the_file_descriptors(base: Path) -> None:
    """Deep and wide: more directories than may be open."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    members = [*tree(), *(entry(f"./include/d{n}/e/f/x.h", b"x") for n in range(200))]
    # beside what this process has open already
    resource.setrlimit(resource.RLIMIT_NOFILE, (150 + max(map(int, os.listdir("/proc/self/fd"))), hard))
    try:
        made = put(base, archive(members))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(list(made.rglob("x.h"))) == 200


# -- the disk ----------------------------------------------------------------------------------------------------


def test_a_tree_is_good_before_it_is_on_the_disk(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = threading.Event()
    monkeypatch.setattr("kdiag.fix.store.extract._sync_file_system", lambda fd: slow.wait(HANG))
    try:
        target = extract(
            archive(), base / store.tree_name(RELEASE, archive()), release=RELEASE, srcarch="x86"
        )
        assert (target / store.UNSETTLED).read_bytes() == store.boot_id() != b""
        assert store.find(RELEASE, "x86", (base,)) == target
        # As the next boot would find it if the machine went down now; an empty file is what a crash leaves of it.
        for other in (b"5a7d1c8e-0000-4000-8000-000000000000", b""):
            (target / store.UNSETTLED).write_bytes(other)
            assert store.validate(target, RELEASE, "x86") == "the machine went down before it was on the disk"
            assert store.find(RELEASE, "x86", (base,)) is None
    finally:
        slow.set()
        settle()
    assert not (target / store.UNSETTLED).exists()


def test_a_tree_that_did_not_reach_the_disk_is_made_anew(base: Path) -> None:
    target = put(base)
    (target / store.UNSETTLED).write_bytes(b"another boot")
    (target / "include/linux/types.h").write_bytes(b"")
    assert put(base) == target
    assert (target / "include/linux/types.h").stat().st_size
    assert os.listdir(base) == [target.name]


def test_where_the_boot_is_not_known_it_is_synced_first(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []

    def sync(fd: int) -> None:
        synced.append(os.listdir(base))

    monkeypatch.setattr("kdiag.fix.store.trees.boot_id", lambda: b"")
    monkeypatch.setattr("kdiag.fix.store.extract._sync_file_system", sync)
    target = put(base)
    assert len(synced) == 1 and target.name not in synced[0]
    assert not (target / store.UNSETTLED).exists()


def test_the_disk_fails_while_settling(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("kdiag.fix.store.extract._sync_file_system", broken)
    target = put(base)
    assert (target / store.UNSETTLED).exists(), "good until the next boot, which will make it anew"
    assert store.validate(target, RELEASE, "x86") == ""


def test_the_process_ends_only_when_it_is_settled(base: Path, tmp_path: Path) -> None:
    data = big(tmp_path)
    process = child(data, base / "t")
    go(process)
    process.communicate(timeout=HANG)
    assert os.listdir(base) == ["t"] and not (base / "t" / store.UNSETTLED).exists()


# -- interrupted, killed, and many at once ------------------------------------------------------------------------

_CHILD = """
import json, sys, time
from pathlib import Path
from kdiag.fix.errors import FixError
from kdiag.fix.store.extract import extract
archive, target, release, stop_at = sys.argv[1:]
def progress(done, total):
    if done >= float(stop_at) * total:
        print("here", flush=True)
        sys.stdin.read()
sys.stdin.readline()
try:
    print(json.dumps(str(extract(Path(archive).read_bytes(), Path(target), release=release, srcarch="x86",
                                 progress=progress if stop_at != "never" else None))))
except FixError as error:
    print(json.dumps([error.message]))
"""


def child(data: Path, target: Path, stop_at: str = "never") -> subprocess.Popen[str]:
    """A process that extracts when it is sent a line."""
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(data), str(target), RELEASE, stop_at],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def big(tmp_path: Path) -> Path:
    """An archive of several pieces."""
    members = [*tree(), *(entry(f"./include/d{n % 20}/f{n}.h", bytes(8192)) for n in range(600))]
    path = tmp_path / "big.tar.xz"
    path.write_bytes(archive(members))
    return path


@pytest.mark.parametrize("number", [2, 8])
def test_many_at_once(base: Path, tmp_path: Path, number: int) -> None:
    data = big(tmp_path)
    target = base / store.tree_name(RELEASE, data.read_bytes())
    processes = [child(data, target) for _ in range(number)]
    for process in processes:
        go(process)
    said = [process.communicate(timeout=HANG)[0] for process in processes]
    assert [json.loads(text) for text in said] == [str(target)] * number
    assert os.listdir(base) == [target.name]
    assert store.validate(target, RELEASE, "x86") == ""


@pytest.mark.parametrize("stop_at", ["0.1", "0.5", "1.0"])
def test_killed_and_run_again(base: Path, tmp_path: Path, stop_at: str) -> None:
    data = big(tmp_path)
    target = base / store.tree_name(RELEASE, data.read_bytes())
    process = child(data, target, stop_at)
    go(process)
    assert process.stdout is not None and process.stdout.readline() == "here\n"
    (left,) = base.iterdir()
    os.utime(left, (0, 0))
    assert store.find(RELEASE, "x86", (base,)) is None
    assert store.stale(base, ()) == [], "what is being made is locked, however old it looks"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert store.stale(base, (RELEASE,)) == [left]
    assert put(base, data.read_bytes()) == target
    assert os.listdir(base) == [target.name], "the next run has swept"


_DYING = """
import os, signal, sys
from pathlib import Path
from kdiag.fix.store.extract import extract
archive, target, release, last = sys.argv[1:]
data, number = Path(archive).read_bytes(), 0
def count(frame, event, argument):
    global number
    number += 1
    if str(number) == last or last == "published" and event == "return" and frame.f_code.co_name == "_publish":
        os.kill(os.getpid(), signal.SIGKILL)
sys.setprofile(count)
extract(data, Path(target), release=release, srcarch="x86")
sys.setprofile(None)
print(number)
"""


def test_killed_at_any_moment(base: Path, tmp_path: Path) -> None:
    """Whatever the moment, counted in calls: either no tree or a whole one."""
    data = big(tmp_path)
    target = base / store.tree_name(RELEASE, data.read_bytes())

    def dying(last: int | str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", _DYING, str(data), str(target), RELEASE, str(last)]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)

    whole = int(dying(0).stdout)
    store.remove(target)
    outcomes = set()
    # How many calls waiting for the decompressing thread takes varies a little: the last one may come too late.
    for moment in [*range(1, whole, whole // 10), whole - 5, "published"]:
        assert dying(moment).returncode == -signal.SIGKILL or moment == whole - 5
        found = store.find(RELEASE, "x86", (base,))
        assert found in (None, target)
        outcomes.add(found)
        if found:
            assert len(list(target.rglob("f*.h"))) == 600
            store.remove(target)
    assert found == target and None in outcomes
    put(base, data.read_bytes())
    for path in base.iterdir():
        if path != target:
            os.utime(path, (0, 0))
    assert target not in store.stale(base, (RELEASE,))
    for path in store.stale(base, (RELEASE,)):
        store.remove(path)
    assert os.listdir(base) == [target.name]


def test_an_interrupt_leaves_nothing(base: Path) -> None:
    def interrupt(_done: int, _total: int) -> None:
        assert len(os.listdir(base)) == 1
        raise KeyboardInterrupt

    data = archive([*tree(), entry("./include/big.h", bytes(3 << 20))])
    before = os.umask(0o027)
    try:
        with pytest.raises(KeyboardInterrupt):
            extract(data, base / "t", release=RELEASE, srcarch="x86", progress=interrupt)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert os.listdir(base) == []


def test_a_real_interrupt(base: Path, tmp_path: Path) -> None:
    data = big(tmp_path)
    process = child(data, base / "t", "0.3")
    go(process)
    assert process.stdout is not None and process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=HANG)
    assert os.listdir(base) == []


def test_no_descriptors_and_no_threads_are_left(base: Path) -> None:
    data = archive()
    put(base, data)
    store.remove(base / store.tree_name(RELEASE, data))
    before = (len(os.listdir("/proc/self/fd")), threading.active_count())
    put(base, data)
    with pytest.raises(FixError):
        put(base, lzma.compress(tar([*tree(), entry("../x")])))
    assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == before
