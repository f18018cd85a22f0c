"""Types as C to compile: what a compiler makes of them lies as BTF says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kdiag.btf.header import definitions, header
from kdiag.parse.btf import BtfError, Kind, parse
from kdiag.parse.btf.graph import Graph
from kdiag.system.recording import Recording
from tests.support.btf_encoder import Encoder, Ref, composite, record
from tests.support.needs import need, need_program
from tests.support.waiting import HANG

ROOT = Path(__file__).parent.parent.parent
_INT = record(Kind.INT, "int", 4, 0x01000020)
#: What tracing tools read, and what is hard: bit-fields, packed structs, unions, enums of one byte, loops of pointers.
STRUCTS = (
    *(
        "task_struct",
        "sk_buff",
        "sock",
        "file",
        "inode",
        "dentry",
        "mm_struct",
        "request",
        "bio",
        "iphdr",
        "tcphdr",
    ),
    *("net_device", "cred", "path", "linux_binprm", "ipv6hdr", "tcp_sock", "page", "super_block", "bpf_prog"),
    *(
        "desc_struct",
        "fxregs_state",
        "efi_memory_map",
        "module",
        "pglist_data",
        "perf_event_attr",
        "kernfs_node",
    ),
    *(
        "io_uring_sqe",
        "bpf_reg_state",
        "signal_struct",
        "gendisk",
        "block_device",
        "tty_struct",
        "ftrace_ops",
    ),
)


def graph_of(fixture: str) -> Graph:
    data = Recording(ROOT / "fixtures" / fixture).read("/sys/kernel/btf/vmlinux")
    assert data is not None
    return Graph(parse(data, lazy=True))


def asserted(graph: Graph, type_id: int, name: str) -> str:
    """The header, and what the compiler has to find true."""
    word = "struct" if graph.kind(type_id) == Kind.STRUCT else "union"
    claims = [f'_Static_assert(sizeof({word} {name}) == {graph.own_size(type_id)}, "size");']
    for member in graph.flat_members(type_id):
        if member.name and not member.bits:
            place = f"__builtin_offsetof({word} {name}, {member.name})"
            claims.append(f'_Static_assert({place} == {member.bit_offset // 8}, "{member.name}");')
    return "\n".join((header(graph, type_id), *claims))


@pytest.mark.parametrize("fixture", ["debian-6.12-headers", "lab-6.12-btf-kheaders"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_a_compiler_lays_the_structs_out_as_btf_says(fixture: str, compiler: str, tmp_path: Path) -> None:
    need_program(compiler)
    target = ["--target=bpf"] if compiler == "clang" else ["-m64"]
    graph, tried = graph_of(fixture), 0
    for name in STRUCTS:
        type_id = graph.btf.find(name, (Kind.STRUCT,))
        if type_id is None:
            continue
        source = tmp_path / f"{name}.c"
        source.write_text(asserted(graph, type_id, name))
        done = subprocess.run(
            [compiler, *target, "-fsyntax-only", str(source)],
            capture_output=True,
            text=True,
            timeout=HANG,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), f"{name}: {done.stderr[:2000]}"
        tried += 1
    assert tried > 25


def test_every_struct_of_a_kernel_can_be_written() -> None:
    graph = graph_of("lab-6.12-btf-kheaders")
    written = 0
    for type_id in range(1, graph.btf.n_types + 1):
        if graph.kind(type_id) in (Kind.STRUCT, Kind.UNION) and graph.name(type_id):
            assert definitions(graph, type_id)[-1].count("{") >= 1
            written += 1
    assert written > 4000


def test_what_is_needed_comes_first_and_what_is_pointed_to_is_only_named() -> None:
    graph = Graph(
        parse(
            Encoder()
            .add(
                _INT,
                composite(Kind.STRUCT, "inner", ("n", 1, 0), size=4),
                record(Kind.PTR, "", Ref(4)),
                composite(Kind.STRUCT, "outer", ("in", 2, 0), ("self", 3, 64), ("other", 6, 128), size=24),
                composite(Kind.STRUCT, "other", ("back", 3, 0), size=8),
                record(Kind.PTR, "", Ref(5)),
            )
            .encode(),
            lazy=True,
        )
    )
    assert [re.sub(r"\s+", " ", one).strip() for one in definitions(graph, 4)] == [
        "struct inner { int n; };",
        "struct other;",
        "struct outer { struct inner in; struct outer *self; struct other *other; };",
    ]


def test_two_types_of_one_name_get_two() -> None:
    graph = Graph(
        parse(
            Encoder()
            .add(
                _INT,
                composite(Kind.STRUCT, "same", ("n", 1, 0), size=4),
                composite(Kind.STRUCT, "same", ("in", 2, 0), size=4),
            )
            .encode(),
            lazy=True,
        )
    )
    first, second = definitions(graph, 3)
    assert first.startswith("struct same {")
    assert second.startswith("struct same___2 {\n\tstruct same in;")


@pytest.mark.parametrize("name", ["no-name", "a b", "x;y"])
def test_a_name_that_c_cannot_have_is_refused(name: str) -> None:
    graph = Graph(parse(Encoder().add(composite(Kind.STRUCT, name, size=0)).encode(), lazy=True))
    with pytest.raises(BtfError, match="C cannot have"):
        header(graph, 1)


def test_all_is_as_bpftool_and_pahole_have_it(tmp_path: Path) -> None:
    from tests.support.btf_oracles import against_bpftool, against_pahole

    need(shutil.which("bpftool") and shutil.which("pahole"), "bpftool and pahole")
    file = tmp_path / "vmlinux.btf"
    file.write_bytes(graph_of("lab-6.12-btf-kheaders").btf.data)
    for agreement in (against_bpftool(str(file)), against_pahole(str(file))):
        assert agreement.total > 4000
        assert [one.name for one in agreement.others] == []
        assert agreement.same > 0.94 * agreement.total
