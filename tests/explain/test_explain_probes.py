"""`kdiag explain PROBE`: what it names, where its types come from, whether it can be traced, and what it requires."""

from __future__ import annotations

import json
from functools import cache

import pytest
from jsonschema import Draft202012Validator

from kdiag.commands.explain import answers
from kdiag.explain.here import Here
from kdiag.explain.json import render as render_json
from kdiag.explain.json import schema_text
from kdiag.explain.probe.explain import explain
from kdiag.explain.value import Answer, NotKnown
from kdiag.system.recording import Recording
from tests.support import machines
from tests.support.explained import TRACING, cells, described, here, listed, said
from tests.support.paths import FIXTURES

TYPES = "Where its types come from"


@cache
def machine(version: str = "0.23.2") -> Here:
    return here(described(version))


def about(probe: str, version: str = "0.23.2") -> Answer:
    return explain(probe, machine(version))


# -- tracepoints -------------------------------------------------------------------------------------------------------


def test_a_tracepoint_has_its_fields_beside_those_of_btf() -> None:
    answer = about("tracepoint:sched:sched_switch")
    assert answer.outcome == "works"
    rows = cells(answer, TYPES)
    assert ("prev_comm", "char[16]", "8", "16", "char[16]") in rows
    assert ("prev_state", "long", "32", "8", "long int") in rows
    assert "struct trace_event_raw_sched_switch" in said(answer)
    assert "common_type" not in str(rows)


def test_a_system_call_is_known_to_tracefs_only() -> None:
    answer = about("t:syscalls:sys_enter_openat")
    assert answer.outcome == "works"
    assert ("filename", "const char *", "24", "8", "-") in cells(answer, TYPES)
    assert "trace_event_raw_sys_enter" in said(answer)


@pytest.mark.parametrize(
    ("version", "words"),
    [("0.17.0", "args->FIELD"), ("0.23.2", "args.FIELD"), ("0.27.1", "looks their types up in BTF")],
)
def test_where_the_types_come_from_is_a_matter_of_the_release(version: str, words: str) -> None:
    assert words in said(about("tracepoint:sched:sched_switch", version))


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        ("tracepoint:sched:sched_swich", "did you mean sched:sched_switch?"),
        ("tracepoint:skb:sched_switch", "the event sched_switch is tracepoint:sched:sched_switch"),
        ("tracepoint:shed:nothing", "nor any of the group shed; did you mean sched?"),
    ],
)
def test_what_is_not_there_has_its_nearest(probe: str, words: str) -> None:
    answer = about(probe)
    assert answer.outcome == "fails" and words in answer.verdict


def test_without_tracefs_btf_names_the_event_and_the_mount_is_what_is_missing() -> None:
    bare = machines.unmounted(described())
    answer = explain("tracepoint:sched:sched_switch", here(bare))
    assert answer.outcome == "fails" and "tracefs" in answer.verdict
    assert "btf_trace_sched_switch" in said(answer)


def test_a_pattern_of_tracepoints_is_counted() -> None:
    answer = about("tracepoint:sched:*")
    assert answer.outcome == "works" and "2 tracepoints match" in said(answer)


# -- raw tracepoints ---------------------------------------------------------------------------------------------------


def test_a_raw_tracepoint_has_the_arguments_that_the_kernel_passes() -> None:
    rows = cells(about("rawtracepoint:sched_switch"), TYPES)
    assert rows[1] == ("arg1", "prev", "struct task_struct *")


def test_a_raw_tracepoint_requires_a_release() -> None:
    answer = about("rt:sched_switch", "0.17.0")
    assert answer.outcome == "fails" and "requires bpftrace 0.18" in answer.verdict


def test_a_single_system_call_is_no_raw_tracepoint() -> None:
    answer = about("rawtracepoint:sys_enter_openat")
    assert answer.outcome == "fails" and "rawtracepoint:sys_enter is of all calls" in answer.verdict


def test_a_raw_tracepoint_that_is_not_there_has_its_nearest() -> None:
    assert "did you mean sched_switch?" in about("rawtracepoint:sched_swich").verdict


# -- functions ---------------------------------------------------------------------------------------------------------


def test_a_function_has_its_prototype_and_is_on_the_list() -> None:
    answer = about("kprobe:vfs_open")
    assert answer.outcome == "works"
    assert "int vfs_open(const struct path *path, struct file *file);" in said(answer)
    assert cells(answer, TYPES)[0] == ("arg0", "path", "const struct path *")
    assert f"{TRACING}/available_filter_functions lists it" in said(answer)


