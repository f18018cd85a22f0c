"""The faces of an explanation: JSON by its schema, Markdown and text that nobody's bytes can abuse."""

from __future__ import annotations

import io
import json
import re
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kdiag.commands.why import FORMATS, rendered
from kdiag.console.terminal import Terminal
from kdiag.console.wrap import columns
from kdiag.knowledge.tools.catalogue import catalogue
from kdiag.model import (
    Capability,
    Evidence,
    Finding,
    MachineInfo,
    Readiness,
    Remedy,
    Report,
    Status,
    Verdict,
    Works,
    WrongRemedy,
)
from kdiag.why.joining import join
from kdiag.why.json import document, schema_text
from kdiag.why.judging import explained, judged, verdict
from kdiag.why.reading import Reading
from kdiag.why.value import Answer, Explanation, Log, Outcome, Refusal, Strange, Told

VALIDATOR = Draft202012Validator(json.loads(schema_text()))
ANYTHING = st.text(st.characters(), max_size=120)
HOSTILE = (
    "a\x1b[2J\x9b31m\u202e\u2028\udc80\x00\x7f\r\n```\n# b <script>alert(1)</script> @user #1 ![x](http://y) | `c`"
    " ::error::d ##[error]e" + "/very" * 30
)


def written(text: str) -> Explanation:
    """Every outcome, and the text wherever another's text may be."""
    finding = Finding(
        Status.FAIL,
        text,
        text,
        text,
        evidence=(Evidence(text, text),),
        wrong_remedies=(WrongRemedy(text, text),),
    )
    remedy = Remedy("id", text, "safe", (text,), text, (text,), (text,))
    told = Told(catalogue()[0], 1, text, 3, (("path", text),))
    some = (finding, finding)
    answers = tuple(
        Answer(told, outcome, finding, some, some, some, some, some, remedy) for outcome in get_args(Outcome)
    )
    strange = (Strange(2, text, 2, catalogue()[:2]), Strange(3, text))
    refusal = Refusal(4, f"refused {text}", text, text, text, text)
    machine = MachineInfo(release=text, arch=text, bpftrace=text, user=text)
    return Explanation(machine, answers, Log((told,), strange, 9, 1, True, refusal, 2, 5), text)


def face(name: str, text: str, *, verbose: bool = True) -> str:
    """What is printed in a format."""
    return rendered(written(text), name, Terminal(80, False, True), verbose=verbose)[0]


@settings(deadline=None, max_examples=40)
@given(ANYTHING)
def test_the_schema_holds_and_nothing_unprintable_is_left(text: str) -> None:
    shown = face("json", text)
    VALIDATOR.validate(json.loads(shown.encode()))
    assert shown.replace("\n", "").isprintable()


@settings(deadline=None, max_examples=40)
@given(ANYTHING, st.sampled_from(FORMATS))
def test_no_format_prints_what_a_terminal_obeys(text: str, name: str) -> None:
    assert face(name, text).replace("\n", "").isprintable()


@pytest.mark.parametrize("name", FORMATS)
def test_hostile_bytes_stay_words(name: str) -> None:
    shown = face(name, HOSTILE)
    assert not re.search(r"(?m)^\s*::error", shown)
    assert "##[" not in shown
    if name == "text":
        wide = [line for line in shown.splitlines() if columns(line) > 80]
        assert all("$ " in line or "/very" in line for line in wide)


def test_markdown_has_no_markup_of_anothers() -> None:
    shown = face("markdown", HOSTILE)
    fences = re.findall(r"(?ms)^(`{3,})\w*\n(.*?)\n\1$", shown)
    assert len(fences) >= 8
    outside = re.sub(r"(?ms)^(`{3,})\w*\n(.*?)\n\1$", "", shown)
    assert "`" not in outside
    assert not re.search(r"<(?!/?(code|sub)>)", outside)
    assert not re.search(r"[@#](user|1)\b", outside.replace("&#", ""))
    assert "](" not in outside


