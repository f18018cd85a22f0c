"""Undoing: what kdiag did, and nothing else."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

import pytest

from kdiag.console import exits
from kdiag.fix.journal import Journal
from kdiag.fix.store.trees import tree_name
from tests.support.fix_runs import DEBIAN, NOBODY, Run, argv, elsewhere, needs_root, trees
from tests.support.fixable_machine import RELEASE, archive, btf, case, snapshot
from tests.support.headers_archive import write_tree
from tests.support.waiting import HANG

BOOT_ID = "/proc/sys/kernel/random/boot_id"


def entries(run: Run) -> list[str]:
    return [entry.step for entry in Journal(run.one.places.journal).entries()]


def test_nothing_to_undo(tmp_path: Path) -> None:
    run = Run(case(tmp_path))
    before = snapshot(tmp_path)
    assert run.fix(undo=True) == exits.READY
    assert "Nothing to undo" in run.text
    assert snapshot(tmp_path) == before


def test_what_was_there_before_stays(tmp_path: Path) -> None:
    """A tree of another release in the store, a file beside it, a file in the state directory."""
    one = case(tmp_path, euid=0)
    other = write_tree(one.places.headers / "6.1.0-0123456789ab", "6.1.0")
    (one.places.headers.parent / "notes.txt").write_text("mine")
    one.places.state.mkdir(parents=True, mode=0o700)
    (one.places.state / "notes.txt").write_text("mine")
    (one.places.modules / "6.1.0").mkdir(parents=True)
    before = snapshot(tmp_path)
    run = Run(one)
    assert run.fix(yes=True, options={"link": True}) == exits.READY, run.errors
    assert run.fix(undo=True, yes=True) == exits.READY, run.errors
    after = snapshot(tmp_path)
    assert after.pop("state/kdiag/lock").startswith("100600")
    assert after == before
    assert other.is_dir()


def test_directories_that_were_missing_are_missing_again(tmp_path: Path) -> None:
    one = case(tmp_path)
    for name in ("cache", "state"):
        (tmp_path / name).rmdir()
    before = snapshot(tmp_path)
    run = Run(one)
    assert run.fix(yes=True) == exits.READY, run.errors
    assert run.fix(undo=True, yes=True) == exits.READY, run.errors
    assert snapshot(tmp_path) == before


def test_a_link_that_others_changed_stays(tmp_path: Path) -> None:
    run = Run(case(tmp_path, euid=0))
    run.fix(yes=True, options={"link": True})
    link = tmp_path / "lib" / "modules" / RELEASE / "build"
    link.unlink()
    link.symlink_to("/usr/src/linux-headers")
    assert run.fix(undo=True, yes=True) == exits.READY, run.errors
    assert "not ours" in run.text
    assert os.readlink(link) == "/usr/src/linux-headers"
    assert trees(run.one) == []


def test_a_directory_that_others_use_stays(tmp_path: Path) -> None:
    run = Run(case(tmp_path, euid=0))
    run.fix(yes=True, options={"link": True})
    (tmp_path / "lib" / "modules" / RELEASE / "modules.dep").write_text("")
    assert run.fix(undo=True, yes=True) == exits.READY, run.errors
    assert [p.name for p in (tmp_path / "lib" / "modules" / RELEASE).iterdir()] == ["modules.dep"]


@pytest.mark.parametrize("kind", ["file", "link", "gone"])
def test_a_tree_in_whose_place_is_something_else(tmp_path: Path, kind: str) -> None:
    run = Run(case(tmp_path))
    run.fix(yes=True)
    [tree] = trees(run.one)
    shutil.rmtree(tree)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("mine")
    if kind == "file":
        tree.write_text("mine")
    elif kind == "link":
        tree.symlink_to(tmp_path / "precious")
    status = run.fix(undo=True, yes=True)
    if kind == "gone":
        assert status == exits.READY and "not there any more" in run.text
    else:
        assert status == exits.FAILED and "stays" in run.errors
        assert os.path.lexists(tree)
        assert entries(run) == ["kheaders.extract-module"]
    assert (tmp_path / "precious" / "file").read_text() == "mine"


@needs_root
def test_a_tree_of_somebody_else_stays(tmp_path: Path) -> None:
    run = Run(case(tmp_path))
    run.fix(yes=True)
    [tree] = trees(run.one)
    os.chown(tree, NOBODY, NOBODY)
    assert run.fix(undo=True, yes=True) == exits.FAILED
    assert tree.is_dir()


def test_a_btf_file_that_others_changed_stays(tmp_path: Path) -> None:
    one = case(tmp_path, "without_btf", "without_module")
    (tmp_path / "mine.btf").write_bytes(btf())
    run = Run(one)
    run.fix(yes=True, options={"btf": str(tmp_path / "mine.btf")})
    [file] = one.places.btf.iterdir()
    file.write_bytes(b"something else")
    assert run.fix(undo=True, yes=True) == exits.FAILED
    assert file.read_bytes() == b"something else"


def test_a_module_in_use_stays_and_the_rest_goes(tmp_path: Path) -> None:
    one = case(tmp_path, "loadable", euid=0)
    before = snapshot(tmp_path)
    run = Run(one)
    run.fix(yes=True, options={"load": True})
    modules = tmp_path / "proc-modules"
    idle = modules.read_text()
    modules.write_text(idle.replace("kheaders 4194304 0", "kheaders 4194304 1"))
    assert run.fix(undo=True, yes=True) == exits.FAILED
    assert "in use" in run.errors
    assert trees(one) == []
    assert entries(run) == ["kheaders.load"]
    modules.write_text(idle)
    assert run.fix(undo=True, yes=True) == exits.READY
    assert snapshot(tmp_path) == before


def test_a_module_that_was_loaded_before_stays(tmp_path: Path) -> None:
    one = case(tmp_path, "loadable", euid=0)
    os.system(f"{tmp_path}/bin/modprobe kheaders")
    before = snapshot(tmp_path)
    run = Run(one)
    run.fix(yes=True, options={"load": True})
    assert entries(run) == ["kheaders.extract"]
    run.fix(undo=True, yes=True)
    assert snapshot(tmp_path) == before


def test_a_module_that_others_unloaded_is_no_problem(tmp_path: Path) -> None:
    run = Run(case(tmp_path, "loadable", euid=0))
    run.fix(yes=True, options={"load": True})
    os.system(f"{tmp_path}/bin/modprobe -r kheaders")
    assert run.fix(undo=True, yes=True) == exits.READY
    assert "not loaded any more" in run.text


def test_after_a_reboot_a_module_is_not_ours(tmp_path: Path) -> None:
    """Loaded by somebody else since: it stays."""
    one = case(tmp_path, "loadable", euid=0)
    run = Run(one)
    run.fix(yes=True, options={"load": True})
    one.files[BOOT_ID] = b"another-boot\n"
    assert run.fix(undo=True, yes=True) == exits.READY
    assert "gone since the reboot" in run.text
    assert "kheaders" in (tmp_path / "proc-modules").read_text()


def test_after_a_reboot_fixing_forgets_what_is_gone(tmp_path: Path) -> None:
    one = case(tmp_path, "loadable", euid=0)
    run = Run(one)
    run.fix(yes=True, options={"load": True})
    os.system(f"{tmp_path}/bin/modprobe -r kheaders")
    one.files[BOOT_ID] = b"another-boot\n"
    run.fix(yes=True, options={"load": True})
    assert entries(run) == ["kheaders.extract", "kheaders.load"]


def test_packages_that_the_user_removed_are_no_problem(tmp_path: Path) -> None:
    one = case(tmp_path, "without_module", "debian", release=DEBIAN, euid=0)
    before = snapshot(tmp_path)
    run = Run(one)
    run.fix(yes=True, options={"packages": True})
    os.system(f"{tmp_path}/bin/dpkg --purge linux-headers-{DEBIAN} gcc-x")
    assert run.fix(undo=True, yes=True) == exits.READY, run.errors
    assert snapshot(tmp_path) == before


def test_packages_that_something_else_needs_stay(tmp_path: Path) -> None:
    one = case(tmp_path, "without_module", "debian", release=DEBIAN, euid=0)
    run = Run(one)
    run.fix(yes=True, options={"packages": True})
    (tmp_path / "bin" / "dpkg").write_text("#!/bin/sh\necho 'dpkg: gcc-x is needed by mine' >&2; exit 1\n")
    assert run.fix(undo=True, yes=True) == exits.FAILED
    assert "needed by mine" in run.errors
    assert entries(run) == ["headers.package"]


# -- mounts ----------------------------------------------------------------------------------------------------------

HIDE = "while umount /sys/kernel/tracing 2>/dev/null; do :; done"
COUNT = "echo mounts $(grep -c ' - tracefs ' /proc/self/mountinfo)"


def tracing(tmp_path: Path, *commands: str | list[str]) -> tuple[str, str]:
    """What is printed in a mount namespace that begins without tracefs."""
    if "tracefs" not in Path("/proc/filesystems").read_text():
        pytest.skip("this kernel has no tracefs")
    case(tmp_path)
    result = elsewhere(HIDE, *commands)
    return result.stdout, result.stderr


@needs_root
def test_a_mount_of_others_stays(tmp_path: Path) -> None:
    fix, undo = argv(tmp_path, tracefs=True), argv(tmp_path, tracefs=True, do="undo")
    text, errors = tracing(tmp_path, "mount -t tracefs tracefs /sys/kernel/tracing", fix, undo, COUNT)
    assert "Mount tracefs" not in text
    assert "mounts 1" in text, errors


@needs_root
def test_a_mount_that_others_replaced_stays(tmp_path: Path) -> None:
    fix, undo = argv(tmp_path, tracefs=True), argv(tmp_path, tracefs=True, do="undo")
    again = "umount /sys/kernel/tracing; mount -t tracefs tracefs /sys/kernel/tracing"
    text, errors = tracing(tmp_path, fix, again, undo, COUNT)
    assert "done: Mount tracefs" in text and "not mounted any more" in text
    assert "mounts 1" in text, errors


@needs_root
def test_a_mount_under_another_is_told(tmp_path: Path) -> None:
    fix, undo = argv(tmp_path, tracefs=True), argv(tmp_path, tracefs=True, do="undo")
    over = "mount -t tmpfs none /sys/kernel/tracing"
    text, errors = tracing(tmp_path, fix, over, undo, COUNT, "umount /sys/kernel/tracing", undo, COUNT)
    assert "mounted over it" in errors
    assert text.index("mounts 1") < text.index("mounts 0")


@needs_root
def test_a_mount_in_use_stays_until_it_is_not(tmp_path: Path) -> None:
    fix, undo = argv(tmp_path, tracefs=True), argv(tmp_path, tracefs=True, do="undo")
    hold = f"sleep {2 * HANG} < /sys/kernel/tracing/README & pid=$!"
    text, errors = tracing(tmp_path, fix, hold, undo, COUNT, "kill $pid; wait $pid", undo, COUNT)
    assert "end it, then undo again" in errors
    assert text.index("mounts 1") < text.index("mounts 0")


@needs_root
def test_a_mount_in_another_namespace_is_told_while_that_lives(tmp_path: Path) -> None:
    case(tmp_path)
    fix, undo = argv(tmp_path, tracefs=True), argv(tmp_path, tracefs=True, do="undo")
    inside = f"{HIDE}; {shlex.join(fix)}; : > {tmp_path}/fixed; exec sleep {2 * HANG}"
    text, errors = tracing(
        tmp_path,
        f"unshare -m --propagation private sh -c {shlex.quote(inside)} & pid=$!",
        f"while [ ! -e {tmp_path}/fixed ]; do sleep 0.2; done",
        undo,
        "kill $pid; wait $pid",
        undo,
    )
    assert "another mount namespace" in errors and "nsenter" in errors
    assert "not mounted any more" in text


# -- the order -------------------------------------------------------------------------------------------------------


@needs_root
def test_what_a_link_needs_stays_with_it(tmp_path: Path) -> None:
    """The link's file system has become read-only: neither goes; later both do."""
    one = case(tmp_path, euid=0)
    before = snapshot(tmp_path)
    assert Run(one).fix(yes=True, options={"link": True}) == exits.READY
    [tree] = trees(one)
    lib, undo = tmp_path / "lib", argv(tmp_path, do="undo")
    result = elsewhere(f"mount --bind {lib} {lib}; mount -o remount,ro,bind {lib}", undo)
    assert "Read-only file system" in result.stderr and "needs it" in result.stderr
    assert result.returncode == exits.FAILED
    assert tree.is_dir()
    assert Run(one).fix(undo=True, yes=True) == exits.READY
    assert snapshot(tmp_path) == before


