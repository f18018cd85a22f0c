"""The store of header trees: where it is, what is sound in it, what is refuse."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from kdiag.fix.errors import FixError, from_os_error
from kdiag.fix.store import trees as store
from tests.support import waiting
from tests.support.headers_archive import NOBODY, RELEASE, forked, write_tree
from tests.support.needs import need_root
from tests.support.steps import calls

SYSTEM = Path("/var/cache/kdiag/headers")


# -- where -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "own"),
    [
        ({"HOME": "/home/u"}, "/home/u/.cache/kdiag/headers"),
        ({"HOME": "/home/u", "XDG_CACHE_HOME": "/scratch/u"}, "/scratch/u/kdiag/headers"),
        ({"HOME": "/home/u", "XDG_CACHE_HOME": "cache"}, "/home/u/.cache/kdiag/headers"),
        ({"HOME": "/home/u", "XDG_CACHE_HOME": ""}, "/home/u/.cache/kdiag/headers"),
    ],
)
def test_a_users_base_is_the_xdg_specifications(env: dict[str, str], own: str) -> None:
    assert store.bases(1000, env) == (SYSTEM, Path(own))
    assert store.own_base(1000, env) == Path(own)


def test_root_does_not_ask_the_environment_which_may_be_another_users() -> None:
    env = {"HOME": "/home/u", "XDG_CACHE_HOME": "/home/u/.cache"}
    assert store.bases(0, env) == (SYSTEM,)
    assert store.own_base(0, env) == SYSTEM


def test_a_user_without_a_home() -> None:
    nobody_has_this = 4_000_000_001
    assert store.bases(nobody_has_this, {"HOME": "relative"}) == (SYSTEM,)
    with pytest.raises(FixError, match="no home directory"):
        store.own_base(nobody_has_this, {})


def test_tree_name() -> None:
    # echo -n abc | sha256sum
    assert store.tree_name(RELEASE, b"abc") == f"{RELEASE}-ba7816bf8f01"
    for release in ("../../etc", "a/b", "", ".hidden", "a b", "a\nb", "-rf", "x" * 300, "é"):
        with pytest.raises(FixError, match="is not a kernel release"):
            store.tree_name(release, b"abc")


# -- sound or not ------------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A sound tree."""
    return write_tree(tmp_path / "base" / f"{RELEASE}-0123456789ab")


def test_a_sound_tree(tree: Path) -> None:
    assert store.validate(tree, RELEASE, "x86") == ""


@pytest.mark.parametrize(
    "name",
    [
        "include/linux/kconfig.h",
        "include/linux/types.h",
        "include/generated/autoconf.h",
        "include/generated/utsrelease.h",
        "include/generated/uapi/linux/version.h",
    ],
)
def test_what_must_be_there(tree: Path, name: str) -> None:
    (tree / name).write_bytes(b"")
    assert store.validate(tree, RELEASE, "x86") == f"{name} is empty"
    (tree / name).unlink()
    assert store.validate(tree, RELEASE, "x86") == f"there is no {name} in it"
    (tree / name).symlink_to("/etc/passwd")
    assert store.validate(tree, RELEASE, "x86") == f"{name} is not a file"


def test_version_h_where_it_was_before_3_7(tree: Path) -> None:
    (tree / "include/generated/uapi/linux/version.h").rename(tree / "include/linux/version.h")
    assert store.validate(tree, RELEASE, "x86") == ""


def test_another_release_or_architecture(tree: Path) -> None:
    assert store.validate(tree, "6.1.0", "x86") == f"it is of {RELEASE}, not of 6.1.0"
    assert "it is for x86" in store.validate(tree, RELEASE, "arm64")
    (tree / "include/generated/utsrelease.h").write_text("#define SOMETHING 1\n")
    assert store.validate(tree, RELEASE, "x86") == f"it is of an unknown release, not of {RELEASE}"


def test_not_a_directory_not_there(tree: Path, tmp_path: Path) -> None:
    link = tree.with_name(f"{RELEASE}-000000000000")
    link.symlink_to(tree)
    assert store.validate(link, RELEASE, "x86") == f"{link} is not a directory"
    absent = tmp_path / "absent" / "tree"
    assert "No such file" in store.validate(absent, RELEASE, "x86")
    assert "not an absolute path" in store.validate(Path("tree/here"), RELEASE, "x86")


