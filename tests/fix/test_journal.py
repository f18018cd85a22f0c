"""The journal: what it holds survives crashes, and what others wrote is not believed."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.fix.effects import (
    BadEffect,
    Effect,
    Installed,
    Json,
    Linked,
    Loaded,
    Mounted,
    Unpacked,
    Written,
    from_json,
    to_json,
)
from kdiag.fix.entries import parse
from kdiag.fix.errors import FixError
from kdiag.fix.journal import Journal

BASE = "/var/cache/kdiag"
EFFECTS: tuple[Effect, ...] = (
    Mounted("tracefs", "/sys/kernel/tracing", "kdiag-0123456789abcdef", "mnt:[4026531841]"),
    Mounted("debugfs", "/sys/kernel/debug", "kdiag-0123456789abcdef", ""),
    Loaded("kheaders"),
    Unpacked(f"{BASE}/headers/6.12.107-0123456789ab", "/sys/kernel/kheaders.tar.xz"),
    Written(f"{BASE}/btf/6.12.107-0123456789ab.btf", "0" * 64, "/boot/vmlinux-6.12.107"),
    Linked(
        "/lib/modules/6.12.107/build", f"{BASE}/headers/6.12.107-0123456789ab", ("/lib/modules/6.12.107",)
    ),
    Installed("apt-get", ("linux-headers-6.12.107+deb13-amd64",), ("gcc-14", "libc6:amd64")),
)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


def test_there_is_none_at_first(journal: Journal) -> None:
    assert journal.entries() == ()
    assert not journal.path.exists()
    journal.tidy()


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda e: e.kind)
def test_a_change_is_announced_made_and_undone(journal: Journal, effect: Effect) -> None:
    entry = journal.begin("a.step", effect, "boot")
    assert Journal(journal.path).entries() == (entry,)
    assert not entry.finished
    done = journal.done(entry, effect)
    assert Journal(journal.path).entries() == (done,)
    assert done.finished and done.effect == effect
    journal.undone(done)
    assert Journal(journal.path).entries() == ()
    journal.tidy()
    assert not journal.path.exists()


def test_it_is_ours_alone(journal: Journal) -> None:
    before = os.umask(0)
    try:
        journal.begin("a.step", EFFECTS[2], "boot")
    finally:
        os.umask(before)
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600


def test_a_line_is_on_the_disk_before_begin_returns(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bytes] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.append(journal.path.read_bytes())
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    entry = journal.begin("a.step", EFFECTS[2], "boot")
    assert entry.id.encode() in synced[0]


def test_paths_that_are_not_text_come_back(journal: Journal) -> None:
    home = b"/home/\xff\xe9/.cache".decode("utf-8", "surrogateescape")
    effect = Unpacked(f"{home}/kdiag/headers/6.1-0123456789ab", "/sys/kernel/kheaders.tar.xz")
    entry = journal.begin("a.step", effect, "boot")
    assert journal.entries()[0].effect == entry.effect == effect
    assert journal.path.read_bytes().isascii()


def test_order_is_kept(journal: Journal) -> None:
    for effect in EFFECTS:
        journal.begin("a.step", effect, "boot")
    assert tuple(e.effect for e in journal.entries()) == EFFECTS


# -- crashes ---------------------------------------------------------------------------------------------------------


def test_a_torn_last_line_does_not_count(journal: Journal) -> None:
    """Cut anywhere in the last line: the ones before it stand, and the next line does not run into it."""
    first = journal.begin("a.step", EFFECTS[0], "boot")
    whole = journal.path.stat().st_size
    journal.begin("another", EFFECTS[2], "boot")
    data = journal.path.read_bytes()
    for length in (*range(whole, len(data), 9), len(data) - 1):
        journal.path.write_bytes(data[:length])
        assert journal.entries() == (first,)
        journal.done(first, EFFECTS[0])
        assert [e.finished for e in journal.entries()] == [True]


def test_a_last_line_of_zeros_does_not_count(journal: Journal) -> None:
    """What ext4 may leave of a file that grew just before the power went."""
    first = journal.begin("a.step", EFFECTS[0], "boot")
    with journal.path.open("ab") as file:
        file.write(bytes(300))
    assert journal.entries() == (first,)


def test_tidying_keeps_what_can_be_undone(journal: Journal) -> None:
    kept = journal.done(journal.begin("kept", EFFECTS[3], "boot"), EFFECTS[3])
    open_ = journal.begin("begun", EFFECTS[4], "boot")
    for _ in range(5):
        journal.undone(journal.begin("gone", EFFECTS[2], "boot"))
    size = journal.path.stat().st_size
    journal.tidy()
    assert journal.entries() == (kept, open_)
    assert journal.path.stat().st_size < size
    assert [p.name for p in journal.path.parent.iterdir()] == ["journal"]


def test_a_crash_while_tidying_leaves_the_old_one(journal: Journal) -> None:
    kept = journal.begin("kept", EFFECTS[3], "boot")
    journal.path.with_name("journal.new").write_bytes(b"half of it")
    assert journal.entries() == (kept,)
    journal.tidy()
    assert [p.name for p in journal.path.parent.iterdir()] == ["journal"]


# -- what is not believed --------------------------------------------------------------------------------------------


def refused(journal: Journal) -> str:
    """Reading and writing are refused alike, and nothing is changed."""
    before = journal.path.lstat()
    with pytest.raises(FixError) as read:
        journal.entries()
    with pytest.raises(FixError):
        journal.begin("a.step", EFFECTS[2], "boot")
    after = journal.path.lstat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    return read.value.message


def test_a_symbolic_link_is_refused(journal: Journal, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_bytes(b"")
    journal.path.symlink_to(target)
    assert "journal" in refused(journal)
    assert target.read_bytes() == b""


def test_a_hard_link_is_refused(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"")
    os.link(tmp_path / "precious", journal.path)
    assert "second name" in refused(journal)


@pytest.mark.parametrize("mode", [0o666, 0o620, 0o602])
def test_one_that_others_can_write_is_refused(journal: Journal, mode: int) -> None:
    journal.begin("a.step", EFFECTS[2], "boot")
    journal.path.chmod(mode)
    assert "writable by others" in refused(journal)


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files away takes root")
def test_one_of_another_user_is_refused(journal: Journal) -> None:
    journal.begin("a.step", EFFECTS[2], "boot")
    os.chown(journal.path, 65534, 65534)
    assert "uid 65534" in refused(journal)


def test_a_fifo_does_not_hang(journal: Journal) -> None:
    os.mkfifo(journal.path)
    assert "not a file" in refused(journal)


def test_a_directory_is_refused(journal: Journal) -> None:
    journal.path.mkdir()
    refused(journal)


def test_one_that_is_too_large_is_refused(journal: Journal) -> None:
    journal.path.write_bytes(b"")
    os.truncate(journal.path, 5 << 20)
    journal.path.chmod(0o600)
    with pytest.raises(FixError, match="more than"):
        journal.entries()


LINE = {
    "event": "begin",
    "version": 1,
    "id": "0123456789abcdef",
    "step": "a.step",
    "boot": "b",
    "at": "now",
    "effect": to_json(EFFECTS[3]),
}


def lines(*values: object) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


@pytest.mark.parametrize(
    "data",
    [
        b"hello\n",
        b"[]\n",
        b"null\n",
        b"{}\n",
        b"\n",
        b"\xff\n",
        b"[" * 100_000 + b"\n",
        lines({**LINE, "version": 2}),
        lines({**LINE, "id": "../../etc"}),
        lines({**LINE, "id": 7}),
        lines({**LINE, "event": "eat"}),
        lines({**LINE, "step": None}),
        lines({**LINE, "effect": None}),
        lines({**LINE, "effect": {**to_json(EFFECTS[3]), "target": "/etc"}}),
        lines({**LINE, "effect": {**to_json(EFFECTS[3]), "extra": "1"}}),
        lines(LINE, LINE),
        lines({"event": "done", "id": LINE["id"], "effect": LINE["effect"]}),
        lines(LINE, {"event": "done", "id": LINE["id"], "effect": to_json(EFFECTS[2])}),
        lines(LINE, {"event": "undone", "id": "f" * 16}),
    ],
)
def test_lines_that_kdiag_does_not_write(data: bytes) -> None:
    with pytest.raises(FixError, match=r"line \d"):
        parse(data + lines(LINE), "journal")


@pytest.mark.parametrize(
    "effect",
    [
        Mounted("tracefs", "/etc", "kdiag-0123456789abcdef", ""),
        Mounted("ext4", "/sys/kernel/tracing", "kdiag-0123456789abcdef", ""),
        Mounted("tracefs", "/sys/kernel/tracing", "tracefs", ""),
        Loaded("nvidia"),
        Unpacked("/home/user", "/x"),
        Unpacked("/var/cache/kdiag/headers/../../../etc", "/x"),
        Unpacked("/var/cache/kdiag/headers/.ssh", "/x"),
        Unpacked("kdiag/headers/6.1", "/x"),
        Written("/etc/passwd", "0" * 64, "/x"),
        Written(f"{BASE}/btf/6.1.btf", "short", "/x"),
        Linked("/etc/passwd", "/x"),
        Linked("/lib/modules/6.1/source", "/x"),
        Linked("/lib/modules/6.1/build", "/x", ("/etc",)),
        Installed("sh", ()),
        Installed("apt-get", ("--purge",)),
        Installed("apt get", ("x",)),
    ],
    ids=str,
)
def test_changes_that_no_fix_makes(effect: Effect) -> None:
    with pytest.raises(BadEffect):
        from_json(to_json(effect))


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda e: e.kind)
def test_every_field_has_its_type(effect: Effect) -> None:
    for field in fields(effect):
        values: tuple[Json, ...] = (None, 7, True, {}, ["x", 7], "a\0b")
        for wrong in values:
            with pytest.raises(BadEffect):
                from_json({**to_json(effect), field.name: wrong})


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=300))
def test_any_bytes_are_entries_or_an_error(data: bytes) -> None:
    try:
        parse(data, "journal")
    except FixError as error:
        assert error.hint


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_damage_is_noticed_or_harmless(data: st.DataObject) -> None:
    """One byte changed anywhere: an error, or entries of the shapes that a fix makes."""
    whole = lines(LINE, {"event": "done", "id": LINE["id"], "effect": LINE["effect"]})
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + bytes((data.draw(st.integers(0, 255)),)) + whole[at + 1 :]
    try:
        entries = parse(damaged, "journal")
    except FixError:
        return
    for entry in entries:
        entry.effect.check()
