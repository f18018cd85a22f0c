"""What is read of BPF objects, held against libbpf and the kernel of this machine: numbers of helpers and types against
the kernel's own types, and each CO-RE relocation against what libbpf puts into the instruction.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kdiag.knowledge.bpf.tables import helpers, map_types, program_types
from kdiag.parse.bpf.core.resolve import Kernel, resolve
from kdiag.parse.bpf.embedded import find
from kdiag.parse.bpf.read import Object, read
from kdiag.parse.btf import Kind, parse
from kdiag.parse.btf.graph import Graph
from tests.support.needs import need, need_program, need_root

pytestmark = pytest.mark.live

VMLINUX = Path("/sys/kernel/btf/vmlinux")
SHIPPED = sorted((Path(__file__).parents[2] / "kdiag" / "smoke" / "objects").glob("*.bpf.o"))
#: Of libbpf-tools, those with most relocations of most kinds; object_trial.py tries all.
TOOLS = ("bindsnoop", "biosnoop", "runqlat", "tcptracer", "biolatency", "execsnoop")
PINNED = Path("/sys/fs/bpf/kdiag-test")
_PATCHED = re.compile(
    r"prog '(\w+)': relo #(\d+): (?:patched insn #\d+ \([\w/]+\) (?:imm|off|imm64) (\d+) -> (\d+)|substituting insn)"
)


@pytest.fixture(scope="module")
def kernel() -> Graph:
    """The types of the running kernel."""
    need(os.access(VMLINUX, os.R_OK), f"{VMLINUX}")
    return Graph(parse(VMLINUX.read_bytes(), lazy=True))


def constants(kernel: Graph, enum: str) -> dict[int, str]:
    type_id = kernel.btf.find(enum, (Kind.ENUM,))
    need(type_id is not None, f"enum {enum} in the kernel's BTF")
    assert type_id is not None
    return {one.value: one.name for one in kernel.enumerators(type_id)}


def test_the_tables_have_the_kernel_s_numbers(kernel: Graph) -> None:
    helper, map_, program = (
        constants(kernel, f"bpf_{name}") for name in ("func_id", "map_type", "prog_type")
    )
    assert {
        n: f"BPF_FUNC_{one.name}" for n, one in helpers().items() if n in helper
    }.items() <= helper.items()
    for number, one in map_types().items():
        if map_.get(number, "__MAX").startswith("__MAX"):
            continue
        assert map_[number].startswith(f"BPF_MAP_TYPE_{one.name}"), one
    for name, known in program_types().items():
        assert known.number not in program or program[known.number] == f"BPF_PROG_TYPE_{name}"


def _loaded(path: Path) -> str:
    """libbpf's account of loading an object, which is removed again."""
    command = [need_program("bpftool"), "-d", "prog", "loadall", str(path), str(PINNED)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if PINNED.is_dir():
        for pin in PINNED.iterdir():
            pin.unlink()
        PINNED.rmdir()
    return done.stdout + done.stderr


def _ours(found: Object, kernel: Graph) -> dict[tuple[str, int], int | None]:
    """By function and number of the relocation in its section: the number that is put in, None for a bad one."""
    assert found.graph is not None
    numbers: dict[str, int] = {}
    values = {}
    for one in resolve(found.graph, found.relocations, Kernel(kernel), big=False):
        section = one.relocation.section
        function = found.function_at(section, one.relocation.instruction)
        assert function is not None and not one.error
        nth = numbers[section] = numbers.get(section, -1) + 1
        values[function.name, nth] = one.here.number if one.resizes else None
    return values


def _object(name: str, scratch: Path) -> Path:
    if name.endswith(".o"):
        return next(path for path in SHIPPED if path.name == name)
    path = Path("/usr/sbin") / name
    need(shutil.which("dpkg") and path.exists(), f"{path} of libbpf-tools")
    found = find(path.read_bytes())
    need(found, f"a BPF object in {path}")
    target = scratch / f"{name}.bpf.o"
    target.write_bytes(found[0].data)
    return target


@pytest.mark.parametrize("name", [*(path.name for path in SHIPPED), *TOOLS])
def test_each_relocation_is_what_libbpf_makes_of_it(name: str, kernel: Graph, tmp_path: Path) -> None:
    need_root()
    path = _object(name, tmp_path)
    said = _loaded(path)
    real = {(m[1], int(m[2])): int(m[4]) if m[4] else None for m in _PATCHED.finditer(said)}
    need(real, f"an account of relocations: {said[-300:]}")
    ours = _ours(read(path.read_bytes()), kernel)
    assert real.items() <= ours.items(), {
        key: (ours.get(key), real[key]) for key in real if ours.get(key) != real[key]
    }
    assert len(real) == len(ours)
