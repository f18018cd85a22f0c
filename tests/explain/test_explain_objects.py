"""`kdiag explain FILE.bpf.o`: what is said of objects on kernels whose types are known, and of files that are none.

The objects and the kernels' types are in objects/; build.sh there makes them. What libbpf and the kernel make of real
ones is held against it in tests/parse/test_bpf_live.py.
"""

from __future__ import annotations

import errno
import json
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from kdiag.checking.registry import discover
from kdiag.explain.here import Here
from kdiag.explain.json import render as render_json
from kdiag.explain.json import schema_text
from kdiag.explain.object.answer import explain
from kdiag.explain.object.attach import by_itself
from kdiag.explain.object.source import looks_like_one
from kdiag.explain.text import render
from kdiag.explain.value import Answer, NotKnown, Section
from kdiag.knowledge.bpf.tables import section as section_named
from kdiag.machine import Machine
from kdiag.parse.btf import Kind, parse
from kdiag.report.terminal.page import Page
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import report_on

LISTED = "/sys/kernel/tracing/available_filter_functions"
OBJECTS = Path(__file__).parent / "objects"


def machine(kernel: str = "kernel") -> Description:
    """A machine whose kernel has these types, and where nothing else stands in the way."""
    types = (OBJECTS / f"{kernel}.btf").read_bytes()
    btf = parse(types, lazy=True)
    described = (
        machines.mounted(machines.linux())
        .file("/sys/kernel/btf/vmlinux", types)
        .file(LISTED, "do_thing\nbpf_fentry_test1\n")
        .file("/proc/kallsyms", "ffffffff81000000 T do_thing\n")
    )
    return described.probe(f"bpf:fentry:{btf.find('bpf_fentry_test1', (Kind.FUNC,))}", 0)


def here(described: Description) -> Here:
    recorded = described.recording()
    return Here(
        Machine(recorded),
        lambda: discover(plugins=False),
        lambda: report_on(recorded),
        "the recorded machine",
    )


def said(name: str | Path, described: Description) -> Answer:
    path = name if isinstance(name, Path) else OBJECTS / f"{name}.bpf.o"
    return explain(str(path), here(described))


def rows(answer: Answer, title: str) -> dict[str, tuple[str, ...]]:
    section = next(one for one in answer.sections if one.title == title)
    return {row[0]: row for row in section.rows}


def section(answer: Answer, title: str) -> Section:
    return next(one for one in answer.sections if one.title == title)


FIELDS = "Fields and types of the kernel (CO-RE)"


@pytest.mark.parametrize(
    ("name", "kernel", "outcome", "because"),
    [
        ("plain", "kernel", "works", ""),
        ("plain", "changed", "works", ""),
        ("guarded", "kernel", "works", ""),
        ("guarded", "changed", "works", ""),
        ("called", "changed", "works", ""),
        ("constant", "changed", "works", ""),
        ("unguarded", "kernel", "works", ""),
        ("unguarded", "changed", "fails", "program: struct thing of this kernel has no gone"),
        ("kinds", "kernel", "works", ""),
        ("helper", "kernel", "works", ""),
        ("unknown_helper", "kernel", "fails", "program: the kernel has no helper number 250"),
        ("closed", "kernel", "fails", "program: bpf_probe_read_kernel is for GPL programs alone"),
        ("kfunc", "kernel", "works", ""),
        ("kfunc", "changed", "fails", "the kernel has no function bpf_thing for programs to call (kfunc)"),
        ("targets", "kernel", "fails", "at_exit: the kernel's BTF has no function no_such_function"),
    ],
)
def test_an_object_is_judged_by_what_the_kernel_has(
    name: str, kernel: str, outcome: str, because: str
) -> None:
    answer = said(name, machine(kernel))
    assert (answer.outcome, because in answer.verdict) == (outcome, True), answer.verdict