@pytest.mark.parametrize("what", ["", "..", "include/linux/types.h", "arch/x86"])
def test_what_others_can_write_to(tree: Path, what: str) -> None:
    path = (tree / what).resolve()
    mode = path.stat().st_mode
    path.chmod(mode | 0o002)
    assert "is writable by every user" in store.validate(tree, RELEASE, "x86")
    assert store.find(RELEASE, "x86", (tree.parent,)) is None
    path.chmod(mode)
    assert store.validate(tree, RELEASE, "x86") == ""


def test_what_belongs_to_others(tree: Path) -> None:
    need_root()
    for path in (tree, tree.parent, tree / "include/linux/kconfig.h", tree / "arch"):
        os.chown(path, NOBODY, NOBODY)
        assert f"belongs to uid {NOBODY}" in store.validate(tree, RELEASE, "x86")
        os.chown(path, 0, 0)
    os.chown(tree, 0, NOBODY)
    tree.chmod(0o775)
    assert f"writable by the group {NOBODY}" in store.validate(tree, RELEASE, "x86")


def test_a_sticky_parent_is_like_tmp(tree: Path) -> None:
    tree.parent.chmod(0o1777)
    assert store.validate(tree, RELEASE, "x86") == ""


def test_a_user_trusts_root_and_itself(tree: Path) -> None:
    """With a private group as well, where the umask is 002 (Fedora's and Debian's user groups)."""
    need_root()
    place = Path(f"/run/kdiag-test-{os.getpid()}")
    write_tree(place / "tree")
    try:

        def work() -> str:
            return store.validate(place / "tree", RELEASE, "x86") or "sound"

        assert work() == "sound"
        assert forked(work, NOBODY) == "sound"
        for path in (place / "tree").rglob("*"):
            os.chown(path, NOBODY, NOBODY)
        os.chown(place / "tree", NOBODY, NOBODY)
        (place / "tree").chmod(0o775)
        assert forked(work, NOBODY) == "sound"
        assert forked(work, NOBODY - 1).endswith(f"belongs to uid {NOBODY}")
    finally:
        import shutil

        shutil.rmtree(place)


# -- finding -----------------------------------------------------------------------------------------------------


