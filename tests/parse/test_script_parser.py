"""Scripts of bpftrace taken apart: every form of the language, and what is wrong with its line and column."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.parse.bpftrace.conditions import lines
from kdiag.parse.bpftrace.lexer import LARGEST, ScriptError, words
from kdiag.parse.bpftrace.script import Script, parse
from kdiag.parse.bpftrace.uses import Assign, Call, Chain, TypeUse, uses

SCRIPT = """#!/usr/bin/env bpftrace
/* a comment { with " signs */
#ifndef BPFTRACE_HAVE_BTF
#include <linux/sched.h>
#else
#include <sys/socket.h>
#endif
#define WIDTH 4
struct event { int pid; char comm[16]; };
struct tight { int a; } __attribute__((packed))
config = { missing_probes = "warn"; max_probes=2000 }
macro twice($x) { $x * 2 }

BEGIN { printf("}{ /* no comment */ %d\\n", 1); }

kprobe:vfs_open,
k:vfs_read /pid == 1 && (1 / 2)/ // why
{
    $task = (struct task_struct *)curtask;
    @owner[pid, comm] = $task->mm->owner.comm;
    @b = ((struct sock *)arg0)->__sk_common.skc_family;
    if (@owner[1] != 0) { delete(@owner[1]); } else { print(args.fd) }
    $r = retval ? $task->pid : *(uint64 *)arg1;
    $n = sizeof(struct event) + offsetof(struct sock, sk_family.x) + (uint64)$r;
    for ($i : 0..WIDTH) { @[kstack(3)] = count(); }
}

