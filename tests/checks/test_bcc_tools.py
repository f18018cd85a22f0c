"""What single tools of BCC rest on: read in the tool's own text, and held against this kernel."""

from __future__ import annotations

import errno

import pytest

from kdiag.model import Report, Status, Works
from kdiag.parse import cheaders
from tests.support import kernel_parts as parts
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import finding_of, report_on

RELEASE = "6.12.117+deb12-amd64"
PLACE = f"/usr/src/linux-headers-{RELEASE}"
#: As BCC 0.26 has it, and what 0.31 tries before (tools/biolatency.py).
OLD = """
if BPF.get_kprobe_functions(b'__blk_account_io_done'):
    b.attach_kprobe(event="__blk_account_io_done", fn_name="trace_req_done")
else:
    b.attach_kprobe(event="blk_account_io_done", fn_name="trace_req_done")
b.attach_kprobe(event="blk_mq_start_request", fn_name="trace_req_start")
"""
NEW = f"""
if BPF.tracepoint_exists("block", "block_io_done"):
    b.attach_tracepoint(tp="block:block_io_done", fn_name="trace_req_done_tp")
{OLD}"""
DONE = ("blk_mq_start_request", "__blk_account_io_done")
RENAMED = ("blk_mq_start_request", "blk_mq_end_request")


def with_bcc() -> Description:
    described = machines.tree(machines.linux(RELEASE), PLACE).link(f"/lib/modules/{RELEASE}/build", PLACE)
    return machines.bcc_starts(described)


def tool(described: Description, name: str, text: str) -> Report:
    described.file(f"/usr/sbin/{name}-bpfcc", f"#!/usr/bin/python3\n{text}", mode=0o755)
    return report_on(described.recording())


def block(*functions: str) -> Description:
    return with_bcc().file("/sys/kernel/btf/vmlinux", parts.btf(functions=functions), mode=0o444)


@pytest.mark.parametrize(
    ("text", "functions", "status", "said"),
    [
        (OLD, DONE, Status.UNKNOWN, "begins and ends"),
        (OLD, RENAMED, Status.FAIL, "no function where a request ends"),
        (OLD, ("__blk_account_io_done",), Status.FAIL, "no function where a request begins"),
        (NEW, RENAMED, Status.FAIL, "no function where a request ends"),
        (OLD, (), Status.UNKNOWN, "no function of its block layer"),
    ],
    ids=["there", "end renamed", "begin renamed", "no tracepoint either", "none in BTF"],
)
def test_biolatency_needs_a_begin_and_an_end(
    text: str, functions: tuple[str, ...], status: Status, said: str
) -> None:
    finding = finding_of(tool(block(*functions), "biolatency", text), "tools.bcc-biolatency")
    assert (finding.status, said in finding.summary) == (status, True)


def test_a_tracepoint_does_where_the_tool_knows_it() -> None:
    described = block(*RENAMED)
    for number, event in enumerate(("block_io_start", "block_io_done"), 7):
        described.file(f"/sys/kernel/tracing/events/block/{event}/id", f"{number}\n")
    half = finding_of(tool(described, "biolatency", NEW), "tools.bcc-biolatency")
    assert (half.status, half.likely) == (Status.UNKNOWN, Status.OK), "where it begins is a function"
    both = NEW + 'b.attach_tracepoint(tp="block:block_io_start", fn_name="trace_req_start_tp")\n'
    assert finding_of(tool(described, "biolatency", both), "tools.bcc-biolatency").status is Status.OK
    assert finding_of(tool(described, "biolatency", OLD), "tools.bcc-biolatency").status is Status.FAIL


def test_without_btf_nothing_is_claimed() -> None:
    described = machines.without_btf(with_bcc())
    finding = finding_of(tool(described, "biolatency", OLD), "tools.bcc-biolatency")
    assert (finding.status, finding.likely) == (Status.UNKNOWN, Status.OK)


LOOKED_UP = "if BPF.kernel_struct_has_field(b'task_struct', b'__state') == 1:\n"


@pytest.mark.parametrize(
    ("text", "member", "btf", "status"),
    [
        ("prev->state", "unsigned int __state", True, Status.FAIL),
        ("prev->state", "volatile long state", True, Status.OK),
        (LOOKED_UP, "unsigned int __state", True, Status.OK),
        (LOOKED_UP, "unsigned int __state", False, Status.FAIL),
        (LOOKED_UP, "volatile long state", False, Status.OK),
    ],
)
def test_runqlat_reads_a_field_that_was_renamed(text: str, member: str, btf: bool, status: Status) -> None:
    described = with_bcc() if btf else machines.without_btf(with_bcc())
    described.file(f"{PLACE}/include/linux/sched.h", f"struct task_struct {{\n\t{member};\n}};\n")
    assert finding_of(tool(described, "runqlat", text), "tools.bcc-runqlat").status is status


def test_a_header_that_was_reduced_still_names_the_field() -> None:
    text = "struct task_struct {\n\tunsigned int\t\t__state;\n\tint other;\n};\n"
    assert cheaders.has_member(cheaders.digest(text), "__state")
    assert not cheaders.has_member(cheaders.digest(text.replace("__state", "state")), "__state")
    assert not cheaders.has_member("/*\n\tint __state;\n*/\n", "__state")


@pytest.mark.parametrize(
    ("text", "btf", "refused", "works"),
    [
        ("BPF.support_kfunc()", True, False, True),
        ("BPF.support_kfunc()", True, True, False),
        ("BPF.support_kfunc()", False, True, True),
        ("attach_kprobe", True, True, True),
    ],
    ids=["fentry", "fentry is refused", "no BTF", "an old one"],
)
def test_opensnoop_does_not_turn_back_from_fentry(text: str, btf: bool, refused: bool, works: bool) -> None:
    described = with_bcc() if btf else machines.without_btf(with_bcc())
    if refused:
        described.probe(f"bpf:fentry:{parts.FENTRY_TEST}", errno.EPERM, "load")
    report = tool(described, "opensnoop", text)
    found = next(one for one in report.capabilities if one.id == "bcc-opensnoop")
    assert (found.status is not Works.FAILS) is works, found.because


def test_each_step_has_its_own_reason() -> None:
    """Headers that the network's tools cannot be compiled with leave the others as they are."""
    described = with_bcc()
    described.file(f"{PLACE}/include/linux/bpf.h", "int f(void)\n{\n\treturn sizeof(struct bpf_wq);\n}\n")
    described.file(f"{PLACE}/include/uapi/linux/bpf.h", "struct bpf_wq {\n};\n")
    own = "\x7fELF\0/* BCC's */\n#ifndef __LINUX_BPF_H__\nstruct bpf_timer {\n};\n\0"
    described.file("/usr/lib/x86_64-linux-gnu/libbcc.so.0.26.0", own)
    status = {one.id: one.status for one in report_on(described.recording()).capabilities}
    assert status["bcc-net"] is Works.FAILS
    assert {status[f"bcc-{one}"] for one in ("compiler", "headers", "structs", "load", "kprobe")} == {
        Works.WORKS
    }
