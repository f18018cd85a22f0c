"""GitHub's workflow commands, read back by the rules of actions/runner (ActionCommand.cs)."""

from __future__ import annotations

import re

import pytest

from kdiag.model import Capability, Readiness, Report, Status, Verdict, Works
from kdiag.report.faces.github import render
from kdiag.report.story.order import in_the_way
from tests.support.report_samples import (
    HOSTILE,
    circle,
    everything,
    finding,
    hostile,
    huge,
    live,
    samples,
    waived,
)

KNOWN = {
    "set-env", "set-output", "save-state", "add-path", "add-mask", "add-matcher", "remove-matcher", "warning",
    "error", "notice", "debug", "group", "endgroup", "echo", "stop-commands", "command",
}  # fmt: skip


def commands(log: str) -> list[tuple[str, dict[str, str], str]]:
    """What the runner would see: (command, properties, message)."""
    found = []
    for text in log.split("\n"):
        head = text.lstrip()
        match = re.match(r"::([^ :]+)(?: (.*?))?::(.*)", head)
        if match and match[1] in KNOWN:
            pairs = (part.split("=", 1) for part in (match[2] or "").split(",") if "=" in part)
            found.append((match[1], {k: unescape(v) for k, v in pairs}, unescape(match[3])))
            continue
        elder = re.search(r"##\[([^ \]]+)", text)
        if elder and elder[1] in KNOWN:
            found.append((elder[1], {}, text))
    return found


def unescape(text: str) -> str:
    for token, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(token, char)
    return text


def annotated(report: Report) -> list[tuple[str, str, str]]:
    return [
        (c, p.get("title", ""), m) for c, p, m in commands(render(report)) if c not in ("group", "endgroup")
    ]


def test_the_verdict_and_the_causes_are_annotated() -> None:
    told = annotated(everything())
    assert told == [
        ("error", "kdiag: NOT READY", "2 of 4 required capabilities work\nNext: sudo mount it"),
        (
            "error",
            "kdiag: summary of a.root",
            "a.root: reason of a.root\naffects: broken\nfix: Mount it\n$ sudo mount -t tracefs tracefs /t\n"
            "fix: Change the VM's settings",
        ),
        ("error", "kdiag: summary of c.unknown", "c.unknown: reason of c.unknown\naffects: unsure, maybe"),
        ("warning", "kdiag: summary of b.note", "b.note: reason of b.note\naffects: caveat"),
    ]


@pytest.mark.parametrize(
    ("readiness", "command"),
    [(Readiness.READY, "notice"), (Readiness.NOT_READY, "error"), (Readiness.UNKNOWN, "error")],
)
def test_what_fails_the_job_is_an_error(readiness: Readiness, command: str) -> None:
    assert annotated(everything(readiness))[0][0] == command


def test_a_group_is_for_what_stands_in_the_way() -> None:
    """A run that is ready has two: the table, and what is limited all the same."""
    ready = render(everything(Readiness.READY))
    titles = [m for c, _, m in commands(ready) if c == "group"]
    assert titles == ["What can be traced here", "Limited here"]
    not_ready = [m for c, _, m in commands(render(everything())) if c == "group"]
    assert "Also limited here" in not_ready and len(not_ready) > 3
    assert all(f"{f.id}: " in ready for f in in_the_way(everything()))


def test_waived_things_are_not_annotated_but_told() -> None:
    report = waived("broken", "c.unknown")
    assert [title for _, title, _ in annotated(report)] == ["kdiag: READY", "kdiag: summary of b.note"]
    log = render(report)
    assert "::group::Waived\n| c.unknown until 2030-06-30: reason for c.unknown\n" in log
    assert "| waived  * Title of broken" in log


def test_circles_are_annotated_too() -> None:
    _, *titles = [title for _, title, _ in annotated(circle())]
    assert sorted(titles) == ["kdiag: summary of a.one", "kdiag: summary of a.two"]


@pytest.mark.parametrize("sample", dict(samples()))
def test_groups_open_and_close_in_turn(sample: str) -> None:
    names = [c for c, _, _ in commands(render(dict(samples())[sample])) if c.endswith("group")]
    assert names == ["group", "endgroup"] * (len(names) // 2)


@pytest.mark.parametrize("text", HOSTILE)
def test_nobody_else_gives_commands(text: str) -> None:
    log = render(hostile(text))
    allowed = {"error", "warning", "notice", "group", "endgroup"}
    seen = commands(log)
    assert {c for c, _, _ in seen} <= allowed
    ours = [
        t
        for t in log.split("\n")
        if re.match(r"::(error|warning|notice) title=kdiag%3A( |:)|::group::|::endgroup::$", t)
    ]
    assert len(seen) == len(ours)
    assert all(set(p) <= {"title"} for _, p, _ in seen)


def test_messages_come_back_as_they_were() -> None:
    text = "100% of a:b, c%0Ad"
    report = hostile(text)
    (first, *_) = annotated(report)
    assert first[2].startswith(text)
    assert any(title == f"kdiag: {text}" for _, title, _ in annotated(report)[1:])


def test_no_more_annotations_than_github_keeps() -> None:
    names = [f"x.{number}" for number in range(40)]
    base = everything()
    report = Report(
        base.kdiag, base.created, base.machine,
        tuple(finding(name, Status.FAIL) for name in names),
        (Capability("all", "All", "bpftrace", Works.FAILS, "", tuple(names)),),
        ("all",), Verdict(Readiness.NOT_READY, "none"), dict.fromkeys(names, ("all",)),
    )  # fmt: skip
    told = annotated(report)
    assert sum(c == "error" for c, _, _ in told) == 10
    assert all(name in render(report) for name in names)


def test_no_message_is_longer_than_github_keeps() -> None:
    for report in (huge(), hostile("x" * 100_000), live()):
        assert all(len(message) <= 4096 for _, _, message in annotated(report))
