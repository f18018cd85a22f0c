"""What all of a kernel's types take, beside debug information; and what changed between two kernels."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from kdiag.btf.json import schema_text
from kdiag.btf.watched import FUNCTIONS, STRUCTS
from kdiag.parse.btf import Kind, parse
from kdiag.parse.btf.sections import sections
from kdiag.system.recording import Recording
from tests.support.btf_encoder import SAMPLE_BYTES, Encoder, Ref, Words, composite, record
from tests.support.needs import need_program
from tests.support.typed import kdiag as typed
from tests.support.waiting import HANG

ROOT = Path(__file__).parent.parent.parent
FIXTURES = ROOT / "fixtures"
VALIDATOR = Draft202012Validator(json.loads(schema_text()))
_INT = record(Kind.INT, "int", 4, 0x01000020)
_LONG = record(Kind.INT, "long", 8, 0x01000040)


def kdiag(*arguments: str) -> subprocess.CompletedProcess[str]:
    return typed("btf", *arguments)


def written(path: Path, *records: Words) -> str:
    path.write_bytes(Encoder().add(_INT, _LONG, *records).encode())
    return str(path)


def test_all_bytes_are_accounted_for(tmp_path: Path) -> None:
    file = tmp_path / "sample"
    file.write_bytes(SAMPLE_BYTES)
    done = kdiag("--file", str(file), "--format", "json")
    document = json.loads(done.stdout)
    VALIDATOR.validate(document)
    parts = sum(kind["size"] for kind in document["kinds"])
    assert parts + document["names"]["size"] + document["header"] == document["size"] == len(SAMPLE_BYTES)
    assert {kind["kind"]: kind["types"] for kind in document["kinds"]}["struct"] == 2
    assert document["debug"] is None


def test_a_recorded_kernel_without_debug_information_says_what_is_expected_and_from_where() -> None:
    done = kdiag("--from", str(FIXTURES / "debian-6.12-headers"))
    assert done.returncode == 0, done.stderr
    assert "2 modules add 21,797 bytes" in done.stdout
    assert "Expected: " in done.stdout
    assert "31de389707c8" in done.stdout


def test_debug_information_is_measured_section_by_section(tmp_path: Path) -> None:
    compiler, pahole = need_program("gcc"), need_program("pahole")
    source, built = tmp_path / "a.c", tmp_path / "a.o"
    source.write_text("struct s { int a; char *b; } one;\nint f(struct s *x) { return x->a; }\n")
    subprocess.run([compiler, "-g", "-gz=none", "-c", source, "-o", built], check=True, timeout=HANG)
    subprocess.run([pahole, "-J", built], check=True, timeout=HANG)
    document = json.loads(kdiag("--file", str(built), "--format", "json").stdout)
    VALIDATOR.validate(document)
    with built.open("rb") as file:
        there = {one.name: one.size for one in sections(file) if one.name.startswith(".debug_")}
    assert {one["name"]: one["size"] for one in document["debug"]["sections"]} == there
    assert document["debug"]["units"] == 1
    text = kdiag("--file", str(built)).stdout
    assert "1 compile units" not in text
    assert "times what BTF takes" in text
    assert "are about source lines" in text
    shown = kdiag("struct", "s", "--file", str(built)).stdout
    assert "char *b;" in shown


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([("a", 1, 0)], [("a", 1, 0)], []),
        ([("a", 1, 0), ("b", 1, 32)], [("a", 1, 0)], ["- b: int (4 bytes), offset 4"]),
        ([("a", 1, 0)], [("a", 1, 0), ("b", 2, 64)], ["+ b: long (8 bytes), offset 8"]),
        ([("a", 1, 0)], [("a", 2, 0)], ["~ a: int (4 bytes) -> long (8 bytes)"]),
        ([("a", 1, 0)], [("a", 1, 64)], ["> a: offset 0 -> 8"]),
    ],
)
def test_a_change_is_called_what_it_is(
    tmp_path: Path, before: list[tuple[str, int, int]], after: list[tuple[str, int, int]], said: list[str]
) -> None:
    first = written(tmp_path / "first", composite(Kind.STRUCT, "s", *before))
    second = written(tmp_path / "second", composite(Kind.STRUCT, "s", *after))
    done = kdiag("diff", first, second, "s", "-v")
    assert [line.strip() for line in done.stdout.splitlines() if line.startswith("    ")] == said
    assert done.returncode == bool(said)
    document = kdiag("diff", first, second, "--all", "--format", "json")
    VALIDATOR.validate(json.loads(document.stdout))
    assert document.returncode == bool(said)


def test_what_only_one_has(tmp_path: Path) -> None:
    first = written(tmp_path / "first", composite(Kind.STRUCT, "old", ("a", 1, 0)))
    second = written(tmp_path / "second", composite(Kind.UNION, "new", ("a", 1, 0)))
    shown = kdiag("diff", first, second, "--all").stdout
    assert "struct old: only in the first, 32 bytes" in shown
    assert "struct new: only in the second, 32 bytes" in shown
    none = kdiag("diff", first, second, "nowhere")
    assert (none.returncode, "neither" in none.stderr) == (2, True)


def test_a_prototype_that_changed(tmp_path: Path) -> None:
    name = FUNCTIONS[0]
    files = [
        written(
            tmp_path / str(returned),
            record(Kind.FUNC_PROTO, "", Ref(returned)),
            record(Kind.FUNC, name, Ref(3)),
        )
        for returned in (1, 2)
    ]
    shown = kdiag("diff", *files).stdout
    assert f"    - int {name}(void);\n    + long {name}(void);" in shown


def test_two_recorded_kernels_and_the_running_one_by_name() -> None:
    done = kdiag(
        "diff", str(FIXTURES / "lab-6.12-btf-kheaders"), str(FIXTURES / "debian-6.12-headers"), "task_struct"
    )
    assert done.returncode == 1
    assert "struct task_struct: " in done.stdout
    assert "members moved" in done.stdout
    none = kdiag("diff", "her", "here")
    assert (none.returncode, "the running kernel is called here" in none.stderr) == (2, True)


def test_what_tools_read_is_in_a_kernel_of_a_distribution() -> None:
    data = Recording(FIXTURES / "debian-6.12-headers").read("/sys/kernel/btf/vmlinux")
    assert data is not None
    btf = parse(data, lazy=True)
    gone = {name for name in STRUCTS if not btf.has(name, Kind.STRUCT)}
    assert gone == set()


def test_options_before_a_command_are_refused(tmp_path: Path) -> None:
    done = kdiag("--file", "x", "find", "y")
    assert (done.returncode, "options come after the command" in done.stderr) == (2, True)
