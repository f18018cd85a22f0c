"""The smoke report as text and as JSON, for ordinary and for hostile strings."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kdiag.console.wrap import columns
from kdiag.model import MachineInfo, Works
from kdiag.smoke import PROGRAMS, Outcome, Result, SmokeReport
from kdiag.smoke.json import document, render, schema_text
from kdiag.smoke.text import listing, progress
from kdiag.smoke.text import render as render_text

VALIDATOR = Draft202012Validator(json.loads(schema_text()))
ANYTHING = st.text(st.characters(), max_size=200)
HOSTILE = "a\x1b[2J\x9b31m\u202e\u2028\udc80\ud83d\x00\x7f\r\nb" + "/very" * 30


def written(text: str) -> SmokeReport:
    """Every outcome with every prediction, and the text wherever a stranger's text may be."""
    predictions: list[Works | None] = [*Works, None]
    results = tuple(
        Result(
            f"{outcome.value}-{number}",
            "an ordinary title",
            "hello" if number else "struct",
            ("hello", "struct"),
            outcome,
            text if outcome is not Outcome.WORKS else "",
            f"meaning {text}" if number % 2 else "",
            predicted,
            (None, True, False)[number % 3],
            number * 7.0,
            ("-e", text),
            text,
        )
        for outcome in Outcome
        for number, predicted in enumerate(predictions)
    )
    machine = MachineInfo(release=text, arch=text, bpftrace=text, user=text)
    return SmokeReport("0.1.0", "2026-01-01T00:00:00Z", machine, results, ("hello", text), 12.3456)


@settings(deadline=None, max_examples=50)
@given(ANYTHING)
def test_the_schema_holds_and_nothing_unprintable_is_left(text: str) -> None:
    shown = render(written(text))
    VALIDATOR.validate(json.loads(shown.encode()))
    assert shown.replace("\n", "").isprintable()


def test_hostile_strings_stay_strings() -> None:
    shown = render(written(HOSTILE))
    VALIDATOR.validate(json.loads(shown))
    assert json.loads(shown)["programs"][-1]["message"].startswith(
        "a\\x1b[2J\\x9b31m\\u202e\\u2028\\x80\\ud83d"
    )


def test_output_keeps_its_lines() -> None:
    report = written("one\n  two\n")
    programs = document(report)["programs"]
    assert isinstance(programs, list)
    assert programs[-1]["output"] == "one\n  two\n"


def test_the_schema_forbids_what_is_not_so() -> None:
    good = json.loads(render(written("x")))
    for place, value in (("outcome", "worked"), ("predicted", "ok"), ("agrees", "yes"), ("seconds", -1)):
        bad = json.loads(json.dumps(good))
        bad["programs"][0][place] = value
        assert not VALIDATOR.is_valid(bad), place
    for key in ("schema", "programs", "summary", "machine"):
        assert not VALIDATOR.is_valid({k: v for k, v in good.items() if k != key})


def test_the_summary_counts() -> None:
    summary = document(written("x"))["summary"]
    assert isinstance(summary, dict)
    assert [summary[outcome.value] for outcome in Outcome] == [5, 5, 5, 5]
    assert len(summary["disagreements"]) == 4
    assert summary["status"] == "not-ready"


@settings(deadline=None, max_examples=50)
@given(ANYTHING, st.integers(30, 130), st.booleans(), st.booleans())
def test_the_text_fits_the_terminal(text: str, width: int, color: bool, unicode: bool) -> None:
    shown = render_text(written(text), width=width, color=color, unicode=unicode)
    bare = re.sub(r"\x1b\[[0-9;]*m", "", shown) if color else shown
    assert "\x1b" not in bare
    assert unicode or bare.isascii()
    assert shown.endswith("\n") and not shown.endswith("\n\n")
    for line in bare.splitlines():
        assert columns(line) <= max(width, 30) or "/" in line or line.lstrip().startswith("$"), line


def test_mistakes_say_what_to_send() -> None:
    shown = render_text(written("text"), width=80, color=False, unicode=True)
    assert "Mistakes of kdiag" in shown
    assert "works-2: `kdiag check` said: does not work; and it works." in shown
    assert "kdiag check --format json" in shown
    wrong = ",".join(one.id for one in written("text").disagreements)
    assert f"kdiag smoke --format json --only {wrong}" in shown
    assert shown.count("UNEXPECTED") == 4


def test_a_message_is_told_once_and_messages_of_one_meaning_together() -> None:
    def result(name: str, message: str, meaning: str) -> Result:
        return Result(name, name, name, (name,), Outcome.FAILS, message, meaning)

    results = (
        result("a", "no event a", "no tracefs"),
        result("b", "other", ""),
        result("c", "no event c", "no tracefs"),
        result("d", "no event a", "no tracefs"),
    )
    report = SmokeReport("0", "", MachineInfo(release="6.1", arch="x"), results, (), 1.0)
    shown = render_text(report, width=80, color=False, unicode=False)
    assert "[1] no event a\n  [2] no event c\n      no tracefs\n  [3] other\n" in shown
    assert re.findall(r"\[(\d)\]$", shown, re.MULTILINE) == ["1", "3", "2", "1"]


@pytest.mark.parametrize("unicode", [True, False])
def test_progress_is_one_line(unicode: bool) -> None:
    for one in written(HOSTILE).programs:
        line = progress(one, unicode=unicode)
        assert line.isprintable()
        assert line.startswith(f"{one.id}: ")


def test_the_list_names_every_program() -> None:
    lines = listing(PROGRAMS).splitlines()
    assert [line.split()[0] for line in lines[1:]] == [one.id for one in PROGRAMS]
    assert all(len(line) <= 80 for line in lines)
