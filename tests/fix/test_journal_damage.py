"""A damaged journal: no bit of it can change, and no line can go, without kdiag saying so and leaving all alone."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_journal import EFFECTS, LINE, lines

from kdiag.console import exits
from kdiag.fix.effects import Installed, Json, to_json
from kdiag.fix.entries import Entry, parse
from kdiag.fix.errors import FixError
from kdiag.fix.journal import Journal
from kdiag.fix.lines import at_rest, end, sealed
from kdiag.fix.store.trees import tree_name
from tests.support.fix_runs import Run, trees
from tests.support.fixable_machine import Case, archive, case, snapshot
from tests.support.headers_archive import write_tree


def written(path: Path) -> bytes:
    """A journal with a change of every kind, one undone, the last one cut short."""
    journal = Journal(path)
    for effect in EFFECTS:
        journal.done(journal.begin("a.step", effect, "boot"), effect)
    journal.undone(journal.entries()[0])
    packages = Installed("apt-get", ("linux-headers-x",), before=("base-files", "dash"))
    entry = journal.begin("packages", packages, "boot")
    journal.done(entry, replace(packages, added=("gcc-x", "linux-headers-x")))
    journal.begin("cut.short", EFFECTS[4], "boot")
    return path.read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return written(tmp_path_factory.mktemp("journal") / "journal")


def forgotten(data: bytes, before: tuple[Entry, ...]) -> bool:
    """Whether a damaged journal passes for a good one that says something else."""
    try:
        after = parse(data, "journal")
    except FixError as error:
        assert re.search(r"journal: line \d+: ", error.message), error.message
        assert "nothing was touched" in error.hint and "then remove journal" in error.hint
        assert not at_rest(data)
        return False
    return after != before


@pytest.mark.slow
def test_every_bit(whole: bytes) -> None:
    before = parse(whole, "journal")
    for position in range(len(whole)):
        for bit in range(8):
            data = bytearray(whole)
            data[position] ^= 1 << bit
            assert not forgotten(bytes(data), before), (position, bit)


@pytest.mark.slow
def test_every_byte_that_is_lost_or_put_in(whole: bytes) -> None:
    before = parse(whole, "journal")
    for position in range(len(whole) - 1):
        assert not forgotten(whole[:position] + whole[position + 1 :], before), position
        assert not forgotten(whole[:position] + b"7" + whole[position:], before), position


def test_every_line_that_is_lost_doubled_or_moved(whole: bytes) -> None:
    """But for the last one: without it the journal is what a crash before it would have left."""
    before = parse(whole, "journal")
    some = whole.splitlines(keepends=True)
    for at in range(len(some) - 1):
        rest = some[:at] + some[at + 1 :]
        assert forgotten(b"".join(rest), before) is False
        for to in range(len(some)):
            moved = [*rest[:to], some[at], *rest[to:]]
            assert to == at or not forgotten(b"".join(moved), before), (at, to)
            doubled = [*some[:to], some[at], *some[to:]]
            assert not forgotten(b"".join(doubled), before), (at, to)


def test_a_line_of_another_journal(whole: bytes, tmp_path: Path) -> None:
    other = written(tmp_path / "journal").splitlines(keepends=True)
    for at, line in enumerate(whole.splitlines(keepends=True)):
        mixed = whole.splitlines(keepends=True)
        mixed[at] = other[at]
        assert line != other[at] and not forgotten(b"".join(mixed), parse(whole, "journal"))


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_any_damage(whole: bytes, data: st.DataObject) -> None:
    """Any stretch replaced by any other: of the same bytes, of zeros, of a hole of the disk."""
    start = data.draw(st.integers(0, len(whole) - 2))
    stop = data.draw(st.integers(start, len(whole) - 1))
    length = stop - start
    filling = st.one_of(
        st.binary(max_size=64), st.just(bytes(length)), st.just(b"\xff" * length), st.just(whole[:length])
    )
    damaged = whole[:start] + data.draw(filling) + whole[stop:]
    assert damaged == whole or not forgotten(damaged, parse(whole, "journal"))


@pytest.mark.slow
def test_cut_anywhere_it_is_what_a_crash_leaves(whole: bytes) -> None:
    """The lines that are whole count, the torn one does not, and the next line is written after them."""
    for length in range(len(whole)):
        cut = whole[:length]
        complete = whole[: whole.rfind(b"\n", 0, length) + 1]
        assert parse(cut, "journal") == parse(complete, "journal")
        assert end(cut) == len(complete)


@pytest.mark.parametrize("tail", [bytes(300), b"\0", b"{", b'{"event":"done","id":"'], ids=repr)
def test_what_a_crash_leaves_behind_the_last_line(whole: bytes, tail: bytes) -> None:
    assert parse(whole + tail, "journal") == parse(whole, "journal")


def test_nothing_is_added_to_a_damaged_one(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    damaged = whole.replace(b'"before":["base', b'"before":["bare', 1)
    path.write_bytes(damaged)
    path.chmod(0o600)
    with pytest.raises(FixError, match=r"line \d+: its checksum is wrong"):
        Journal(path).begin("a.step", EFFECTS[2], "boot")
    assert path.read_bytes() == damaged


def test_at_rest_is_what_the_entries_say(whole: bytes) -> None:
    """The quick look agrees with the thorough one, after each line."""
    some = whole.splitlines(keepends=True)
    for count in range(len(some) + 1):
        data = b"".join(some[:count])
        assert at_rest(data) == all(entry.finished for entry in parse(data, "journal"))


# -- journals of the first version -----------------------------------------------------------------------------------


def first_version(*effects: Json) -> bytes:
    """As it was written: no checksums, all of the effect at the end once more."""
    text = b""
    for number, effect in enumerate(effects):
        known = {"id": f"{number:016x}", "effect": effect}
        begin = {"event": "begin", "version": 1, "step": "a.step", "boot": "b", "at": "2026-01-31T12:00:00Z"}
        for line in ({**begin, **known}, {"event": "done", **known}):
            text += json.dumps(line, separators=(",", ":")).encode() + b"\n"
    return text


def old(effect: Json) -> Json:
    assert isinstance(effect, dict)
    return {name: value for name, value in effect.items() if name != "before"}


def test_a_journal_of_before_is_read(tmp_path: Path) -> None:
    data = first_version(*(old(to_json(effect)) for effect in EFFECTS))
    assert tuple(entry.effect for entry in parse(data, "journal")) == EFFECTS
    assert at_rest(data)
    assert at_rest(data[: data[:-1].rfind(b"\n") + 1]) is False


@pytest.mark.slow
def test_a_journal_of_before_is_guarded_by_the_first_line_added(tmp_path: Path) -> None:
    data = first_version(*(old(to_json(effect)) for effect in EFFECTS))
    path = tmp_path / "journal"
    path.write_bytes(data)
    path.chmod(0o600)
    Journal(path).begin("a.step", EFFECTS[2], "boot")
    longer = path.read_bytes()
    before = parse(longer, "journal")
    assert len(before) == len(EFFECTS) + 1
    for position in range(len(data)):
        damaged = bytearray(longer)
        damaged[position] ^= 1
        assert not forgotten(bytes(damaged), before)
    assert not forgotten(longer + first_version(to_json(EFFECTS[2])), before)


def test_what_only_the_first_version_may_say() -> None:
    second = {**LINE, "version": 2}
    for data in (
        lines(second),
        lines(LINE).replace(b'"version": 1', b'"version": 1.0'),
        lines(LINE).replace(b'"version": 1', b'"version": true'),
        lines({**LINE, "sum": "01234567"}),
        sealed(json.dumps({**second, "more": 1}).encode(), b""),
        sealed(json.dumps({**second, "version": 3}).encode(), b""),
    ):
        with pytest.raises(FixError, match="line 1"):
            parse(data, "journal")
    assert parse(sealed(json.dumps(second).encode(), b""), "journal")


@pytest.mark.parametrize("name", ["sh", "snap", "apt", "rpm -e"])
def test_a_package_manager_that_kdiag_does_not_know(name: str) -> None:
    effect = {**old(to_json(Installed("apt-get", ("x",), ("libc6",)))), "manager": name}  # type: ignore[dict-item]
    with pytest.raises(FixError, match=r"line 1: .* is not a package manager that kdiag knows"):
        parse(first_version(effect), "journal")


def test_an_end_that_belongs_to_something_else() -> None:
    for news in (
        {"target": "/var/cache/kdiag/headers/6.12.107-0123456789ac"},
        {"origin": "/sys"},
        {"made": ["/var"]},
    ):
        done = {"event": "done", "id": LINE["id"], "effect": {"kind": "tree", **news}}
        with pytest.raises(FixError, match="line 2: the end of something else"):
            parse(lines(LINE, done), "journal")


# -- the command -----------------------------------------------------------------------------------------------------


def fixed(tmp_path: Path) -> tuple[Run, Case]:
    one = case(tmp_path, euid=0)
    run = Run(one)
    assert run.fix(yes=True, options={"link": True}) == exits.READY, run.errors
    return run, one


def test_one_changed_digit_of_a_tree(tmp_path: Path) -> None:
    """The tree that is meant, and one that it would become: both stay, and so does the journal."""
    _, one = fixed(tmp_path)
    [tree] = trees(one)
    other = tree.with_name(tree.name[:-1] + ("a" if tree.name[-1] != "a" else "b"))
    write_tree(other, "6.12.107-test")
    journal = one.places.journal
    journal.write_bytes(journal.read_bytes().replace(tree.name.encode(), other.name.encode(), 1))
    before = snapshot(tmp_path)
    for words in ({"undo": True}, {"prune": True}, {"options": {"packages": True}}):
        again = Run(one)
        status = again.fix(yes=True, **words)
        if "prune" in words:
            assert status == exits.READY  # nothing is there to prune
            continue
        assert status == exits.FAILED, words
        assert f"{journal}: line 1: " in again.errors
    assert snapshot(tmp_path) == before


def positions(data: bytes) -> Iterator[tuple[int, int]]:
    rng = random.Random(9)
    for position in range(len(data)):
        yield position, 1 << rng.randrange(8)


def test_no_undo_that_succeeds_forgets_anything(tmp_path: Path) -> None:
    """A bit of every seventh byte: refused, and all stays; or undone, and all is gone."""
    empty = case(tmp_path, euid=0)
    gone = snapshot(tmp_path)
    run, one = fixed(tmp_path)
    assert one.places == empty.places
    journal, before = one.places.journal, snapshot(tmp_path)
    whole = journal.read_bytes()
    refused = 0
    for position, bit in [*positions(whole)][::7]:
        data = bytearray(whole)
        data[position] ^= bit
        journal.write_bytes(data)
        status = Run(one).fix(undo=True, yes=True)
        assert status == exits.FAILED
        refused += 1
        after = snapshot(tmp_path)
        assert after == before
    assert refused == (len(whole) + 6) // 7
    journal.write_bytes(whole)
    assert run.fix(undo=True, yes=True) == exits.READY
    after = snapshot(tmp_path)
    after.pop("state/kdiag/lock", None)
    assert after == gone


def test_the_line_end_of_the_last_line(tmp_path: Path) -> None:
    """Gone: a crash; what was announced is looked for and taken back. Another byte: damage."""
    _, one = fixed(tmp_path)
    journal = one.places.journal
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-1] + b"\x0b")
    run = Run(one)
    assert run.fix(undo=True, yes=True) == exits.FAILED and "does not end where it should" in run.errors
    journal.write_bytes(whole[:-1])
    assert Run(one).fix(undo=True, yes=True) == exits.READY
    assert trees(one) == []


def test_two_kernels_trees(tmp_path: Path) -> None:
    """A line in the middle that is lost takes nothing with it."""
    one = case(tmp_path)
    assert Run(one).fix(yes=True) == exits.READY
    newer = case(tmp_path, release="6.13.0-test")
    (tmp_path / "kheaders.ko").write_bytes(b"not an ELF file" + archive("6.13.0-test"))
    assert Run(newer).fix(yes=True) == exits.READY
    assert [t.name for t in trees(one)] == [
        tree_name("6.12.107-test", archive()),
        tree_name("6.13.0-test", archive("6.13.0-test")),
    ]
    journal = one.places.journal
    some = journal.read_bytes().splitlines(keepends=True)
    assert len(some) == 4
    for at in range(3):
        journal.write_bytes(b"".join(some[:at] + some[at + 1 :]))
        run = Run(newer)
        assert run.fix(undo=True, yes=True) == exits.FAILED
        assert len(trees(one)) == 2
