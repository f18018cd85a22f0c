"""What single tools of BCC rest on: read in the tool's own text, and held against this kernel."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from kdiag.machine.tracing import KPROBE_BLACKLIST
from kdiag.model import Report, Status, Works
from kdiag.parse import cheaders
from kdiag.recording.make import make
from tests.support import kernel_parts as parts
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import builtin, finding_of, report_on

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


LIST = "/sys/kernel/tracing/available_filter_functions"


def block(*functions: str) -> Description:
    """These functions by BTF; the list of those that can be probed is not to be read."""
    described = with_bcc().file("/sys/kernel/btf/vmlinux", parts.btf(functions=functions), mode=0o444)
    return described.refuse(LIST, errno.EPERM)


def probeable(described: Description, *functions: str) -> Description:
    """These functions by the list; one of a module has its name behind it."""
    described.refused.pop(LIST, None)
    return described.file(LIST, "".join(f"{name}\n" for name in ("vfs_open", *functions, "nf_hook [nf]")))


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


@pytest.mark.parametrize(
    ("text", "listed", "status"),
    [
        (OLD, DONE, Status.OK),
        (OLD, DONE[:1], Status.FAIL),
        (OLD, ("blk_account_io_done.isra.0", DONE[0]), Status.FAIL),
        (OLD, (), Status.FAIL),
    ],
    ids=["both", "in BTF alone", "as a part of itself", "none"],
)
def test_what_can_be_probed_decides_over_what_btf_names(
    text: str, listed: tuple[str, ...], status: Status
) -> None:
    """Debian's 6.1 has blk_account_io_done in its BTF, and no kprobe can be put on it."""
    described = probeable(block(*DONE, "blk_account_io_done"), *listed)
    report = tool(described, "biolatency", text)
    finding = finding_of(report, "tools.bcc-biolatency")
    assert finding.status is status and any(LIST in e.source for e in finding.evidence)
    mine = next(c for c in report.capabilities if c.id == "bcc-biolatency")
    assert (mine.status is Works.FAILS) is (status is Status.FAIL)
    assert "functions" not in mine.because or status is Status.FAIL, "of these nothing is left to be expected"


def test_a_function_on_the_blacklist_is_not_probed() -> None:
    described = probeable(block(*DONE), *DONE)
    described.file(KPROBE_BLACKLIST, f"0xffffffff81000000-0xffffffff81000010\t{DONE[1]}\n")
    assert finding_of(tool(described, "biolatency", OLD), "tools.bcc-biolatency").status is Status.FAIL


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.file(
            f"/boot/config-{RELEASE}", parts.config("6.12.117", {"KPROBE_EVENTS_ON_NOTRACE": "y"})
        ),
        lambda x: x.close("/sys/kernel/tracing"),
    ],
    ids=["the kernel does not go by it", "not to be read"],
)
def test_where_the_list_does_not_tell_it_stays_expected(change: Callable[[Description], object]) -> None:
    described = probeable(block(*DONE), "vfs_read")
    change(described)
    finding = finding_of(tool(described, "biolatency", OLD), "tools.bcc-biolatency")
    assert (finding.status, finding.likely) == (Status.UNKNOWN, Status.OK)


def test_a_recording_keeps_the_lines_that_were_asked_for() -> None:
    """60,000 functions are 1.5 MB; what is left of them gives the same answer."""
    others = "".join(f"function_{number}\n" for number in range(60_000))
    described = probeable(block(*DONE), *DONE)
    described.file(LIST, described.nodes[LIST].data + others.encode())
    described.file("/usr/sbin/biolatency-bpfcc", f"#!/usr/bin/python3\n{OLD}", mode=0o755)
    registry = builtin()
    made = make(described.recording(), registry, registry.checks, (), None)
    kept = made.files[f"root{LIST}"].decode().split()
    assert set(DONE) <= {*kept} and len(kept) < 10
    assert "tools.bcc-biolatency" not in made.differs


# -- lists and symbols ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda x: x, Status.OK),
        (lambda x: machines.mounted(x, debugfs=False), Status.FAIL),
        (lambda x: x.remove(KPROBE_BLACKLIST), Status.UNKNOWN),
        (lambda x: x.refuse(KPROBE_BLACKLIST, errno.EPERM), Status.OK),
        (lambda x: x.refuse(KPROBE_BLACKLIST, errno.EACCES), Status.FAIL),
        (machines.user, Status.UNKNOWN),
    ],
    ids=["there", "no debugfs", "left out of a description", "locked down", "closed", "another user"],
)
def test_tools_that_look_functions_up_read_the_blacklist(
    change: Callable[[Description], object], status: Status
) -> None:
    """get_kprobe_functions() passes over EPERM, and over nothing else."""
    described = with_bcc().file("/usr/lib/x86_64-linux-gnu/libbcc.so.0.26.0", b"\x7fELF")
    change(described)
    report = report_on(described.recording())
    assert finding_of(report, "tools.bcc-lists").status is status
    works = {c.id: c.status for c in report.capabilities}
    assert (works["bcc-functions"] is Works.FAILS) is (status is Status.FAIL or described.uid != 0)
    assert (
        "those that look functions up"
        in next((c.because for c in report.capabilities if c.id == "bcc-tools"), "")
        or status is not Status.FAIL
    )


LOOKED_UP = "if BPF.kernel_struct_has_field(b'task_struct', b'__state') == 1:\n"
ZEROS = "0000000000000000 T _stext\n" * 9


def test_hidden_addresses_lead_bcc_to_functions_that_are_not_there() -> None:
    """get_syscall_prefix(), support_kfunc() and support_raw_tracepoint() look symbols up in /proc/kallsyms."""
    held = machines.ALL_CAPABILITIES & ~machines.mask("CAP_SYSLOG")
    described = machines.answers(with_bcc().file("/proc/kallsyms", ZEROS), held)
    tool(described, "opensnoop", "BPF.support_kfunc()")
    report = tool(described, "runqlat", f"{LOOKED_UP}BPF.support_raw_tracepoint()")
    works = {c.id: c.status for c in report.capabilities}
    failing = {"bcc-execsnoop", "bcc-opensnoop", "bcc-runqlat"}
    assert {i for i in works if i.startswith("bcc-") and works[i] is Works.FAILS} == failing
    assert works["bcc-tools"] is Works.CAVEAT
    with_them = machines.answers(described.file("/proc/kallsyms", "ffffffff81000000 T _stext\n" * 9))
    assert Works.FAILS not in {
        c.status for c in report_on(with_them.recording()).capabilities if c.tool == "BCC"
    }


def test_what_a_user_is_not_shown_says_nothing_of_root() -> None:
    described = machines.user(with_bcc().file("/proc/kallsyms", ZEROS))
    finding = finding_of(report_on(described.recording()), "tools.bcc-syscalls")
    assert (finding.status, finding.likely) == (Status.UNKNOWN, Status.OK)


def test_before_the_functions_were_renamed_it_guesses_right() -> None:
    described = machines.bcc_starts(machines.linux("4.14.0-1")).file("/proc/kallsyms", ZEROS)
    assert finding_of(report_on(described.recording()), "tools.bcc-syscalls").status is Status.OK


def test_without_btf_nothing_is_claimed() -> None:
    described = machines.without_btf(with_bcc()).refuse(LIST, errno.EPERM)
    finding = finding_of(tool(described, "biolatency", OLD), "tools.bcc-biolatency")
    assert (finding.status, finding.likely) == (Status.UNKNOWN, Status.OK)


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
