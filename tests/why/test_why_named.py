"""What a message names of the kernel is looked up in its types: BTF that is made here, with two names in it."""

from __future__ import annotations

import pytest

from kdiag.btf.sources import NoTypes, Source, Types
from kdiag.model import Finding, MachineInfo, Readiness, Report, Status, Verdict
from kdiag.parse.btf import Kind, parse
from kdiag.parse.btf.graph import Graph
from kdiag.why.joining import join
from kdiag.why.judging import explained
from kdiag.why.named import held
from kdiag.why.value import Answer
from tests.support.btf_encoder import Encoder, Name, composite, record

#: As Linux has them: the field got underscores, the function lost a prefix.
INODE = composite(Kind.STRUCT, "inode", ("__i_ctime", 1, 0), ("i_ino", 1, 32), size=8)
DATA = (
    Encoder()
    .add(
        record(Kind.INT, "int", 4, 0x01000020),
        INODE,
        record(Kind.FUNC_PROTO, "", 0),
        record(Kind.FUNC, "do_unlinkat", 3),
        *(record(Kind.INT, f"filling{number}", 4, 0x01000020) for number in range(1000)),
    )
    .encode()
)
FUNCTION = "libbpf: prog 'a': failed to find kernel BTF type ID of '{}': -3"
RELOCATION = (
    "libbpf: prog 'a': relo #12: <byte_off> [423] struct inode.{} (0:15 @ offset 88): bad CO-RE relocation"
)
SCRIPT = "stdin:1:1-3: ERROR: Struct/union of type 'struct inode' does not contain a field named '{}'"


def types() -> Source:
    graph = Graph(parse(DATA, lazy=True))
    return Source("this kernel", "6.12.1", Types("/sys/kernel/btf/vmlinux", "", graph, DATA))


def answer(text: str, *findings: Finding, source: object = types) -> Answer:
    """What is said first."""
    report = Report("", "", MachineInfo(), findings, (), (), Verdict(Readiness.READY, ""))
    assert callable(source)
    return held(explained(join(text.splitlines()), report), source).answers[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (RELOCATION.format("i_ctime"), "has no member i_ctime; did you mean __i_ctime?"),
        (SCRIPT.format("i_ctime"), "has no member i_ctime; did you mean __i_ctime?"),
        (FUNCTION.format("do_unlinkat2"), "no function do_unlinkat2; did you mean do_unlinkat?"),
        (RELOCATION.replace("inode", "gone").format("a"), "this kernel has no struct gone"),
        ("ERROR: Unknown struct/union: 'struct inod'", "this kernel has no struct inod; did you mean inode?"),
        ("stdin:1:1-9: ERROR: No BTF found for fentry:do_unlinkatt", "did you mean do_unlinkat?"),
    ],
)
def test_a_name_that_the_kernel_does_not_have_is_the_cause(text: str, says: str) -> None:
    found = answer(text)
    assert found.outcome == "established"
    assert found.cause is not None
    assert says in found.cause.summary
    assert found.cause.evidence[0].source == "/sys/kernel/btf/vmlinux"


@pytest.mark.parametrize("text", [RELOCATION.format("i_ino"), FUNCTION.format("do_unlinkat")])
def test_a_name_that_the_kernel_has_is_ruled_out(text: str) -> None:
    found = answer(text)
    assert found.outcome != "established"
    assert [one.id for one in found.ruled_out if one.status is Status.OK] == ["btf.names"]


def test_another_cause_that_is_established_stands_and_nothing_is_read() -> None:
    def never() -> Source:
        raise AssertionError("read for nothing")

    none = Finding(Status.FAIL, "the kernel has no BTF", id="btf.vmlinux")
    found = answer(FUNCTION.format("do_unlinkat2"), none, source=never)
    assert found.cause == none
    assert answer("ERROR: failed to create map: '@': Operation not permitted", source=never)


def test_types_that_are_no_whole_kernels_deny_nothing() -> None:
    """As a machine has them that was described with the few types that a check reads."""
    data = Encoder().add(record(Kind.INT, "int", 4, 0x01000020), INODE).encode()
    part = Source("a", "6.12.1", Types("/sys/kernel/btf/vmlinux", "", Graph(parse(data, lazy=True)), data))
    assert answer(SCRIPT.format("i_ctime"), source=lambda: part).outcome != "established"


def test_a_type_that_is_nowhere_is_missing_in_no_module() -> None:
    no_modules = Finding(Status.FAIL, "no modules", id="btf.modules", title="")
    found = answer("ERROR: Unknown struct/union: 'struct inod'", no_modules)
    assert found.cause is not None
    assert found.cause.id == "btf.names"
    found = answer("ERROR: Unknown struct/union: 'struct inode'", no_modules)
    assert [one.id for one in found.ruled_out] == ["btf.names"]


def test_without_types_the_answer_stays_as_it_was() -> None:
    def nothing() -> Source:
        raise NoTypes("there is no BTF", known=True)

    assert answer(FUNCTION.format("do_unlinkat2"), source=nothing).outcome != "established"


@pytest.mark.parametrize(
    ("release", "outcome", "says"),
    [
        ("5.4.0-214-generic", "established", "does not have the helper 130, bpf_ringbuf_output"),
        ("6.8.0-40-generic", "none-here", "this kernel has the helper 130, bpf_ringbuf_output"),
    ],
)
def test_a_helper_that_has_no_name_is_looked_up_by_its_number(release: str, outcome: str, says: str) -> None:
    """Without an enum bpf_func_id in its types the release of the kernel tells."""
    report = Report("", "", MachineInfo(release=release), (), (), (), Verdict(Readiness.READY, ""))
    log = join(["load program: invalid argument: invalid func unknown#130 (12 line(s) omitted)"])
    (found,) = held(explained(log, report), types).answers
    assert found.outcome == outcome
    assert says in (found.cause or found.ruled_out[-1]).summary


def test_the_kernels_own_list_of_helpers_decides_before_its_release() -> None:
    listed = (Name("BPF_FUNC_unspec"), 0, Name("BPF_FUNC_ringbuf_output"), 130)
    data = Encoder().add(record(Kind.ENUM, "bpf_func_id", 4, *listed, vlen=2)).encode()
    source = Source(
        "this kernel", "", Types("/sys/kernel/btf/vmlinux", "", Graph(parse(data, lazy=True)), data)
    )
    report = Report("", "", MachineInfo(release="4.18.0"), (), (), (), Verdict(Readiness.READY, ""))
    log = join(["invalid func unknown#130", "invalid func unknown#131"])
    first, *_ = held(explained(log, report), lambda: source).answers
    assert first.outcome == "none-here"
