"""`kdiag explain WORD`: what a word that stands alone names, and what may be meant by one that names nothing."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from kdiag.commands.explain import answers
from kdiag.explain.json import render as render_json
from kdiag.explain.json import schema_text
from kdiag.explain.value import Answer, NotKnown
from kdiag.knowledge.names.tools import COLLECTIONS, collections
from kdiag.knowledge.scripts.language import about, example, names
from kdiag.system import Unavailable
from tests.support.explained import described, here

PLACE = here(described("0.23.2"))


def explain(word: str) -> Answer:
    return next(answers([word], PLACE))


@pytest.mark.parametrize(
    ("word", "kind", "says"),
    [
        ("vfs_open", "function", "kprobe:vfs_open"),
        ("vfs_open()", "function", "kprobe:vfs_open"),
        ("sched:sched_switch", "probe", "tracepoint:sched:sched_switch"),
        ("task_struct", "type", "kdiag btf struct task_struct"),
        ("struct task_struct", "type", "kdiag btf struct task_struct"),
        ("comm", "language", "the name of the current thread"),
        ("count()", "language", "bpftrace 0.23.2 has it"),
        ("arg3", "language", "the arguments of a function by position"),
        ("bpf_get_current_comm", "bpf", "BPF_FUNC_get_current_comm"),
        ("LRU_HASH", "bpf", "Linux has it since 4.10"),
        ("BPF_PROG_TYPE_XDP", "bpf", "CAP_NET_ADMIN"),
        ("opensnoop", "tool", "a script of bpftrace"),
        ("seccomp", "check", "filter"),
        ("verifier", "concept", "bpf(2)"),
        ("bpftrace", "concept", "libbpf"),
    ],
)
def test_what_a_word_names(word: str, kind: str, says: str) -> None:
    answer = explain(word)
    document = render_json([answer])
    assert answer.kind == kind and says in document
    Draft202012Validator(json.loads(schema_text())).validate(json.loads(document))


def test_what_else_a_word_names_stands_below() -> None:
    answer = explain("path")
    assert answer.kind == "language" and "struct path" in answer.sections[-1].text[0]
    assert "kdiag btf struct path" in answer.sections[-1].commands


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("vfs_opne", "did you mean vfs_open?"),
        ("opensnop", "did you mean opensnoop?"),
        ("task_strct", "did you mean task_struct?"),
        ("task_struct.pid", "`kdiag btf struct task_struct pid` shows a field"),
        ("struct task_strct", "did you mean task_struct?"),
        ("tracepont:sched:sched_switch", "did you mean tracepoint:sched:sched_switch?"),
        ("Cannot do that", "kdiag why 'TEXT'"),
        ("EPERM", "'Operation not permitted'"),
        ("", "an empty word"),
        ("zzzzqqqq", "kdiag btf find '*zzzzqqqq*'"),
        ("x" * 100_000, "nothing is called"),
        ("::", "a probe is written KIND:NAME"),
    ],
)
def test_what_names_nothing_is_answered_with_what_may_be_meant(word: str, says: str) -> None:
    with pytest.raises(NotKnown, match=re.escape(says)) as told:
        explain(word)
    assert len(str(told.value)) < 400


@pytest.mark.parametrize(
    ("word", "name", "not_this"),
    [("jit", "net.core.bpf_jit_harden", "jiffies"), ("sysctl", "kernel.kptr_restrict", "CONFIG_BPF")],
)
def test_a_word_that_is_part_of_names_lists_them(word: str, name: str, not_this: str) -> None:
    answer = explain(word)
    named = [row[0] for section in answer.sections for row in section.rows]
    assert answer.kind == "list" and name in named and not_this not in named


def test_a_word_that_is_a_file_says_how_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "thing_here").write_bytes(b"")
    (tmp_path / "place_here").mkdir()
    with pytest.raises(NotKnown, match=re.escape("`kdiag explain ./thing_here` reads it")):
        explain("thing_here")
    with pytest.raises(NotKnown, match="place_here is a directory"):
        explain("place_here")


def test_every_example_is_of_a_word_and_a_whole_command() -> None:
    for name in names():
        for command in example(name):
            assert command.startswith(("bpftrace -e '", "kdiag explain ")) and "{name}" not in command
    assert example("hist") == ("bpftrace -e 'interval:ms:10 { @ = hist(rand % 1000); }'",)


def test_every_word_of_the_language_has_its_line() -> None:
    told = about()
    assert {re.sub(r"^(s?arg)\d$", r"\1N", name) for name in names()} == set(told)
    assert all(form and text and not text.endswith(".") for form, text in told.values())


def test_a_tool_names_its_collections_in_one_order() -> None:
    assert collections()["opensnoop"] == COLLECTIONS and collections()["argdist"] == ("bcc",)


@pytest.mark.parametrize("name", ["vfs_\udca4", "\0"])
def test_a_name_that_is_no_text_names_nothing(name: str) -> None:
    """Names come out of objects, where a symbol can have any byte."""
    with suppress(Unavailable):
        assert PLACE.machine.tracing.probeable({name}) == frozenset()
    for ask in (PLACE.machine.names.traceable, PLACE.machine.names.symbols, PLACE.machine.names.exporter):
        with suppress(Unavailable):
            assert not ask(name)