# -- pruning ---------------------------------------------------------------------------------------------------------


def test_pruning_removes_what_is_for_kernels_that_are_gone(tmp_path: Path) -> None:
    one = case(tmp_path)
    run = Run(one)
    run.fix(yes=True)
    [mine] = trees(one)
    headers, kept = one.places.headers, one.places.modules / "6.1.0-kept"
    kept.mkdir(parents=True)
    for release in ("6.1.0-kept", "6.1.0-gone"):
        write_tree(headers / tree_name(release, archive(release)), release)
    (headers / ".kdiag-old-0123456789abcdef").mkdir()
    os.utime(headers / ".kdiag-old-0123456789abcdef", (0, 0))
    one.places.btf.mkdir()
    for name in ("6.1.0-kept-0123456789ab.btf", "6.1.0-gone-0123456789ab.btf"):
        (one.places.btf / name).write_bytes(btf())
    assert run.fix(prune=True, yes=True) == exits.READY, run.errors
    assert {p.name[:10] for p in trees(one)} == {mine.name[:10], "6.1.0-kept"}
    assert [p.name for p in one.places.btf.iterdir()] == ["6.1.0-kept-0123456789ab.btf"]
    assert entries(run) == ["kheaders.extract-module"]


def test_what_was_pruned_is_not_undone(tmp_path: Path) -> None:
    one = case(tmp_path)
    run = Run(one)
    run.fix(yes=True)
    newer = case(tmp_path, release="6.13.0-test")
    assert Run(newer).fix(prune=True, yes=True) == exits.READY
    assert trees(one) == []
    assert entries(run) == []


def test_nothing_to_prune(tmp_path: Path) -> None:
    run = Run(case(tmp_path))
    run.fix(yes=True)
    before = snapshot(tmp_path)
    assert run.fix(prune=True) == exits.READY
    assert "Nothing to prune" in run.text
    assert snapshot(tmp_path) == before