def test_each_field_is_told_with_its_place() -> None:
    fields = rows(said("plain", machine("changed")), FIELDS)
    assert fields["thing.kept"][1] == "byte 8 (compiled for byte 0)"
    assert fields["thing.moved"][1] == "byte 16 (compiled for byte 4)"
    assert fields["thing.in.second"][1] == "byte 44 (compiled for byte 32)"
    assert fields["thing.list[2]"][1] == "byte 56 (compiled for byte 44)"
    same = rows(said("plain", machine("kernel")), FIELDS)
    assert same["thing.kept"][1] == "byte 0"


def test_a_missing_field_that_the_program_asks_for_is_no_failure() -> None:
    assert rows(said("guarded", machine("changed")), FIELDS)["thing.gone"][1] == (
        "not there, and the program asks first"
    )
    assert rows(said("constant", machine("changed")), FIELDS)["thing.gone"][1] == (
        "not there, and no program comes to it"
    )
    assert rows(said("unguarded", machine("changed")), FIELDS)["thing.gone"][1] == "not there"


def test_each_kind_of_relocation_is_told() -> None:
    fields = rows(said("kinds", machine("changed")), FIELDS)
    assert fields["colour.GREEN"][1] == "20 (compiled with 2)"
    assert fields["colour.BLUE"][1] == "not there, and the program asks first"
    assert fields["absent"][1] == "not there, and the program asks first"
    assert fields["thing.flag"][1] == "byte 28, bit 5 (compiled for byte 24)"
    assert fields["number_t"][1] == "there"


def test_programs_maps_and_helpers_are_listed() -> None:
    answer = said("targets", machine())
    programs = rows(answer, "Programs")
    assert programs["at_entry"][1:] == ("fentry/do_thing", "TRACING (TRACE_FENTRY)", "loads")
    assert programs["at_exit"][3] == "does not load"
    assert programs["hook"][3] == "loads, only on request"
    assert programs["nonsense"][2:] == ("not known to libbpf", "does not load")
    assert rows(answer, "Maps")["table"] == ("table", "HASH", "4", "8", "16", "yes")
    assert rows(answer, "Helpers")["bpf_map_update_elem"][1] == "3.19"


def test_a_program_on_request_decides_nothing() -> None:
    failing = [row[1] for row in rows(said("targets", machine()), "What stands in the way").values()]
    assert not any("hook" in text for text in failing)


@pytest.mark.parametrize(
    ("described", "outcome", "because"),
    [
        (machine().probe("bpf:map", errno.EPERM), "fails", "refuses bpf(2) to the caller: EPERM"),
        (machines.without_btf(machine()), "fails", "the kernel does not provide BTF"),
        (
            machine().probe("bpf:prog:kprobe", errno.EINVAL),
            "fails",
            "refuses an empty program of type KPROBE",
        ),
        (machines.user(machine()), "fails", "EPERM"),
    ],
)
def test_what_all_programs_need(described: Description, outcome: str, because: str) -> None:
    answer = said("plain", described)
    assert (answer.outcome, because in answer.verdict) == (outcome, True), answer.verdict
    assert next(one for one in answer.sections if one.title == "What stands in the way").commands


def test_the_kernel_s_types_that_cannot_be_read_are_not_missing() -> None:
    described = machine().refuse("/sys/kernel/btf/vmlinux", errno.EACCES)
    answer = said("plain", described)
    assert (answer.outcome, "cannot tell" in answer.verdict) == ("unknown", True), answer.verdict


def test_an_attach_point_that_is_not_there() -> None:
    answer = said("plain", machine().file(LISTED, "do_thing.isra.0\n"))
    assert (answer.outcome, answer.verdict) == (
        "fails",
        "It loads on the recorded machine and does not attach, because program: the kernel has no function do_thing "
        "that can be probed.",
    )
    assert rows(answer, "Programs")["program"][3] == "loads, does not attach"
    unlisted = machine()
    unlisted.remove(LISTED)
    assert said("plain", unlisted).outcome == "works", "its types have the function"