uprobe:/bin/bash:readline, usdt:"/opt/my app":a:b, interval:s:1 { exit() }
tracepoint:syscalls:sys_enter_* { @[probe] = count(); }
"""


def chains(script: Script, probe: int) -> set[str]:
    found = uses(script.probes[probe].predicate + script.probes[probe].body)
    return {
        f"{use.text}{''.join(step.sign + step.name for step in use.steps)}"
        for use in found
        if isinstance(use, Chain)
    }


def test_a_script_has_its_parts() -> None:
    script = parse(SCRIPT)
    assert [[placed.point.text for placed in probe.points] for probe in script.probes] == [
        ["BEGIN"],
        ["kprobe:vfs_open", "k:vfs_read"],
        ["uprobe:/bin/bash:readline", 'usdt:"/opt/my app":a:b', "interval:s:1"],
        ["tracepoint:syscalls:sys_enter_*"],
    ]
    assert script.probes[2].points[1].point.parts == ("/opt/my app", "a", "b")
    assert " ".join(word.text for word in script.probes[1].predicate) == "pid == 1 && ( 1 / 2 )"
    assert script.config == {"missing_probes": "warn", "max_probes": "2000"}
    assert [(one.kind, one.name) for one in script.definitions] == [
        ("struct", "struct event"),
        ("struct", "struct tight"),
        ("macro", "twice"),
    ]
    assert script.probes[1].line == 16


def test_uses_are_followed_from_their_roots() -> None:
    script = parse(SCRIPT)
    found = chains(script, 1)
    assert "struct sock *->__sk_common.skc_family" in found
    assert {"$task->mm->owner.comm", "$task->pid", "args.fd", "struct sock.sk_family.x", "uint64 **"} <= found
    every = uses(script.probes[1].body)
    assert next(use.chain for use in every if isinstance(use, Assign) and use.target == "$task") == Chain(
        "cast", "struct task_struct *", (), next(u.word for u in every if isinstance(u, TypeUse))
    )
    called = {(use.name, use.arguments) for use in every if isinstance(use, Call)}
    assert {("delete", 1), ("kstack", 1), ("count", 0), ("sizeof", 1), ("print", 1)} <= called


@pytest.mark.parametrize(
    ("defined", "included"),
    [(True, [("sys/socket.h", True)]), (False, [("linux/sched.h", True)])],
)
def test_guards_are_followed(defined: bool, included: list[tuple[str, bool]]) -> None:
    found = lines(parse(SCRIPT).directives, {"BPFTRACE_HAVE_BTF": defined})
    assert [(one.name, one.certain) for one in found if one.kind == "include"] == included


def test_what_a_guard_depends_on_may_not_be_known() -> None:
    found = lines(parse(SCRIPT).directives, {"BPFTRACE_HAVE_BTF": None})
    assert [(one.name, one.certain) for one in found if one.kind == "include"] == [
        ("linux/sched.h", False),
        ("sys/socket.h", False),
    ]


@pytest.mark.parametrize(
    ("source", "line", "column", "words_"),
    [
        ('BEGIN { printf("abc); }', 1, 16, "a text in double quotes that begins here does not end"),
        ("BEGIN { }\n/* never", 2, 1, "a comment that begins here does not end"),
        ("BEGIN {\n  printf(1; }", 2, 13, "'}' does not close '('"),
        ("BEGIN {\n  if (1) {", 2, 10, "'{' is not closed"),
        ("BEGIN { \0 }", 1, 9, "a NUL byte"),
        ("BEGIN { } END", 1, 11, "'{' is missing after the probe END"),
        ("kprobe:f /pid {}", 1, 10, "a predicate that begins here does not end"),
        ("kprobee:f { }", 1, 1, "'kprobee' is no kind of probe"),
        ("BEGIN, { }", 0, 0, ""),
        ("\n\nkprobe:f,", 3, 9, "a probe is missing after this ','"),
        ("struct x {};", 1, 12, "the script has no probe"),
        ("", 1, 1, "the script has no probe"),
        ("config = 1", 1, 8, "'{' is missing after `config =`"),
        ("BEGIN { " + "(" * 300, 1, 208, "more than 200 brackets"),
        ("fn f { } BEGIN {}", 1, 1, "'(' is missing after fn f"),
    ],
)
def test_what_is_wrong_has_its_place(source: str, line: int, column: int, words_: str) -> None:
    if not words_:
        parse(source)
        return
    with pytest.raises(ScriptError) as caught:
        parse(source)
    assert (caught.value.line, caught.value.column) == (line, column), str(caught.value)
    assert words_ in str(caught.value)


@pytest.mark.parametrize("text", ["#endif\nBEGIN {}", "#if 1\nBEGIN {}", "#else\nBEGIN {}"])
def test_conditions_that_do_not_close_are_refused(text: str) -> None:
    with pytest.raises(ScriptError):
        lines(parse(text).directives, {})


def test_casts_of_numbers_are_no_names() -> None:
    found = chains(parse("BEGIN { @ = (int8)-20 + (uint64)$x - (a) - 1; }"), 0)
    assert found == {"$x", "a"}


def test_a_script_that_is_too_large_is_refused_at_once() -> None:
    with pytest.raises(ScriptError, match="is the most that kdiag reads"):
        words("x" * (LARGEST + 1))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_text_is_taken_apart_or_refused(data: st.DataObject) -> None:
    text = list(SCRIPT)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at] = data.draw(st.sampled_from([*"{}()[]\"'/*#@$.,;:=\n\0 é", "struct", "->", "sizeof("]))
    try:
        script = parse("".join(text))
        for probe in script.probes:
            uses(probe.predicate + probe.body)
        lines(script.directives, {})
    except ScriptError as error:
        assert error.line >= 1 and error.column >= 1


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_no_text_ends_otherwise_than_in_an_answer(text: str) -> None:
    try:
        for probe in parse(f"BEGIN {{ {text} }}").probes:
            uses(probe.body)
    except ScriptError:
        pass


@pytest.mark.parametrize(
    "text",
    ["!" * 5000, "*" * 5000, "(u8)" * 3000, "1?" * 3000, "a[" * 150 + "]" * 150, "f(" * 150 + ")" * 150],
)
def test_values_inside_of_values_end(text: str) -> None:
    for probe in parse(f"BEGIN {{ {text} }}").probes:
        uses(probe.body)


def test_the_stock_scripts_of_this_machine_are_taken_apart() -> None:
    scripts = [*Path("/usr/sbin").glob("*.bt"), *Path("/usr/share/bpftrace/tools").glob("*.bt")]
    if not scripts:
        pytest.skip("bpftrace's scripts are not installed")
    for path in scripts:
        script = parse(path.read_text(encoding="utf-8"))
        assert script.probes and all(uses(probe.body) for probe in script.probes if probe.body), path
