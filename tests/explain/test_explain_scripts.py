"""`kdiag explain FILE.bt`: what a script requires, each part with its state, and the verdict."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from kdiag.explain.here import Here
from kdiag.explain.json import render as render_json
from kdiag.explain.json import schema_text
from kdiag.explain.script.explain import explain, fits
from kdiag.explain.value import Answer, NotKnown
from kdiag.system.recording import Recording
from tests.support.explained import described, here, said
from tests.support.machines import unmounted, without_btf
from tests.support.paths import FIXTURES

#: The release of a case that is not about one.
N = "0.23.2"


@cache
def machine(version: str = "0.23.2") -> Here:
    return here(described(version))


@pytest.fixture
def about(tmp_path: Path):  # type: ignore[no-untyped-def]
    def ask(text: str, version: str = "0.23.2", place: Here | None = None) -> Answer:
        path = tmp_path / "script.bt"
        path.write_text(text, encoding="utf-8")
        return explain(str(path), place or machine(version))

    return ask


def rows(answer: Answer) -> dict[str, tuple[str, str]]:
    """State and reason by what is required."""
    return {row[2]: (row[0], row[3]) for section in answer.sections for row in section.rows}


def test_a_script_that_runs(about) -> None:  # type: ignore[no-untyped-def]
    answer = about(
        "tracepoint:sched:sched_switch { @[args.next_comm] = count(); }\n"
        'kprobe:tcp_connect { $s = (struct sock *)arg0; printf("%d", $s->__sk_common.skc_family); }'
    )
    assert answer.outcome == "works" and "will run" in answer.verdict
    assert rows(answer)["struct sock_common.skc_family"] == ("ok", "-")
    Draft202012Validator(json.loads(schema_text())).validate(json.loads(render_json([answer])))


@pytest.mark.parametrize(
    ("text", "version", "what", "says"),
    [
        ("kprobe:vfs_opne {}", N, "kprobe:vfs_opne", "did you mean vfs_open?"),
        (
            "tracepoint:sched:sched_switch { print(args.next_com) }",
            "0.23.2",
            "args.next_com",
            "did you mean next_comm?",
        ),
        (
            "BEGIN { print(((struct task_struct *)curtask)->cmm) }",
            "0.23.2",
            "struct task_struct.cmm",
            "did you mean comm?",
        ),
        ("BEGIN { print(curtask->mm->ownr) }", N, "struct mm_struct.ownr", "no field ownr"),
        (
            "BEGIN { $r = (struct requst *)0; }",
            "0.23.2",
            "struct requst",
            "did you mean struct request?",
        ),
        (
            "kprobe:tcp_connect { $s = (struct sock *)arg0; print($s->nothing) }",
            "0.23.2",
            "struct sock.nothing",
            "has no field",
        ),
        ("fentry:tcp_connect { print(args.sock) }", N, "args.sock", "did you mean sk?"),
        ("fentry:tcp_connect { print(args.sk->nope) }", N, "struct sock.nope", "has no field"),
        ("BEGIN { let $x = 1; }", "0.17.0", "let", "requires bpftrace 0.22 or newer"),
        (
            "tracepoint:sched:sched_switch { print(args.prev_comm) }",
            "0.17.0",
            "args.NAME",
            "older releases take args->NAME",
        ),
        ("BEGIN { for ($i : 0..3) { } }", N, "for ($i : a..b)", "requires bpftrace 0.24"),
        ("BEGIN { has_key(@a, 1) }", "0.17.0", "has_key", "requires bpftrace 0.22"),
        ("macro m($x) { $x } BEGIN { m(1) }", "0.17.0", "macro", "0.24"),
        ("config = { max_probes=1 } BEGIN { }", "0.17.0", "a config block", "0.20"),
        ("BEGIN { print(NOT_A_CONSTANT) }", N, "NOT_A_CONSTANT", "neither bpftrace nor an enum"),
        (
            "#include <linux/sched.h>\nBEGIN { print(1) }",
            "0.23.2",
            "#include <linux/sched.h>",
            "no kernel headers",
        ),
        ("BEGIN { print(iter) } iter:tasks {}", N, "iter:tasks", "no iterator tasks"),
    ],
)
def test_what_is_lacking_is_named(about, text: str, version: str, what: str, says: str) -> None:  # type: ignore[no-untyped-def]
    answer = about(text, version)
    assert answer.outcome == "fails"
    state, why = rows(answer)[what]
    assert state == "fail" and says in why, why
    assert "(line " in answer.verdict


def test_constants_of_enums_and_defines_are_known(about) -> None:  # type: ignore[no-untyped-def]
    text = "#define MINE 3\nenum { OWN = 1 };\nBEGIN { print(TCP_ESTABLISHED + MINE + OWN) }"
    assert about(text).outcome == "works"


def test_modes_of_stacks_types_and_truth_are_no_constants(about) -> None:  # type: ignore[no-untyped-def]
    text = (
        "BEGIN { @[kstack(perf, 3)] = count(); $a = 1 ? true : false; print(sizeof(uint8) + sizeof(int)); }"
    )
    assert about(text).outcome == about(text, "0.17.0").outcome == "works"
    assert about(text, "0.16.0").outcome == "fails"


def test_types_of_the_script_are_its_own(about) -> None:  # type: ignore[no-untyped-def]
    text = "struct mine { int a; };\nkprobe:tcp_connect { print(((struct mine *)arg0)->whatever) }"
    assert about(text).outcome == "works"


def test_a_map_keeps_the_type_from_one_probe_to_the_next(about) -> None:  # type: ignore[no-untyped-def]
    text = (
        "kprobe:tcp_connect { @s[tid] = (struct sock *)arg0; } kretprobe:tcp_connect { print(@s[tid]->nix) }"
    )
    assert rows(about(text))["struct sock.nix"][0] == "fail"


def test_one_of_several_probes_is_enough_up_to_0_23_and_with_the_setting(about) -> None:  # type: ignore[no-untyped-def]
    text = "kprobe:vfs_open, kprobe:vfs_gone { @ = count(); }"
    answer = about(text)
    assert answer.outcome == "works" and "left out" in rows(answer)["kprobe:vfs_gone"][1]
    assert about(text, "0.27.1").outcome == "fails"
    assert about('config = { missing_probes="warn" } ' + text, "0.27.1").outcome == "works"
    assert about("kprobe:vfs_gone { @ = count(); }").outcome == "fails"


def test_a_clause_of_which_nothing_attaches_does_nothing_though_the_script_runs(about) -> None:  # type: ignore[no-untyped-def]
    """biolatency-kp.bt of 0.27 on 7.3: its four functions are gone, and it allows that."""
    text = 'config = { missing_probes="ignore" } BEGIN { } kprobe:vfs_gone, kprobe:vfs_lost { @ = count(); }'
    answer = about(text, "0.27.1")
    assert answer.outcome == "fails"
    assert "nothing of this clause is attached" in rows(answer)["kprobe:vfs_gone"][1]


def test_guarded_headers_are_those_that_are_read(about) -> None:  # type: ignore[no-untyped-def]
    text = "#ifndef BPFTRACE_HAVE_BTF\n#include <linux/sched.h>\n#endif\nBEGIN { print(curtask->pid) }"
    assert "#include <linux/sched.h>" not in rows(about(text))
    assert rows(about(text, "0.11.3"))["#include <linux/sched.h>"][0] == "fail"
    bare = here(without_btf(described("0.17.0")), types=False)
    assert rows(about(text, place=bare))["#include <linux/sched.h>"][0] == "fail"


def test_types_behind_a_guard_that_does_not_hold_are_not_the_scripts(about) -> None:  # type: ignore[no-untyped-def]
    text = (
        "#ifndef BPFTRACE_HAVE_BTF\nstruct sock { int nothing; };\n#endif\n"
        "kprobe:tcp_connect { print(((struct sock *)arg0)->nothing) }"
    )
    assert rows(about(text))["struct sock.nothing"][0] == "fail"
    assert "struct sock.nothing" not in rows(about(text, "0.11.3"))


def test_a_symbol_whose_address_is_taken_must_be_shown(about) -> None:  # type: ignore[no-untyped-def]
    assert rows(about('BEGIN { print(kaddr("avenrun")) }'))['kaddr("avenrun")'][0] == "fail"
    assert about('BEGIN { print(kaddr("vfs_open")) }').outcome == "works"


def test_records_and_parameters_of_macros_are_no_constants(about) -> None:  # type: ignore[no-untyped-def]
    text = "macro show(text, @m) { printf(text); print(@m) }\nBEGIN { $r = (start=nsecs, name=comm); show(1, @a); }"
    assert about(text, "0.27.1").outcome == "works"


def test_headers_of_the_c_library_beside_btf_may_conflict(about) -> None:  # type: ignore[no-untyped-def]
    place = here(
        described("0.17.0").file("/usr/include/sys/socket.h", "").file("/usr/include/linux/types.h", "")
    )
    answer = about("#include <sys/socket.h>\ntracepoint:sched:sched_switch { }", place=place)
    assert rows(answer)["#include <sys/socket.h> beside BTF"][0] == "unknown"


def test_what_a_recording_does_not_hold_cannot_be_told(about) -> None:  # type: ignore[no-untyped-def]
    place = here(Recording(FIXTURES / "lab-6.12-btf-kheaders"))
    answer = about("kprobe:vfs_open { print(((struct file *)arg1)->f_mode) }", place=place)
    assert answer.outcome == "unknown" and "not recorded" in said(answer)
    assert rows(answer)["struct file.f_mode"] == ("ok", "-")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"BEGIN { \0 }", "line 1, column 9: a NUL byte"),
        (b"BEGIN {\n\n \xff }", "line 3, column 2: a byte 0xff that is no UTF-8"),
        (b'BEGIN { print("x) }', "line 1, column 15: a text in double quotes"),
        (b"BEGIN { }\n" * 1_000_000, "more than the 262144 characters"),
        (b"", "the script has no probe"),
    ],
)
def test_what_is_no_script_is_refused_with_its_place(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "bad.bt"
    path.write_bytes(data)
    with pytest.raises(NotKnown) as caught:
        explain(str(path), machine())
    assert str(path) in str(caught.value) and words in str(caught.value)


def test_hundreds_of_wrong_names_are_all_told_and_a_few_have_a_hint(about) -> None:  # type: ignore[no-untyped-def]
    """A hint costs a walk through all names of a kernel: a long script would take minutes of them."""
    answer = about("\n".join(f"kprobe:vfs_reed{number} {{ }}" for number in range(100)))
    told = [text for text in rows(answer).values() if "no function" in text[1] or "vfs_reed" in text[1]]
    assert len(told) == 100
    assert 0 < sum("did you mean" in text[1] for text in told) <= 20


def test_the_findings_that_decide_are_named(about) -> None:  # type: ignore[no-untyped-def]
    answer = about("tracepoint:sched:sched_switch { }", place=here(unmounted(described())))
    assert (
        answer.outcome == "fails"
        and answer.findings == ("tracing.tracefs",)
        and answer.because in answer.verdict
    )


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(NotKnown, match=r"nothing\.bt: No such file"):
        explain("nothing.bt", machine())
    assert fits("a.bt") and not fits("kprobe:f") and not fits("-x.bt")