def test_what_returns_has_its_result() -> None:
    assert cells(about("kretprobe:vfs_open"), TYPES) == (("retval", "", "int"),)
    assert ("retval", "int") in cells(about("fexit:vfs_open"), TYPES)


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (
            "kprobe:blk_account_io_done",
            "renamed blk_account_io_done: this kernel has blk_account_io_done.isra.0",
        ),
        ("kprobe:blk_account_io_done", "kprobe:blk_account_io_done.isra.0 can be traced"),
        ("kprobe:irq_enter", "marked notrace"),
        ("kprobe:ret_from_fork_asm", "list of functions without kprobes"),
        ("kprobe:vfs_opne", "did you mean vfs_open?"),
        ("kprobe:no_such_function_here", "this kernel has no function no_such_function_here"),
        ("kprobe:dummy_mod:f", "there is no module dummy_mod loaded"),
        ("fentry:not_in_btf_at_all", "kprobe:not_in_btf_at_all can be used"),
        ("kretprobe:vfs_open+4", "only kprobe takes an offset"),
    ],
)
def test_what_cannot_be_traced_has_its_reason(probe: str, words: str) -> None:
    answer = about(probe)
    assert answer.outcome == "fails" and words in answer.verdict, answer.verdict


def test_what_is_in_btf_and_has_no_symbol_is_inlined() -> None:
    answer = about("kprobe:tcp_v6_connect")
    assert answer.outcome == "fails" and "inlined" in answer.verdict


def test_a_module_that_is_installed_and_not_loaded_is_named() -> None:
    machine = described()
    machine.file(f"/lib/modules/{machine.release}/modules.symbols", "alias symbol:nft_do_chain nf_tables\n")
    machine.file(f"/lib/modules/{machine.release}/modules.dep", "kernel/net/netfilter/nf_tables.ko:\n")
    for probe in ("kprobe:nft_do_chain", "kprobe:nf_tables:nft_do_chain"):
        answer = explain(probe, here(machine))
        assert "`modprobe nf_tables` loads it" in answer.verdict, answer.verdict


def test_a_module_in_a_kprobe_requires_a_release() -> None:
    assert "takes no module in a kprobe" in about("kprobe:ext4:ext4_sync_file", "0.17.0").verdict
    assert about("kprobe:ext4:ext4_sync_file").outcome == "works"


def test_an_old_spelling_is_offered_to_an_old_release() -> None:
    answer = about("fentry:vfs_open", "0.17.0")
    assert answer.outcome == "fails" and "write kfunc:vfs_open" in answer.verdict
    assert about("kfunc:vfs_open", "0.17.0").outcome == "works"
    assert about("kfunc:vfs_open", "0.27.1").outcome == "works"


def test_what_a_recording_does_not_hold_cannot_be_told() -> None:
    place = here(Recording(FIXTURES / "lab-6.12-btf-kheaders"))
    answer = explain("kprobe:vfs_open", place)
    assert answer.outcome == "unknown" and "not recorded" in answer.verdict
    assert "int vfs_open(" in said(answer)
    part = here(machines.bpftrace(machines.linux(), "0.23.2"), types=False)
    assert explain("rawtracepoint:sched_switch", part).outcome == "unknown"
    assert explain("fentry:tcp_v6_connect", part).outcome in ("unknown", "fails")


def test_a_part_of_the_list_shows_what_is_in_it_and_no_more() -> None:
    part = described().file(f"{TRACING}/available_filter_functions", "vfs_open\n")
    place = here(part)
    assert explain("kprobe:vfs_open", place).outcome == "works"
    assert explain("kprobe:vfs_read", place).outcome == "unknown"
    assert explain("kprobe:vfs_*", place).outcome == "unknown"


def test_a_kernel_that_does_not_go_by_the_list_probes_what_it_has() -> None:
    answer = explain("kprobe:irq_enter", here(described(options={"KPROBE_EVENTS_ON_NOTRACE": "y"})))
    assert answer.outcome == "works" and "not in the list" in answer.verdict


def test_who_may_not_look_is_told_so() -> None:
    answer = explain("kprobe:vfs_open", here(machines.user(described())))
    assert answer.outcome == "fails" and "root" in answer.verdict
    assert "As root it is expected to: works." in said(answer)


# -- patterns ----------------------------------------------------------------------------------------------------------


def test_a_pattern_is_counted_attached_and_its_cost_estimated() -> None:
    once = said(about("kprobe:tcp_*"))
    assert "It stands for 4 functions: tcp_connect, tcp_sendmsg" in once and "one link (kprobe.multi)" in once
    single = said(about("kprobe:tcp_*", "0.11.3"))
    assert "one by one" in single and "Estimate: less than 1 s" in single
    assert "one by one" in said(about("fentry:tcp_*"))


