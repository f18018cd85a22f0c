"""A survey of the kernel's BTF that is kept for the next run: the same answer, or none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kdiag.checking import remembered, runtime
from kdiag.machine.btf import ModuleBtf, Survey

FOUND = Survey(
    size=5_515_236,
    n_types=126_572,
    byteorder="little",
    counts=(("INT", 15), ("PTR", 15_134)),
    highest="ENUM64",
    ids=(("bpf_loop", 63_918),),
    task_struct=(147, 311),
    modules=ModuleBtf(("nf_tables", "xfs"), 1, (("xfs", "type 7: its name\nlies outside"),)),
)
KEY = "1 0.1.0 boot"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(runtime, "_place", lambda: tmp_path / "kdiag")
    return tmp_path / "kdiag"


def test_what_was_kept_comes_back(place: Path) -> None:
    remembered.keep(KEY, FOUND)
    broken = (("xfs", "type 7: its name lies outside"),)
    assert remembered.recall(KEY) == FOUND._replace(modules=FOUND.modules._replace(broken=broken))
    assert place.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in place.iterdir()] == ["btf-survey"]


@pytest.mark.parametrize("lacking", ["task_struct", "modules"])
def test_a_kernel_without_something(place: Path, lacking: str) -> None:
    small = FOUND._replace(
        **({"task_struct": None} if lacking == "task_struct" else {"modules": ModuleBtf((), 0, ())})
    )
    small = small._replace(modules=small.modules._replace(broken=()))
    remembered.keep(KEY, small)
    assert remembered.recall(KEY) == small


def test_another_boot_or_another_btf_is_not_answered(place: Path) -> None:
    remembered.keep(KEY, FOUND)
    assert remembered.recall(KEY + "2") is None


def test_what_a_killed_run_left_is_taken_away(place: Path) -> None:
    remembered.keep(KEY, FOUND)
    (place / ".btf-survey.new").write_bytes(b"half")
    remembered.keep(KEY, FOUND)
    assert [path.name for path in place.iterdir()] == ["btf-survey"]


def test_a_damaged_file_is_no_answer(place: Path) -> None:
    """Cut at every length and changed at every byte: never an exception, never a file without its end."""
    remembered.keep(KEY, FOUND)
    file = place / "btf-survey"
    whole = file.read_bytes()
    for length in range(len(whole) - 1):
        file.write_bytes(whole[:length])
        assert remembered.recall(KEY) is None, length
    file.write_bytes(whole.replace(b"126572", b"x"))
    assert remembered.recall(KEY) is None
    file.write_bytes(b"\xff" * 100)
    assert remembered.recall(KEY) is None


def test_a_file_that_others_can_change_does_not_count(place: Path) -> None:
    remembered.keep(KEY, FOUND)
    (place / "btf-survey").chmod(0o666)
    assert remembered.recall(KEY) is None


def test_a_directory_that_others_can_change_does_not_count(place: Path) -> None:
    remembered.keep(KEY, FOUND)
    place.chmod(0o777)
    assert remembered.recall(KEY) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file away")
def test_another_users_file_does_not_count(place: Path) -> None:
    remembered.keep(KEY, FOUND)
    os.chown(place / "btf-survey", 65534, 65534)
    assert remembered.recall(KEY) is None


def test_a_link_and_a_fifo_are_no_files(place: Path) -> None:
    remembered.keep(KEY, FOUND)
    os.rename(place / "btf-survey", place / "other")
    os.symlink("other", place / "btf-survey")
    assert remembered.recall(KEY) is None
    os.unlink(place / "btf-survey")
    os.mkfifo(place / "btf-survey")
    assert remembered.recall(KEY) is None


def test_no_place_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for nowhere in (None, tmp_path / "missing" / "kdiag", Path("/proc/1/kdiag")):
        monkeypatch.setattr(runtime, "_place", lambda there=nowhere: there)
        remembered.keep(KEY, FOUND)
        assert remembered.recall(KEY) is None


def test_the_key_of_this_machine_is_one_line() -> None:
    known = remembered.key()
    assert known is None or ("\n" not in known and known == remembered.key())
