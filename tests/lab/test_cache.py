"""The cache: complete or absent, made once, least recently used goes first."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import waiting
from tests.support.waiting import pause

from . import cache
from .errors import LabError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KDIAG_LAB_CACHE", str(tmp_path))
    return tmp_path


def test_what_is_made_is_made_once() -> None:
    made = []

    def make(path: Path) -> None:
        made.append(path)
        path.write_text("x")

    first = cache.obtain("things", "one", {"a": 1}, make, ".txt")
    assert cache.obtain("things", "one", {"a": 1}, make, ".txt") == first
    assert len(made) == 1
    assert first.read_text() == "x"
    assert cache.obtain("things", "one", {"a": 2}, make, ".txt") != first


def test_a_recipe_has_one_digest_in_any_order() -> None:
    assert cache.digest({"a": 1, "b": [2]}) == cache.digest({"b": [2], "a": 1})
    assert cache.digest({"a": 1}) != cache.digest({"a": "1"})


def test_a_failed_make_leaves_nothing(home: Path) -> None:
    def make(path: Path) -> None:
        path.mkdir()
        (path / "half").write_text("half")
        raise LabError("interrupted")

    with pytest.raises(LabError):
        cache.obtain("things", "one", {}, make)
    assert not cache.path_of("things", "one", {}).exists()
    assert list((home / "tmp").iterdir()) == []


def _die_half_way(path: Path) -> None:
    path.mkdir()
    (path / "half").write_text("half")
    os._exit(9)  # as `kill -9` would: nothing is cleaned up


def test_a_killed_maker_is_made_good(home: Path) -> None:
    maker = multiprocessing.get_context("fork").Process(
        target=cache.obtain, args=("things", "one", {}, _die_half_way)
    )
    maker.start()
    maker.join()
    assert maker.exitcode == 9
    assert (home / f"tmp/things-one-44136fa355b3678a/{maker.pid}/half").exists()

    def make(path: Path) -> None:
        path.mkdir()  # fails if the leftover were still there
        (path / "whole").write_text("whole")

    place = cache.obtain("things", "one", {}, make)
    assert [child.name for child in place.iterdir()] == ["whole"]


def _make_slowly(path: Path) -> None:
    with path.open("a") as file:
        file.write("made\n")
    pause(0.5)  # time for the other one to come to the lock; the test holds whoever is first


def test_two_makers_make_one(home: Path) -> None:
    fork = multiprocessing.get_context("fork")
    makers = [fork.Process(target=cache.obtain, args=("things", "one", {}, _make_slowly)) for _ in range(2)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert [maker.exitcode for maker in makers] == [0, 0]
    assert cache.path_of("things", "one", {}).read_text() == "made\n"


def test_a_child_that_inherits_the_lock_holds_it(home: Path) -> None:
    with cache.locked("tree") as lock:
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(lock,))
    leftover = home / "tmp" / "tree"
    leftover.mkdir(parents=True)
    cache.clean()
    assert leftover.exists()
    child.communicate()
    cache.clean()
    assert not leftover.exists()


def _entry(home: Path, name: str, size: int, age: float) -> Path:
    path = home / "things" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x" * size)
    waiting.age(path, age)
    return path


def test_trim_removes_the_least_recently_used(home: Path) -> None:
    old, older, fresh = (
        _entry(home, "old", 40960, 7200),
        _entry(home, "older", 40960, 9000),
        _entry(home, "fresh", 40960, 10),
    )
    assert cache.trim(90000) == [older]
    assert old.exists() and fresh.exists()
    assert cache.trim(0) == [old]  # what was used a moment ago may be open in a guest
    assert fresh.exists()


def test_clean_leaves_what_is_being_made(home: Path) -> None:
    done = _entry(home, "done", 4096, 7200)
    half = home / "tmp" / "things-half"
    half.parent.mkdir()
    half.write_text("half")
    with cache.locked("things-half"):
        cache.clean()
        assert half.exists()
    assert not done.exists()
    cache.clean()
    assert not half.exists()


def test_clean_of_one_kind(home: Path) -> None:
    kept = _entry(home, "kept", 4096, 7200)
    assert cache.clean("others") == 0
    assert kept.exists()
    assert cache.clean("things") == 4096
    assert not kept.exists()


@pytest.mark.parametrize(
    ("text", "size"), [("512", 512), ("1K", 1024), ("2.5M", 2621440), ("12GiB", 12 * 2**30)]
)
def test_sizes(text: str, size: int) -> None:
    assert cache.parse_size(text) == size


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=12))
def test_a_size_is_a_number_or_an_error(text: str) -> None:
    with contextlib.suppress(LabError):
        assert cache.parse_size(text) >= 0
