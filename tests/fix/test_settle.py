"""A tree whose maker was killed before all of it was on the disk: the next fix brings it there."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_faults import KILLED, scene

from kdiag.console import exits
from kdiag.fix.store import extract
from kdiag.fix.store import trees as store
from tests.support.fix_runs import NOTHING_DONE, run_fix, trees
from tests.support.fixable_machine import case, snapshot


@pytest.mark.parametrize("name", ["file", "load"])
@pytest.mark.parametrize("word", ["made", "done"])
def test_the_next_fix_brings_it_to_the_disk(tmp_path: Path, name: str, word: str) -> None:
    words = scene(tmp_path, name)
    step = "kheaders.extract-module" if name == "file" else "kheaders.extract"
    before = snapshot(tmp_path)
    assert run_fix(tmp_path, **words, kill=f"{step} {word}").returncode == KILLED
    [tree] = trees(case(tmp_path))
    # As it is left on a slow disk; a fast one may have been ready before the end came.
    (tree / store.UNSETTLED).write_bytes(store.boot_id())
    assert run_fix(tmp_path, **words).returncode in NOTHING_DONE
    assert trees(case(tmp_path)) == [tree]
    assert not (tree / store.UNSETTLED).exists()
    assert run_fix(tmp_path, **words, do="undo").returncode == exits.READY
    assert snapshot(tmp_path) == before


def test_a_fix_with_nothing_to_do_brings_it_to_the_disk(tmp_path: Path) -> None:
    words = scene(tmp_path, "file")
    assert run_fix(tmp_path, **words).returncode == exits.READY
    [tree] = trees(case(tmp_path))
    (tree / store.UNSETTLED).write_bytes(store.boot_id())
    assert run_fix(tmp_path, **words).returncode in NOTHING_DONE
    assert not (tree / store.UNSETTLED).exists()


def test_what_another_user_made_is_left_to_him(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / store.UNSETTLED).write_bytes(store.boot_id())
    monkeypatch.setattr("os.geteuid", lambda: tmp_path.stat().st_uid + 1)
    extract.settle(tmp_path)
    extract.settle(tmp_path / "is-not-there")
    assert (tmp_path / store.UNSETTLED).exists()
