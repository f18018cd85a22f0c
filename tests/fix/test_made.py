"""Directories made on the way: an undo removes the very ones, empty, and no other that merely stands there."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from kdiag.console import exits
from kdiag.fix.effects import BadEffect, Unpacked, from_json, to_json, without_identity
from kdiag.fix.journal import Journal
from kdiag.fix.store.lock import discard
from kdiag.fix.store.made import identified, missing, sweep, take_away
from tests.support.fix_runs import NOBODY, Run, needs_root, trees
from tests.support.fixable_machine import case, snapshot
from tests.support.waiting import utc

NOW = utc(3600, "%Y-%m-%dT%H:%M:%SZ")
LONG_AGO = "2001-01-01T00:00:00Z"


def make(tmp_path: Path) -> tuple[Path, tuple[str, ...]]:
    place = tmp_path / "a" / "b" / "c"
    names = missing(place)
    place.mkdir(parents=True)
    return place, names


def test_they_are_noted_with_what_tells_them_from_others(tmp_path: Path) -> None:
    place, names = make(tmp_path)
    assert names == (str(tmp_path / "a"), str(tmp_path / "a" / "b"), str(place))
    noted = identified(names)
    assert tuple(map(without_identity, noted)) == names
    assert noted[-1].split(" ")[0] == f"{place.stat().st_dev}:{place.stat().st_ino}"
    assert identified(noted) == noted
    assert identified((str(tmp_path / "is-not-there"),)) == (str(tmp_path / "is-not-there"),)


def test_the_very_ones_go(tmp_path: Path) -> None:
    _, names = make(tmp_path)
    take_away(identified(names), same_boot=True)
    assert not (tmp_path / "a").exists()


def test_another_in_the_same_place_stays(tmp_path: Path) -> None:
    place, names = make(tmp_path)
    noted = identified(names)
    other = tmp_path / "other"
    other.mkdir()
    place.rename(tmp_path / "moved")
    other.rename(place)
    take_away(noted, since=LONG_AGO, same_boot=True)
    assert place.is_dir()


def test_one_of_another_file_system_stays_in_the_same_boot(tmp_path: Path) -> None:
    """Device numbers may be others after a reboot, inode numbers are not."""
    place, _ = make(tmp_path)
    info = place.stat()
    noted = (f"{info.st_dev + 1}:{info.st_ino} {place}",)
    take_away(noted, same_boot=True)
    assert place.is_dir()
    take_away(noted, same_boot=False)
    assert not place.exists()


def test_one_with_something_in_it_stays(tmp_path: Path) -> None:
    place, names = make(tmp_path)
    (place / "mine").touch()
    take_away(identified(names), same_boot=True)
    assert (place / "mine").exists()


def test_a_link_in_its_place_stays(tmp_path: Path) -> None:
    place, names = make(tmp_path)
    noted = identified(names)
    place.rename(tmp_path / "moved")
    place.symlink_to(tmp_path / "moved")
    take_away(noted, since=LONG_AGO)
    assert place.is_symlink() and (tmp_path / "moved").is_dir()


@needs_root
def test_one_of_another_user_stays(tmp_path: Path) -> None:
    place, names = make(tmp_path)
    os.chown(place, NOBODY, NOBODY)
    take_away(identified(names), same_boot=True)
    assert place.is_dir()


def test_known_by_path_alone_only_what_is_new_goes(tmp_path: Path) -> None:
    """After a change that was cut short."""
    place, names = make(tmp_path)
    take_away(names)
    take_away(names, since=NOW)
    take_away(names, since="not a time")
    assert place.is_dir()
    take_away(names, since=LONG_AGO)
    assert not (tmp_path / "a").exists()


def test_an_empty_directory_that_a_journal_merely_names_stays(tmp_path: Path) -> None:
    """It was there long before the change, and is above what was made."""
    one = case(tmp_path)
    run = Run(one)
    assert run.fix(yes=True) == exits.READY
    journal = Journal(one.places.journal)
    [entry] = journal.entries()
    assert isinstance(entry.effect, Unpacked)
    canary = tmp_path / "canary"
    (canary / "kdiag" / "headers").mkdir(parents=True)
    target = f"{canary}/kdiag/headers/6.1-0123456789ab"
    named = (str(canary), f"{canary}/kdiag", f"{canary}/kdiag/headers")
    other = os.stat(tmp_path)
    forged = tuple(f"{other.st_dev}:{other.st_ino} {name}" for name in named)
    effect = replace(entry.effect, target=target, made=named)
    journal.done(journal.begin("forged", effect, "boot"), replace(effect, made=forged))
    assert Run(one).fix(undo=True, yes=True) == exits.READY
    assert trees(one) == []
    assert (canary / "kdiag" / "headers").is_dir()


def test_the_stores_own_go_by_their_place(tmp_path: Path) -> None:
    one = case(tmp_path)
    one.places.headers.mkdir(parents=True)
    elsewhere = tmp_path / "cache" / "other" / "kdiag" / "headers"
    elsewhere.mkdir(parents=True)
    sweep(one.places)
    assert not one.places.headers.parent.exists() and elsewhere.is_dir()


def test_a_lock_that_names_a_directory_of_others(tmp_path: Path) -> None:
    """The lock's file names what was made for it, too."""
    state = tmp_path / "canary" / "state" / "kdiag"
    state.mkdir(parents=True, mode=0o700)
    lock = state / "lock"
    lock.write_bytes(
        b"\0".join((b"1", os.fsencode(tmp_path / "canary"), os.fsencode(tmp_path / "canary/state")))
    )
    discard(state)
    assert not state.exists() and (tmp_path / "canary" / "state").is_dir()
    state.mkdir(mode=0o700)
    noted = identified((str(tmp_path / "canary"), str(tmp_path / "canary" / "state")))
    lock.write_bytes(b"\0".join((b"1", *map(os.fsencode, noted))))
    discard(state)
    assert not (tmp_path / "canary").exists()


def test_directories_of_a_killed_run_go(tmp_path: Path) -> None:
    """Announced, made, and not noted: by their path, since they are new."""
    one = case(tmp_path)
    (tmp_path / "cache").rmdir()
    before = snapshot(tmp_path)
    assert Run(one).fix(yes=True) == exits.READY
    journal = one.places.journal
    journal.write_bytes(journal.read_bytes().partition(b"\n")[0] + b"\n")
    assert Run(one).fix(undo=True, yes=True) == exits.READY
    after = snapshot(tmp_path)
    for name in ("state/kdiag", "state/kdiag/lock"):
        before.pop(name, None)
        after.pop(name, None)
    assert after == before


@pytest.mark.parametrize("made", ["1:2 /etc", "1:2 cache", "x:2 /var", "1:2", "-1:2 /var", "1:2  /var"])
def test_notes_that_kdiag_does_not_make(made: str) -> None:
    effect = Unpacked("/var/cache/kdiag/headers/6.1-0123456789ab", "/x", (made,))
    with pytest.raises(BadEffect):
        from_json(to_json(effect))
