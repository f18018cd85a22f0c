"""`kdiag.api`: the same answers as the commands', as values; and what cannot be answered is one line."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from kdiag import api
from kdiag.model import Readiness, Works
from tests.support.paths import REPOSITORY

FIXTURES = REPOSITORY / "fixtures"
ORBSTACK, OLD, DEBIAN = (
    str(FIXTURES / n) for n in ("orbstack-container", "docker-desktop-old", "debian-6.12-headers")
)


def test_check_is_the_report_of_the_command() -> None:
    report = api.check(DEBIAN)
    assert report.verdict.status is Readiness.READY
    assert {c.id: c.status for c in report.capabilities}["kprobe"] is Works.WORKS
    assert api.check(Path(DEBIAN), require=["rawtracepoint"]).required == ("rawtracepoint",)


def test_check_can_be_of_some_checks_only() -> None:
    assert {f.id.partition(".")[0] for f in api.check(DEBIAN, only=["btf.*"]).findings} == {"btf"}


def test_why_names_the_cause_of_the_machine() -> None:
    text = "libbpf: failed to find valid kernel BTF"
    answer = api.why(text, OLD).answers[0]
    assert answer.outcome == "established" and answer.cause is not None and answer.cause.id == "btf.vmlinux"
    report = api.check(OLD)
    assert api.why(text.encode(), OLD, report=report) == api.why(text, OLD, report=report)


def test_explain_has_an_answer_for_each_name() -> None:
    answers = api.explain("CONFIG_IKHEADERS", "kprobe", recording=ORBSTACK)
    assert [a.kind for a in answers] == ["option", "capability"]
    assert api.explain("kprobe", recording=ORBSTACK)[0].sections


def test_types_of_a_recording_have_their_places() -> None:
    types = api.btf(DEBIAN)
    task = types.struct("task_struct")
    fields = {field.name: field for field in task.fields}
    assert task.kind == "struct" and fields["comm"].type == "char[16]" and fields["comm"].size == 16
    assert "comm" in task.text and fields["pid"].offset < fields["comm"].offset < task.size


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda: api.check("/no/such/recording"), "/no/such/recording"),
        (lambda: api.check(DEBIAN, require=["kprobee"]), "did you mean"),
        (lambda: api.check(DEBIAN, tools=["bpftracee"]), "bpftracee"),
        (lambda: api.check(DEBIAN, host="/host"), "one of them"),
        (lambda: api.explain("CONFIG_IKHEADER", recording=DEBIAN), "IKHEADERS"),
        (lambda: api.btf(DEBIAN).struct("task_structt"), "task_structt"),
        (lambda: api.btf(DEBIAN).func("no_such_function"), "no_such_function"),
        (lambda: api.btf(OLD).struct("task_struct"), "BTF"),
        (lambda: api.btf(file="/no/such/file").struct("x"), "/no/such/file"),
    ],
)
def test_what_cannot_be_answered_is_one_line(ask: object, says: str) -> None:
    assert callable(ask)
    with pytest.raises(api.Problem, match=says) as caught:
        ask()
    assert "\n" not in str(caught.value)


def test_the_examples_of_the_page_are_true(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    outcome = doctest.testfile(str(REPOSITORY / "docs" / "api.md"), module_relative=False)
    assert outcome.attempted > 8 and not outcome.failed


def test_profiles_of_a_file_that_is_wrong_are_a_problem(tmp_path: Path) -> None:
    config = tmp_path / "kdiag.toml"
    config.write_text('[profile.ours]\nmaps = ["NO_SUCH_MAP"]\n', encoding="utf-8")
    with pytest.raises(
        api.Problem, match=r"kdiag\.toml: profile\.ours, maps 1: no map type is called 'NO_SUCH_MAP'"
    ):
        api.explain("ours", recording=FIXTURES / "minimal", config=config)
    with pytest.raises(api.Problem, match="no profile is called 'theirs'"):
        api.check(FIXTURES / "minimal", profiles=["theirs"])