def test_what_the_object_expects_of_the_kernel_by_name() -> None:
    described = machine().file("/proc/kallsyms", "ffffffff81000000 T vfs_read\n")
    answer = said("externs", described)
    assert answer.verdict.startswith(
        "It will not load on the recorded machine, because it reads CONFIG_NO_SUCH_OPTION,"
    )
    assert "NOT_NEEDED" not in answer.verdict and "no_such_symbol" not in str(answer)
    assert rows(answer, "Programs")["operation"][3] == "does not load", "this kernel has no such program type"
    without = said("externs", machine().file("/proc/kallsyms", "ffffffff81000000 T vfs_rea\n"))
    assert "the kernel has no variable vfs_read" in str(without)


def test_arguments_that_a_tracepoint_does_not_have() -> None:
    """thing_done has one; which of the two the program reads, the kernel's release decides."""
    assert said("arguments", machine()).outcome == "works"
    older = machine()
    older.release, older.version = "5.10.0-39-amd64", "#1 SMP Debian 5.10.251-1 (2026-02-01)"
    answer = said("arguments", older)
    assert (answer.outcome, answer.because) == (
        "fails",
        "program: it reads argument 2 of thing_done, which has 1 in this kernel",
    )


def test_a_function_that_has_types_and_no_symbol() -> None:
    """Inlined, or renamed to do_thing.isra.0: the verifier finds no address."""
    described = machine().file("/proc/kallsyms", "ffffffff81000000 t do_thing.isra.0\n")
    programs = rows(said("targets", described), "Programs")
    assert programs["at_entry"][3] == "does not load"


def test_a_helper_that_its_program_type_may_not_call() -> None:
    answer = said("forbidden", machine())
    assert (answer.outcome, answer.because) == (
        "fails",
        "program: programs of type KPROBE may not call bpf_skb_load_bytes",
    )


def test_operations_that_the_kernel_takes() -> None:
    answer = said("operations", machine())
    assert answer.outcome == "works", answer.verdict
    assert [row[1:] for row in section(answer, "Operations (struct_ops)").rows] == [
        ("start", "start", "yes"),
        ("stop", "stop", "yes"),
        ("any", "never", "no, only on request"),
    ]
    assert "the types of those not compared" in str(section(answer, "What was not looked at"))


def test_operations_that_this_kernel_has_not() -> None:
    """A program may be left out by libbpf; a value that the kernel has no place for is refused."""
    answer = said("operations", machine("changed"))
    assert (answer.outcome, answer.because) == (
        "unknown",
        "stop: struct thing_ops of this kernel has no member stop: libbpf 1.4.2 and newer leave it out, older ones "
        "load nothing",
    )
    refused = said("flagged", machine("changed"))
    assert (refused.outcome, refused.because) == (
        "fails",
        "flagged sets flags, and struct thing_ops of this kernel has no such member",
    )


def test_a_program_that_no_operations_have() -> None:
    answer = said("flagged", machine())
    assert (answer.outcome, answer.because) == (
        "fails",
        "alone: no operations of the object have it in a member, and so it has no type (struct_ops)",
    )


def test_a_program_that_replaces_another_s_function() -> None:
    answer = said("replacing", machine())
    assert (answer.outcome, "it replaces function old_function of another BPF program" in answer.because) == (
        "unknown",
        True,
    )


def test_a_kprobe_that_names_no_function_is_attached_by_the_program_that_carries_it(tmp_path: Path) -> None:
    """As gethostlatency of libbpf-tools does, whose kprobe programs become uprobes of libc."""
    without = machine()
    without.file("/sys/bus/event_source/devices/uprobe/type", "7\n")
    without.remove("/sys/bus/event_source/devices/kprobe/type")
    alone = said("placeholder", without)
    assert (alone.outcome, "does not attach" in alone.verdict) == ("fails", True), alone.verdict
    file = tmp_path / "tool"
    object_ = (OBJECTS / "placeholder.bpf.o").read_bytes()
    file.write_bytes(b"\x7fELF\2\1\1" + b"\0" * 9 + b"\2\0\x3e\0" + b"x" * 501 + object_)
    carried = said(file, without)
    assert (carried.outcome, "decides where it attaches" in carried.verdict) == ("unknown", True), (
        carried.verdict
    )