def test_many_functions_are_counted_with_what_attaching_and_detaching_them_costs() -> None:
    machine = described("0.23.0")
    machine.file(
        f"{TRACING}/available_filter_functions", listed(*(f"x_{number}" for number in range(50_000)))
    )
    answer = said(explain("kprobe:x_*", here(machine)))
    assert "It stands for 50000 functions: x_0, x_1, x_2, x_3, x_4 and 49995 more." in answer
    assert (
        "one link (kprobe.multi). Estimate: 1 s to attach and less than 1 s to detach (48,712 functions"
        in answer
    )
    machine.probe("bpf:kprobe-multi", 22)
    assert "one by one. Estimate: 2 minutes to attach" in said(explain("kprobe:x_*", here(machine)))


def test_a_pattern_where_the_list_cannot_be_seen_is_counted_in_the_kernel_s_types() -> None:
    machine = machines.unmounted(described())
    answer = said(explain("kprobe:vfs_*", here(machine)))
    assert "The kernel's BTF has" in answer and " functions of such a name: vfs_" in answer
    assert "cannot be seen here" in answer


def test_more_probes_than_a_release_attaches_are_told_with_the_variable() -> None:
    machine = described("0.17.0")
    names = [f"x_{number}" for number in range(600)]
    machine.file(f"{TRACING}/available_filter_functions", listed(*names))
    machine.probe("bpf:kprobe-multi", 22)
    answer = explain("kprobe:x_*", here(machine))
    assert answer.outcome == "fails" and "BPFTRACE_MAX_PROBES=600" in answer.verdict
    assert "600 functions" in said(answer) and "2 s to attach" in said(answer)


def test_a_pattern_that_matches_nothing_fails() -> None:
    assert about("kprobe:zzz*").outcome == "fails"


def test_more_tracepoints_than_a_release_attaches_are_told() -> None:
    machine = described("0.17.0")
    machine.file(f"{TRACING}/available_events", "".join(f"sched:e{number}\n" for number in range(700)))
    assert "BPFTRACE_MAX_PROBES=700" in explain("tracepoint:sched:*", here(machine)).verdict


def test_what_comes_from_the_command_line_cannot_be_told() -> None:
    for probe in ("kprobe:$1", "uprobe:$1:main", "tracepoint:sched:$1"):
        answer = about(probe)
        assert answer.outcome == "unknown" and "$1 comes from the command line" in answer.verdict


# -- the rest ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "probe",
    [
        "BEGIN",
        "END",
        "begin",
        "profile:hz:99",
        "p:ms:10",
        "i:s:1",
        "interval:s:$1",
        "software:faults:100",
        "s:cs:",
        "iter:task",
    ],
)
def test_what_needs_nothing_by_name_works(probe: str) -> None:
    version = "0.27.1" if probe == "begin" else "0.23.2"
    assert about(probe.rstrip(":"), version).outcome == "works"


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        ("profile:hx:99", "'hx' is no unit of time"),
        ("interval:s:0", "'0' is no number of s"),
        ("software:fauts:1", "did you mean faults?"),
        ("iter:tusk", "this kernel has no iterator tusk; it has"),
        ("begin", "write BEGIN"),
        ("self:signal:SIGUSR1", "requires bpftrace 0.22"),
    ],
)
def test_what_there_is_not_fails_with_the_reason(probe: str, words: str) -> None:
    version = "0.17.0" if probe.startswith("self") else "0.23.2"
    answer = about(probe, version)
    assert answer.outcome == "fails" and words in answer.verdict, answer.verdict


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kprobe:", "write kprobe:FUNCTION"),
        ("tracepoint:sched", "write tracepoint:GROUP:EVENT"),
        ("k*:vfs_open", "stands for several kinds"),
        ("kprobe:vfs open", "white space"),
        ('uprobe:"/bin/bash:main', "not closed"),
        ("kprobe:" + "x" * 9000, "8192 is the most"),
        ("kprobe:a\0b", "0x00"),
        ("interval:s:1:2", "write interval:s:1"),
    ],
)
def test_what_is_no_attach_point_says_how_one_is_written(text: str, words: str) -> None:
    with pytest.raises(NotKnown, match=None) as caught:
        explain(text, machine())
    assert words in str(caught.value)


def test_the_command_takes_probes_beside_names_and_the_document_fits_its_schema() -> None:
    given = tuple(
        answers(["kprobe:vfs_open", "btf.vmlinux", "BEGIN", "tracepoint:sched:sched_switch"], machine())
    )
    assert [one.kind for one in given] == ["probe", "check", "probe", "probe"]
    Draft202012Validator(json.loads(schema_text())).validate(json.loads(render_json(given)))


def test_patterns_of_any_kind_end() -> None:
    for probe in ("kprobe:*", "fentry:*", "tracepoint:*:*", "kprobe:" + "*a" * 30):
        assert about(probe).outcome in ("works", "fails", "unknown")
