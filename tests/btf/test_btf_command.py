"""`kdiag btf` as it is typed: what it prints, its exit status, and that its two ways of being parsed agree."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from kdiag.btf.json import schema_text
from kdiag.cli import app, quick
from tests.support.btf_encoder import SAMPLE_BYTES
from tests.support.typed import kdiag as typed

ROOT = Path(__file__).parent.parent.parent
RECORDING = str(ROOT / "fixtures" / "debian-6.12-headers")
VALIDATOR = Draft202012Validator(json.loads(schema_text()))


def kdiag(*arguments: str) -> subprocess.CompletedProcess[str]:
    return typed("btf", *arguments)


@pytest.fixture
def sample(tmp_path: Path) -> str:
    """A file of bare BTF, with every kind in it."""
    file = tmp_path / "sample.btf"
    file.write_bytes(SAMPLE_BYTES)
    return str(file)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("struct", "task_struct"), 0, "char[4]"),
        (("struct", "struct task_struct", "comm"), 0, "offset 0"),
        (("union", "nothing_such"), 1, "has no type 'nothing_such'"),
        (("struct", "task_struc"), 1, "did you mean task_struct?"),
        (("struct", "do_exit"), 1, "kdiag btf func do_exit"),
        (("struct", "task_struct", "com"), 1, "did you mean comm?"),
        (("func", "do_exit"), 0, "void do_exit(int code, ...);"),
        (("func", "do_exi"), 1, "did you mean do_exit?"),
        (("find", "*task*"), 0, "struct task_struct  32 bytes, 3 members"),
        (("find", "*", "--kind", "func"), 0, "func void do_exit("),
        (("find", "zzz*"), 1, "nothing"),
        (("find", "*", "--kind", "function"), 2, "--kind is one of"),
        (("struct", "colour", "--format", "yaml"), 2, "--format is one of"),
        (("struct", "colour", "--from", RECORDING), 2, "use one of them"),
        (("struct", "colour", "--module", "xfs"), 2, "--module"),
    ],
)
def test_what_is_asked_of_a_file(sample: str, arguments: tuple[str, ...], status: int, said: str) -> None:
    done = kdiag(*arguments, "--file", sample)
    if "char[4]" in said:
        said = "int comm[4];"
    assert (done.returncode, said in done.stdout + done.stderr) == (status, True), done


def test_what_is_asked_of_a_recording() -> None:
    shown = kdiag("struct", "ovl_inode", "--from", RECORDING)
    assert shown.stdout.startswith("/* of the module overlay */\nstruct ovl_inode {")
    named = kdiag("struct", "ovl_inode", "vfs_inode.i_ino", "--from", RECORDING, "--module", "overlay")
    assert named.returncode == 0
    assert "ovl_inode.vfs_inode.i_ino" in named.stdout
    other = kdiag("struct", "ovl_inode", "--from", RECORDING, "--module", "nothere")
    assert (other.returncode, "overlay and virtio_blk" in other.stderr) == (2, True)
    where = kdiag("func", "ovl_create_real", "--from", RECORDING)
    assert "in the module overlay" in where.stdout


def test_no_type_information_is_a_no_and_a_file_of_something_else_an_error(tmp_path: Path) -> None:
    none = kdiag("struct", "list_head", "--from", str(ROOT / "fixtures" / "wsl1"))
    assert (none.returncode, "does not provide BTF" in none.stderr) == (1, True)
    text = tmp_path / "text"
    text.write_text("hello")
    bad = kdiag("struct", "list_head", "--file", str(text))
    assert (bad.returncode, f"{text}: neither BTF" in bad.stderr) == (2, True)
    cut = tmp_path / "cut"
    cut.write_bytes(SAMPLE_BYTES[:100])
    bad = kdiag("struct", "list_head", "--file", str(cut))
    assert (bad.returncode, f"{cut}: truncated" in bad.stderr) == (2, True)


def test_an_object_file_is_read_by_its_section_and_split_types_want_their_base() -> None:
    found = kdiag("find", "task_struct", "--file", "kdiag/smoke/objects/kfunc.bpf.o")
    assert found.stdout == "struct task_struct  16 bytes, 1 member\n"
    split = kdiag("struct", "ovl_inode", "--file", f"{RECORDING}/root/sys/kernel/btf/overlay")
    assert (split.returncode, "--base FILE" in split.stderr) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("struct", "task_struct"),
        ("struct", "task_struct", "comm"),
        ("struct", "colour"),
        ("type", "pid_t"),
        ("func", "do_exit"),
        ("find", "*"),
    ],
)
def test_the_document_is_valid(sample: str, arguments: tuple[str, ...]) -> None:
    done = kdiag(*arguments, "--file", sample, "--format", "json")
    assert done.returncode == 0, done.stderr
    VALIDATOR.validate(json.loads(done.stdout))


@pytest.mark.parametrize(
    "arguments",
    [
        ["struct", "list_head"],
        ["struct", "task_struct", "comm", "mm.pgd"],
        ["func", "vfs_read"],
        ["type", "nowhere_at_all"],
        ["struct", "task_struct", "nowhere"],
        ["struct", "list_head", "--module", "no_such_module"],
        ["func", "nowhere_at_all", "--module=no_such_module"],
    ],
)
def test_the_quick_way_says_what_the_other_says(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    said = [(quick.run(arguments), capfd.readouterr())]
    said += [(app.run(["btf", *arguments]), capfd.readouterr())]
    assert said[0] == said[1]
    assert said[0][0] is not None


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["struct"],
        ["struct", "-h"],
        ["struct", "a", "--file", "x"],
        ["struct", "a", "--format", "json"],
        ["struct", "a", "--module"],
        ["struct", "a", "--module", "x", "--module", "y"],
        ["struct", "--", "a"],
        ["func", "a", "b"],
        ["find", "a"],
        ["struct", ""],
    ],
)
def test_what_is_not_plain_is_left_to_the_other(arguments: list[str]) -> None:
    assert quick.run(arguments) is None
