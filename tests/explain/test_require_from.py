"""`kdiag check --require-from FILE`: exit status, verdict and row are about what the file requires."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdiag.parse.btf import Kind, parse
from tests.support import machines
from tests.support.description import Description
from tests.support.typed import in_process

OBJECTS = Path(__file__).parent / "objects"


def _recorded(described: Description, kernel: str, directory: Path) -> str:
    types = (OBJECTS / f"{kernel}.btf").read_bytes()
    test = parse(types, lazy=True).find("bpf_fentry_test1", (Kind.FUNC,))
    described.file("/sys/kernel/btf/vmlinux", types).probe(f"bpf:fentry:{test}", 0)
    described.file("/sys/kernel/tracing/available_filter_functions", "do_thing\n")
    described.write(directory)
    return str(directory)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A kernel without the field that one object reads, and without tracefs."""
    described = machines.mounted(machines.linux())
    return _recorded(described, "changed", tmp_path_factory.mktemp("machine"))


def check(*arguments: str) -> tuple[int, str]:
    done = in_process(["check", "--no-plugins", "--config", "", *arguments])
    return done.exit_code, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("names", "status", "verdict"),
    [
        (("plain",), 0, "READY: the required capability works"),
        (("guarded", "called"), 0, "READY: all 2 required capabilities work"),
        (("unguarded",), 1, "NOT READY: program: struct thing of this kernel has no gone"),
        (("plain", "unguarded"), 1, "NOT READY: program: struct thing of this kernel has no gone"),
    ],
)
def test_the_verdict_is_about_the_files(
    machine: str, names: tuple[str, ...], status: int, verdict: str
) -> None:
    asked = [word for name in names for word in ("--require-from", str(OBJECTS / f"{name}.bpf.o"))]
    code, out = check("--from", machine, *asked)
    assert (code, out.startswith(verdict)) == (status, True), out[:300]
    assert f"* libbpf: {names[0]}.bpf.o" in out


def test_the_row_is_in_the_document(machine: str) -> None:
    path = str(OBJECTS / "plain.bpf.o")
    code, out = check("--from", machine, "--require-from", path, "--require-from", path, "--format", "json")
    report = json.loads(out)
    assert (code, report["required"]) == (0, ["file:plain.bpf.o", "file:plain.bpf.o#2"])
    rows = {one["id"]: one["status"] for one in report["capabilities"]}
    assert rows["file:plain.bpf.o"] == rows["file:plain.bpf.o#2"] == "works"


def test_what_else_is_required_stays_required(machine: str) -> None:
    path = str(OBJECTS / "plain.bpf.o")
    _, out = check("--from", machine, "--require-from", path, "--require", "kprobe", "--format", "json")
    assert json.loads(out)["required"] == ["kprobe", "file:plain.bpf.o"]


def test_the_finding_says_what_to_do(tmp_path: Path) -> None:
    described = machines.refuse_calls(machines.mounted(machines.linux()), 1, "bpf:prog:kprobe")
    recorded = _recorded(described, "kernel", tmp_path / "machine")
    _, out = check("--from", recorded, "--require-from", str(OBJECTS / "plain.bpf.o"), "--format", "json")
    row = next(one for one in json.loads(out)["capabilities"] if one["id"] == "file:plain.bpf.o")
    assert (row["status"], row["findings"]) == ("fails", ["bpf.prog.kprobe"])


@pytest.mark.parametrize(
    ("caller", "name", "expected"),
    [
        ("root", "plain", ("works", None)),
        ("user", "plain", ("fails", "works")),
        # What the kernel lacks, it lacks for root.
        ("user", "unguarded", ("fails", None)),
    ],
)
def test_what_only_root_may_is_told_apart_as_plain_requirements_are(
    caller: str, name: str, expected: tuple[str, str | None], tmp_path: Path
) -> None:
    described = machines.bpftrace(machines.mounted(machines.linux()), "0.20.0")
    if caller == "user":
        machines.user(described)
    recorded = _recorded(described, "kernel" if name == "plain" else "changed", tmp_path / "machine")
    script, settings = tmp_path / "one.bt", tmp_path / "kdiag.toml"
    body = "exit();" if name == "plain" else "let $newer = 1;"
    script.write_text(f"BEGIN {{ {body} }}")
    settings.write_text('[profile.mine]\ncapabilities = ["hello"]\n')
    asked = ["--require-from", str(script), "--require-from", str(OBJECTS / f"{name}.bpf.o")]
    asked += ["--config", str(settings), "--profile", "mine", "--require", "hello", "--format", "json"]
    _, out = check("--from", recorded, *asked)
    rows = {one["id"]: (one["status"], one["with_root"]) for one in json.loads(out)["capabilities"]}
    plain = ("works", None) if caller == "root" else ("fails", "works")
    assert rows["hello"] == rows["profile:mine"] == plain
    assert rows["file:one.bt"] == rows[f"file:{name}.bpf.o"] == expected


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("kprobe", "'kprobe' is no BPF object"),
        ("/no/such/file.o", "cannot read /no/such/file.o: No such file or directory"),
        (str(OBJECTS / "sample.bpf.c"), "not an ELF file"),
    ],
)
def test_what_is_no_such_file_is_a_usage_error(machine: str, word: str, why: str) -> None:
    code, out = check("--from", machine, "--require-from", word)
    assert (code, why in out) == (2, True), out