def test_find_takes_the_newest_sound_tree_of_the_first_base(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert store.find(RELEASE, "x86", (first, second)) is None
    late = write_tree(second / f"{RELEASE}-aaaaaaaaaaaa")
    assert store.find(RELEASE, "x86", (first, second)) == late
    old, new = write_tree(first / f"{RELEASE}-bbbbbbbbbbbb"), write_tree(first / f"{RELEASE}-000000000000")
    os.utime(old, (1, 1))
    os.utime(new, (2, 2))
    assert store.find(RELEASE, "x86", (first, second)) == new
    os.utime(old, (3, 3))
    assert store.find(RELEASE, "x86", (first, second)) == old
    (old / "include/linux/kconfig.h").unlink()
    assert store.find(RELEASE, "x86", (first, second)) == new
    assert store.find(RELEASE, "arm64", (first, second)) is None
    assert store.find("6.12.107-test", "x86", (first, second)) is None


def test_find_does_not_take_names_that_are_not_the_stores(tmp_path: Path) -> None:
    for name in (RELEASE, f"{RELEASE}-xyz", f".{RELEASE}-aaaaaaaaaaaa", ".kdiag-new-0123456789abcdef"):
        write_tree(tmp_path / name)
    assert store.find(RELEASE, "x86", (tmp_path,)) is None


def test_find_does_not_walk_the_tree(tree: Path) -> None:
    """It is a part of `kdiag env`, and a tree has seven thousand files: a few named ones are looked at."""
    assert store.find(RELEASE, "x86", (tree.parent,)) == tree
    before = calls(lambda: store.find(RELEASE, "x86", (tree.parent,)))
    for number in range(100):
        (tree / "include" / "linux" / f"{number}.h").touch()
        (tree / "include" / f"{number}").mkdir()
    assert calls(lambda: store.find(RELEASE, "x86", (tree.parent,))) <= before + 10


# -- refuse ------------------------------------------------------------------------------------------------------


def unfinished(base: Path, kind: str = "new", *, age: float = 60) -> Path:
    path = base / store.unfinished_name(kind)
    (path / "include").mkdir(parents=True)
    waiting.age(path, age)
    return path


def test_stale_trees_and_leftovers(tmp_path: Path) -> None:
    kept = write_tree(tmp_path / f"{RELEASE}-aaaaaaaaaaaa")
    gone = write_tree(tmp_path / "6.1.0-9-amd64-bbbbbbbbbbbb", "6.1.0-9-amd64")
    new, old = unfinished(tmp_path), unfinished(tmp_path, "old")
    (tmp_path / "notes").mkdir()
    (tmp_path / "6.2.0-cccccccccccc").write_text("a file")
    (tmp_path / "6.3.0-dddddddddddd").symlink_to("/etc")
    assert set(store.stale(tmp_path, {RELEASE})) == {gone, new, old}
    assert set(store.leftovers(tmp_path)) == {new, old}
    assert set(store.stale(tmp_path, ())) == {kept, gone, new, old}
    assert store.stale(tmp_path / "absent", ()) == []


def test_what_is_being_made_is_not_stale(tmp_path: Path) -> None:
    young, locked = unfinished(tmp_path, age=0), unfinished(tmp_path, age=100_000)
    fd = os.open(locked, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    assert store.stale(tmp_path, ()) == []
    os.close(fd)
    assert store.stale(tmp_path, ()) == [locked]
    assert young.exists()


def test_others_trees_are_not_ours_to_judge(tmp_path: Path) -> None:
    need_root()
    tree, left = write_tree(tmp_path / "6.1.0-bbbbbbbbbbbb"), unfinished(tmp_path)
    for path in (tree, left):
        os.chown(path, NOBODY, NOBODY)
    assert store.stale(tmp_path, ()) == []
    with pytest.raises(FixError, match=f"not a directory of ours .uid {NOBODY}"):
        store.remove(tree)
    assert tree.exists()


def test_remove(tmp_path: Path) -> None:
    tree, left = write_tree(tmp_path / f"{RELEASE}-aaaaaaaaaaaa"), unfinished(tmp_path)
    store.remove(tree)
    store.remove(left)
    store.remove(tree)
    assert os.listdir(tmp_path) == []


def test_remove_removes_nothing_else(tmp_path: Path) -> None:
    outside = write_tree(tmp_path / "outside")
    base = tmp_path / "base"
    base.mkdir()
    (base / "6.1.0-aaaaaaaaaaaa").symlink_to(outside)
    (base / "6.2.0-bbbbbbbbbbbb").write_text("mine")
    (base / "notes").mkdir()
    for name in ("6.1.0-aaaaaaaaaaaa", "6.2.0-bbbbbbbbbbbb", "notes", "..", "6.1.0-aaaaaaaaaaaa/include"):
        with pytest.raises(FixError, match="it stays"):
            store.remove(base / name)
    assert sorted(os.listdir(base)) == ["6.1.0-aaaaaaaaaaaa", "6.2.0-bbbbbbbbbbbb", "notes"]
    assert store.validate(outside, RELEASE, "x86") == ""


def test_remove_follows_no_link_out_of_the_tree(tmp_path: Path) -> None:
    outside = write_tree(tmp_path / "outside")
    tree = write_tree(tmp_path / "base" / f"{RELEASE}-aaaaaaaaaaaa")
    (tree / "include" / "out").symlink_to(outside)
    store.remove(tree)
    assert os.listdir(tmp_path / "base") == [] and store.validate(outside, RELEASE, "x86") == ""


def test_system_errors_in_words(tmp_path: Path) -> None:
    """Those that cannot be brought about in a test."""
    import errno

    assert "quota" in from_os_error(OSError(errno.EDQUOT, "x"), tmp_path).message
    said = from_os_error(OSError(errno.EIO, os.strerror(errno.EIO), "some/file"), tmp_path)
    assert said.message == f"cannot write to {tmp_path}: Input/output error (some/file)"
