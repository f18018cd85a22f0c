"""`kdiag explain` of scripts that are typed: the whole script as a word, with -e, a command line, standard input."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from kdiag.commands.explain import answers, as_script
from kdiag.explain.script.source import LONGEST_NAME, name_of, typed
from kdiag.explain.value import NotKnown
from tests.support.explained import described, here

PLACE = here(described("0.23.2"))


@pytest.mark.parametrize(
    ("word", "script"),
    [
        ("kprobe:vfs_read { @ = count(); }", "kprobe:vfs_read { @ = count(); }"),
        ("BEGIN{exit();}", "BEGIN{exit();}"),
        ("kprobe:vfs_read /pid == 1/ {\n}", "kprobe:vfs_read /pid == 1/ {\n}"),
        ("bpftrace -e 'BEGIN { exit(); }'", "BEGIN { exit(); }"),
        ("sudo /usr/bin/bpftrace -v -e 'BEGIN { exit(); }' arg", "BEGIN { exit(); }"),
        ("kprobe:vfs_read {", "kprobe:vfs_read {"),
        (as_script("kprobe:vfs_read"), "kprobe:vfs_read"),
        ("kprobe:vfs_read", None),
        ("CONFIG_{A,B}", None),
        ("bpftrace", None),
    ],
)
def test_what_is_taken_for_a_script(word: str, script: str | None) -> None:
    assert typed(word) == script


def test_a_script_is_judged_wherever_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "kprobe:vfs_opne { exit(); }"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    given = list(answers([text, as_script(text), f"bpftrace -e '{text}'", "-"], PLACE))
    assert {one.kind for one in given} == {"script"}
    assert len({one.verdict for one in given}) == 1 and "did you mean vfs_open?" in given[0].verdict
    assert [one.subject for one in given] == [text, text, text, "standard input"]


def test_a_file_that_bpftrace_runs_needs_no_ending(tmp_path: Path) -> None:
    path = tmp_path / "opens"
    path.write_text("#!/usr/bin/env bpftrace\nBEGIN { exit(); }\n", encoding="utf-8")
    answer = next(answers([str(path)], PLACE))
    assert (answer.kind, answer.outcome) == ("script", "works")
    path.write_text("#!/bin/sh\nexit\n", encoding="utf-8")
    with pytest.raises(NotKnown, match="not an ELF file"):
        next(answers([str(path)], PLACE))


def test_a_long_script_is_named_by_its_first_line_of_code() -> None:
    script = '#!/usr/bin/bpftrace\n// what it does\nBEGIN { printf("' + "x" * 500 + '"); }'
    assert name_of(script).startswith('BEGIN { printf("xxx') and len(name_of(script)) == LONGEST_NAME
    assert name_of("# nothing but {}") == "the script"


@pytest.mark.parametrize("word", ["{ }", "kprobe:vfs_read {", "BEGIN { exit( }", as_script(""), "kprobe { }"])
def test_what_is_wrong_has_its_place(word: str) -> None:
    with pytest.raises(NotKnown, match="line 1, column "):
        next(answers([word], PLACE))