def test_the_schema_demands_every_key_and_allows_no_other() -> None:
    whole = document(written("text"))
    for key in whole:
        assert [*VALIDATOR.iter_errors({k: v for k, v in whole.items() if k != key})], key
    assert [*VALIDATOR.iter_errors({**whole, "more": 1})]
    Draft202012Validator.check_schema(json.loads(schema_text()))


def explanation(text: str, *outcomes: Outcome) -> Explanation:
    """Of a log, with these outcomes."""
    told = Told(catalogue()[0], 1, "a")
    log = join(Reading(io.BytesIO(text.encode())))
    return Explanation(MachineInfo(), tuple(Answer(told, one) for one in outcomes), log)


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ((), "unknown"),
        (("established", "candidates"), "explained"),
        (("elsewhere", "harmless"), "explained"),
        (("harmless",), "explained"),
        (("elsewhere", "none-here"), "not-established"),
        (("candidates",), "not-established"),
    ],
)
def test_the_verdict(outcomes: tuple[Outcome, ...], said: str) -> None:
    found = explanation("odd", *outcomes)
    assert verdict(found) == said
    assert document(found)["verdict"] == said


def test_a_refusal_that_the_kernel_explains_is_explained() -> None:
    assert (
        verdict(explanation("0: (95) exit\nodd\nVerification failed: Policy: odd\n\nReason:\n  odd\n"))
        == "explained"
    )
    assert verdict(explanation("0: (95) exit\nodd\nprocessed 1 insns (limit 1)\n")) == "unknown"


def finding(name: str, status: Status) -> Finding:
    """One that says nothing but its status."""
    return Finding(status, f"{name} is {status.value}", id=name)


def test_what_was_not_looked_at_is_not_ruled_out() -> None:
    """Neither by a check that had nothing to look at (skip), nor by one that could not look (unknown)."""
    message = catalogue()[0]._replace(findings=("a", "b"), weight="stop", harmless_if=())
    told = Told(message, 1, "a")

    def answer(first: Status, second: Status) -> Answer:
        return judged(told, {"a": finding("a", first), "b": finding("b", second)})

    assert answer(Status.OK, Status.OK).outcome == "none-here"
    skipped = answer(Status.OK, Status.SKIP)
    assert skipped.outcome == "candidates"
    assert [one.id for one in skipped.ruled_out] == ["a"]
    assert [one.id for one in skipped.skipped] == ["b"]
    assert answer(Status.SKIP, Status.SKIP).outcome == "candidates"
    assert answer(Status.UNKNOWN, Status.OK).outcome == "candidates"
    assert judged(told, {}).outcome == "candidates"
    shown = rendered(
        Explanation(MachineInfo(), (skipped,), Log((told,), (), 1)),
        "text",
        Terminal(80, False, True),
        verbose=False,
    )[0]
    assert "not      a: a is ok" in shown
    assert "skipped  b: b is skip" in shown


def test_what_the_kernel_does_not_have_is_the_cause_of_what_lacks_it() -> None:
    """A check that is skipped because the kernel has no such thing decides a capability, and so a message."""
    text = "libbpf: extern (func ksym) 'bpf_rcu_read_lock': not found in kernel or module BTFs"
    absent = finding("btf.kfuncs", Status.SKIP)
    fails = Capability("core-kfunc", "kfuncs", "libbpf", Works.FAILS, "", ("btf.kfuncs",))
    works = fails._replace(status=Works.WORKS)

    def answer(capability: Capability) -> Answer:
        fine = finding("btf.vmlinux", Status.OK)
        report = Report(
            "", "", MachineInfo(), (fine, absent), (capability,), (), Verdict(Readiness.READY, "")
        )
        return explained(join(text.splitlines()), report).answers[0]

    assert answer(fails).cause == absent
    assert answer(works).outcome == "candidates"
