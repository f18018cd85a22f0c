"""Many at once: one does the work, the others wait and find it done; fixing and undoing do not mix."""

from __future__ import annotations

import os
import random
import subprocess
import threading
from pathlib import Path

import pytest

from kdiag.console import exits
from kdiag.fix.errors import FixError
from kdiag.fix.journal import Journal
from kdiag.fix.store.lock import discard, locked
from tests.support.fix_runs import NOTHING_DONE, argv, run_fix, trees
from tests.support.fixable_machine import RELEASE, case, snapshot
from tests.support.waiting import HANG, pause

WORDS: dict[str, object] = {
    "variants": ["loadable"],
    "changes": {"euid": 0},
    "options": {"load": True, "link": True},
}


def counting(home: Path) -> Path:
    """Let the module's program write down how often it is called."""
    case(home, "loadable", euid=0)
    script, calls = home / "bin" / "modprobe", home / "calls"
    head, _, body = script.read_text().partition("\n")
    script.write_text(f'{head}\necho "$@" >> {calls}\n{body}')
    return calls


def start(home: Path, **words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        argv(home, **WORDS, **words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.parametrize("number", [2, 8, 30])
def test_many_fix_at_once(tmp_path: Path, number: int) -> None:
    calls = counting(tmp_path)
    before = snapshot(tmp_path)
    running = [start(tmp_path) for _ in range(number)]
    texts = [process.communicate(timeout=HANG)[0] for process in running]
    # One of them does it; the others find it done, and say what this machine lacks besides.
    assert {process.returncode for process in running} <= {*NOTHING_DONE}, texts
    assert exits.READY in [process.returncode for process in running], texts
    assert calls.read_text() == "kheaders\n"
    assert sum("done: Link" in text for text in texts) == 1
    assert len(trees(case(tmp_path))) == 1
    entries = Journal(case(tmp_path).places.journal).entries()
    assert [entry.step for entry in entries] == ["kheaders.load", "kheaders.extract", "headers.link"]
    assert all(entry.finished for entry in entries)
    calls.unlink()
    assert run_fix(tmp_path, **WORDS, do="undo").returncode == exits.READY
    calls.unlink()
    assert snapshot(tmp_path) == before


def test_many_undo_at_once(tmp_path: Path) -> None:
    counting(tmp_path)
    before = snapshot(tmp_path)
    run_fix(tmp_path, **WORDS)
    running = [start(tmp_path, do="undo") for _ in range(8)]
    texts = [process.communicate(timeout=HANG)[0] for process in running]
    assert [process.returncode for process in running] == [exits.READY] * 8, texts
    (tmp_path / "calls").unlink()
    assert snapshot(tmp_path) == before


def test_fixing_undoing_and_dying_at_once(tmp_path: Path) -> None:
    """Whatever the order: no traceback, a journal that is whole, and one undo brings everything back."""
    counting(tmp_path)
    before = snapshot(tmp_path)
    chance = random.Random(6)
    running = []
    for _ in range(12):
        words: dict[str, object] = {"do": chance.choice(["fix", "undo"])}
        if chance.random() < 0.4:
            words["kill"] = chance.choice(
                ["kheaders.load made", "kheaders.extract midway", "headers.link undone"]
            )
        running.append(start(tmp_path, **words))
        pause(chance.random() / 5)
    for process in running:
        text = process.communicate(timeout=HANG)[0]
        assert "Traceback" not in text
        # A plan may have lost its ground since it was shown: that is a failure, and nothing is left of it.
        assert process.returncode in (*NOTHING_DONE, exits.FAILED, -9), text
    Journal(case(tmp_path).places.journal).entries()
    assert run_fix(tmp_path, **WORDS).returncode in NOTHING_DONE
    assert (tmp_path / "lib" / "modules" / RELEASE / "build").resolve() == trees(case(tmp_path))[0]
    assert run_fix(tmp_path, **WORDS, do="undo").returncode == exits.READY
    (tmp_path / "calls").unlink()
    assert snapshot(tmp_path) == before


# -- the lock alone --------------------------------------------------------------------------------------------------


def test_only_one_holds_it(tmp_path: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        with locked(tmp_path / "kdiag"):
            inside += 1
            most = max(most, inside)
            pause(0.01)
            inside -= 1
            discard(tmp_path / "kdiag")

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert list(tmp_path.iterdir()) == []


def test_directories_that_were_made_for_it_go_with_it(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    state = tmp_path / "home" / ".local" / "state" / "kdiag"
    with locked(state):
        pass
    with locked(state):
        discard(state)
    assert list((tmp_path / "home").iterdir()) == []
    with locked(state):
        (state.parent / "other").mkdir()
        discard(state)
    assert [p.name for p in state.parent.iterdir()] == ["other"]


def test_patience_ends(tmp_path: Path) -> None:
    told: list[str] = []
    with (
        locked(tmp_path / "kdiag"),
        pytest.raises(FixError, match=f"pid {os.getpid()}"),
        locked(tmp_path / "kdiag", patience=0.2, waiting=told.append),
    ):
        pass
    assert len(told) == 1
    with locked(tmp_path / "kdiag"):
        pass


def test_what_others_keep_there_is_not_discarded(tmp_path: Path) -> None:
    with locked(tmp_path / "kdiag"):
        (tmp_path / "kdiag" / "journal").touch(0o600)
        discard(tmp_path / "kdiag")
    assert sorted(p.name for p in (tmp_path / "kdiag").iterdir()) == ["journal", "lock"]