def test_a_section_that_names_no_place_is_left_to_the_program_that_loads_it() -> None:
    """As biotop of bcc 0.26 does, whose programs have the names of functions that newer kernels call otherwise."""
    both = machine().file(LISTED, "do_thing\ndo_old_thing\n")
    answer = said("unnamed", both)
    assert answer.outcome == "works"
    states = {name: row[3] for name, row in rows(answer, "Programs").items()}
    assert set(states.values()) == {"loads, its loader attaches it"}
    renamed = said("unnamed", machine())
    assert renamed.outcome == "unknown"
    assert renamed.because == (
        "do_old_thing: its section kretprobe names no function, so that the program which loads it decides where it "
        "attaches; the kernel has no function do_old_thing that can be probed"
    )
    placed = rows(said("plain", machine()), "Programs")["program"]
    assert placed[3] == "loads"


@pytest.mark.parametrize(
    ("name", "what", "by_itself_"),
    [
        ("kprobe/do_thing", "do_thing", True),
        ("kprobe", "", False),
        ("kretprobe", "", False),
        ("uprobe", "", False),
        ("uprobe/nowhere", "nowhere", False),
        ("uretprobe.s//bin/sh:main", "/bin/sh:main", True),
        ("usdt", "", False),
        ("usdt//bin/sh:a:b", "/bin/sh:a:b", True),
        ("usdt//bin/sh:a", "/bin/sh:a", False),
        ("tp", "", False),
        ("tracepoint/sched", "sched", False),
        ("tp/sched/sched_switch", "sched/sched_switch", True),
        ("raw_tp", "", False),
        ("raw_tp/sched_switch", "sched_switch", True),
        ("fentry", "", False),
        ("tp_btf/sched_switch", "sched_switch", True),
        ("lsm_cgroup/socket_bind", "socket_bind", False),
        ("struct_ops/init", "init", False),
        ("xdp", "", False),
        ("perf_event", "", False),
    ],
)
def test_which_sections_libbpf_attaches_by_itself(name: str, what: str, by_itself_: bool) -> None:
    known = section_named(name)
    assert known is not None
    assert by_itself(known, what) is by_itself_


def test_what_stands_in_the_way_of_all_programs_is_said_once() -> None:
    answer = said("stats", machines.unmounted(machine()))
    found = [row[1] for row in section(answer, "What stands in the way").rows]
    assert found == ["tracefs is not mounted, where libbpf looks up the numbers of tracepoints"]


def test_a_program_that_is_known_to_be_wrong_on_any_machine(tmp_path: Path) -> None:
    """statsnoop of bcc 0.26, which leaves out all its programs: recognised by its texts, those of the object apart."""
    event = "/sys/kernel/tracing/events/syscalls/sys_{}_newstat/id"
    there = machine().file(event.format("enter"), "1\n").file(event.format("exit"), "2\n")

    def tool(*texts: str) -> Path:
        file = tmp_path / "tool"
        data = "".join(f"{text}\0" for text in ("", *texts)).encode()
        object_ = (OBJECTS / "stats.bpf.o").read_bytes()
        file.write_bytes(b"\x7fELF\2\1\1" + b"\0" * 9 + b"\2\0\x3e\0" + data + object_)
        return file

    wrong = said(tool("statfs", "newstat", "newlstat"), there)
    assert wrong.outcome == "fails"
    assert "Nothing of it attaches" in wrong.verdict and "bcc 0.27 mends that" in wrong.verdict
    mended = said(tool("statfs", "sys_enter_newstat", "newstat", "newlstat"), there)
    assert "bcc 0.27" not in mended.verdict
    assert "bcc 0.27" not in said("stats", there).verdict


