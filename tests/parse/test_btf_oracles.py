"""What bpftool and pahole say about the same BTF, and the BTF of the running kernel."""

from __future__ import annotations

import re
import shutil
import subprocess
import tracemalloc
from pathlib import Path

import pytest

from kdiag.parse.btf import Kind, parse
from kdiag.parse.btf.value import Btf, Member
from tests.support.btf_encoder import SAMPLE, fails
from tests.support.waiting import HANG

VMLINUX = Path("/sys/kernel/btf/vmlinux")


@pytest.fixture(scope="module")
def vmlinux() -> Btf:
    try:
        data = VMLINUX.read_bytes()
    except OSError as reason:
        pytest.skip(f"no vmlinux BTF here: {reason}")
    return parse(data)


@pytest.mark.slow
@pytest.mark.live
def test_the_running_kernel_has_a_task_struct_with_comm_and_pid(vmlinux: Btf) -> None:
    task = vmlinux.find("task_struct", {Kind.STRUCT})
    assert task is not None
    members = {member.name: member for member in vmlinux.members(task, flatten=True)}
    assert vmlinux.kind(members["comm"].type_id) == Kind.ARRAY
    assert vmlinux.name(members["pid"].type_id) == "pid_t"
    assert sum(vmlinux.counts.values()) + sum(vmlinux.unknown_counts.values()) == vmlinux.n_types


@pytest.mark.live
def test_reading_takes_little_memory(vmlinux: Btf) -> None:
    data = vmlinux.data
    tracemalloc.start()
    try:
        again = parse(data)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert again.n_types == vmlinux.n_types
    assert kept < len(data)
    assert peak < 4 * len(data)


def dump_with_bpftool(path: Path, base: Path | None = None) -> str:
    bpftool = shutil.which("bpftool") or shutil.which("/usr/sbin/bpftool")
    if bpftool is None:
        pytest.skip("no bpftool")
    over = ["-B", str(base)] if base else []
    command = [bpftool, *over, "btf", "dump", "file", str(path), "format", "raw"]
    ran = subprocess.run(command, capture_output=True, timeout=HANG, check=False)
    if b"Unsupported BTF_KIND" in ran.stderr:
        pytest.skip("this bpftool is older than the BTF")
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.decode("utf-8", "surrogateescape")


_TYPE = re.compile(r"\[(\d+)\] (\w+) '(.*?)'(?: |$)")
_MEMBER = re.compile(r"\t'(.*)' type_id=(\d+) bits_offset=(\d+)(?: bitfield_size=(\d+))?$")


def assert_same_as(dump: str, btf: Btf) -> None:
    """The kinds, the names and the members of all types are those that bpftool prints."""
    kinds: dict[int, tuple[str, str]] = {}
    members: dict[int, list[Member]] = {}
    for line in dump.splitlines():
        if head := _TYPE.match(line):
            type_id = int(head[1])
            kinds[type_id] = (head[2], _name(head[3]))
            if head[2] in ("STRUCT", "UNION"):
                members[type_id] = []
        elif row := _MEMBER.match(line):
            members[type_id].append(Member(_name(row[1]), int(row[2]), int(row[3]), int(row[4] or 0)))
    assert {i: (Kind(btf.kind(i)).name, btf.name(i)) for i in kinds} == kinds
    assert {i: list(btf.members(i)) for i in members} == members
    assert max(kinds) == btf.first_id + btf.n_types - 1
    assert sum(type_id >= btf.first_id for type_id in kinds) == btf.n_types


def _name(printed: str) -> str:
    return "" if printed == "(anon)" else printed


@pytest.mark.live
@pytest.mark.slow
def test_bpftool_sees_the_same_in_the_running_kernel(vmlinux: Btf) -> None:
    assert_same_as(dump_with_bpftool(VMLINUX), vmlinux)


@pytest.mark.parametrize("order", ["<", ">"])
def test_bpftool_sees_the_same_in_the_sample(order: str, tmp_path: Path) -> None:
    path = tmp_path / "sample.btf"
    path.write_bytes(SAMPLE.encode(order))
    assert_same_as(dump_with_bpftool(path), parse(path.read_bytes()))


PROGRAM = """
enum colour { RED, BLUE = 7 };
enum wide { HIGH = 0x8000000000000000ull };
struct elsewhere;
typedef struct { int a; union { long b; struct { char c[3]; unsigned d : 3, e : 5; }; }; } inner;
struct task_struct { inner i; const volatile struct elsewhere *restrict p; double f; enum wide w; };
int use(struct task_struct *t, enum colour colour, ...) { return t->i.a + colour; }
"""
MODULE = """
struct module_only { struct task_struct t; inner more; };
int own(struct module_only *m) { return m->t.i.a; }
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """vmlinux.btf and module.btf, the one split on the other, as gcc and pahole make them."""
    for tool in ("gcc", "pahole", "objcopy"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool}")
    here = tmp_path_factory.mktemp("btf")
    only_btf = ["-O", "binary", "--only-section=.BTF", "--set-section-flags", ".BTF=alloc"]
    for name, source, base in (
        ("vmlinux", PROGRAM, []),
        ("module", PROGRAM + MODULE, ["--btf_base", "vmlinux.btf"]),
    ):
        (here / f"{name}.c").write_text(source)
        for command in (
            ["gcc", "-g", "-c", f"{name}.c"],
            ["pahole", "-J", *base, f"{name}.o"],
            ["objcopy", *only_btf, f"{name}.o", f"{name}.btf"],
        ):
            subprocess.run(command, cwd=here, check=True, timeout=HANG, capture_output=True)
    return here


def test_bpftool_sees_the_same_in_what_pahole_makes(compiled: Path) -> None:
    btf = parse((compiled / "vmlinux.btf").read_bytes())
    task = btf.find("task_struct", {Kind.STRUCT})
    assert task is not None
    names = [member.name for member in btf.members(task, flatten=True)]
    assert names == ["i", "p", "f", "w"]
    assert_same_as(dump_with_bpftool(compiled / "vmlinux.btf"), btf)


def test_bpftool_sees_the_same_in_split_btf(compiled: Path) -> None:
    data = (compiled / "module.btf").read_bytes()
    assert "split BTF" in fails(data).message
    btf = parse(data, base=parse((compiled / "vmlinux.btf").read_bytes()))
    assert btf.first_id > 1
    assert btf.has("module_only", Kind.STRUCT)
    assert_same_as(dump_with_bpftool(compiled / "module.btf", compiled / "vmlinux.btf"), btf)