def test_an_executable_that_carries_an_object(tmp_path: Path) -> None:
    def program(name: str) -> Path:
        file = tmp_path / name
        object_ = (OBJECTS / f"{name}.bpf.o").read_bytes()
        file.write_bytes(b"\x7fELF\2\1\1" + b"\0" * 9 + b"\2\0\x3e\0" + b"x" * 501 + object_ + b"tail" * 9)
        return file

    answer = said(program("plain"), machine())
    assert (answer.outcome, answer.title) == ("works", "a program that carries 1 BPF object, at byte 521")
    assert answer.sections[-1].commands[0].startswith("tail -c +522 ")
    assert said(program("unguarded"), machine("changed")).outcome == "fails"
    some = said(program("targets"), machine())
    assert (some.outcome, "2 of its 3 BPF programs do not load" in some.verdict) == ("unknown", True)
    # Its constants are the program's to write: the guard is not known to hold, nor not to.
    assert said(program("constant"), machine("changed")).outcome == "unknown"


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("name", sorted(path.name for path in OBJECTS.glob("*.bpf.o")))
def test_every_answer_can_be_shown(name: str, width: int) -> None:
    answer = explain(str(OBJECTS / name), here(machine("changed")))
    Draft202012Validator(json.loads(schema_text())).validate(json.loads(render_json([answer])))
    assert name in render([answer], Page(width)).replace("\n  ", "")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "No such file or directory"),
        (b"", "not an ELF file: it is empty"),
        (b"#!/bin/sh\n", "not an ELF file: it is text: a script of bpftrace ends in .bt"),
        (b"\x9f\xeb\1\0", "it is bare BTF, which `kdiag btf --file"),
        (b"BC\xc0\xde\x35\x14", "it is LLVM's bitcode, which clang writes with -emit-llvm"),
        (b"\0\1\2\3", "not an ELF file: it begins with 00 01 02 03"),
        (
            b"\x7fELF\2\1\1" + bytes(9) + b"\1\0\xb7\0" + bytes(44),
            "compiled for a processor, and BPF is what clang",
        ),
        (b"\x7fELF", "no BPF object, and no program that carries one"),
        ((OBJECTS / "plain.bpf.o").read_bytes()[:70], "do not fit in the file (at offset 40)"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, data: bytes | None, why: str) -> None:
    file = tmp_path / "x.o"
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(NotKnown) as caught:
        explain(str(file), here(machine()))
    assert str(file) in str(caught.value) and why in str(caught.value)


@pytest.mark.parametrize(
    ("word", "is_one"),
    [
        ("a.bpf.o", True),
        ("./x", True),
        ("/usr/sbin/opensnoop", True),
        ("uprobe:/bin/bash:readline", False),
        ("tools/x.bt", False),
        ("btf.vmlinux", False),
        ("kprobe", False),
    ],
)
def test_which_words_are_files(word: str, is_one: bool) -> None:
    assert looks_like_one(word) is is_one


def test_a_symbol_that_is_in_no_section_is_no_traceback(tmp_path: Path) -> None:
    """SHN_ABS (man 5 elf) in place of each symbol's section: such a number is no index."""
    data = (OBJECTS / "arguments.bpf.o").read_bytes()
    (headers,) = struct.unpack_from("<Q", data, 40)
    (count,) = struct.unpack_from("<H", data, 60)
    starts = [headers + 64 * index for index in range(count)]
    symbols = next(start for start in starts if struct.unpack_from("<I", data, start + 4) == (2,))
    offset, size = struct.unpack_from("<QQ", data, symbols + 24)
    place, file = here(machine()), tmp_path / "x.o"
    for symbol in range(offset, offset + size, 24):
        file.write_bytes(data[: symbol + 6] + struct.pack("<H", 0xFFF1) + data[symbol + 8 :])
        with suppress(NotKnown):
            assert explain(str(file), place).kind == "object"
