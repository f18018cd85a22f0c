"""TAP, read by tap.py (with its YAML) and, where it is, by Perl's prove."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tap.line import Result  # type: ignore[import-untyped]
from tap.parser import Parser  # type: ignore[import-untyped]

from kdiag.model import Report
from kdiag.report.faces.tap import render
from tests.support.report_samples import HOSTILE, everything, hostile, live, samples, waived

SAMPLES = dict(samples())


def results(report: Report) -> list[Result]:
    lines = list(Parser().parse_text(render(report)))
    assert [line.category for line in lines[:2]] == ["version", "plan"]
    assert lines[1].expected_tests == len(report.capabilities)
    assert {line.category for line in lines} <= {"version", "plan", "diagnostic", "test"}
    return [line for line in lines if line.category == "test"]


def test_results_and_directives() -> None:
    told = {r.yaml_block["capability"] if r.yaml_block else "works": r for r in results(everything())}
    assert {name: (r.ok, r.skip, r.todo) for name, r in told.items()} == {
        "works": (True, False, False),
        "caveat": (True, False, False),
        "broken": (False, False, False),
        "unsure": (False, False, False),
        "bcc-other": (False, False, True),
        "maybe": (True, True, False),
    }
    assert str(told["bcc-other"].directive.reason) == "not required: why bcc-other is fails"
    assert str(told["maybe"].directive.reason) == "not required; cannot tell: why maybe is unknown"


def test_the_yaml_says_why() -> None:
    (broken,) = (r for r in results(everything()) if not r.ok and r.number == 3)
    assert broken.yaml_block == {
        "message": "why broken is fails",
        "severity": "fail",
        "capability": "broken",
        "title": "Title of broken",
        "tool": "bpftrace",
        "status": "fails",
        "required": True,
        "findings": [
            {
                "id": name,
                "status": "fail",
                "summary": f"summary of {name}",
                "reason": f"reason of {name}",
                "seen": [f"/proc/{name}: line one\nline two", "bpf(2): EPERM"],
                "fix": ["sudo mount -t tracefs tracefs /t"] if name == "a.root" else [],
            }
            for name in ("a.symptom", "a.root")
        ],
    }


def test_waived_is_todo_with_the_reason() -> None:
    told = {r.yaml_block["capability"]: r for r in results(waived("broken", "c.unknown")) if r.yaml_block}
    assert told["broken"].todo and not told["broken"].ok
    assert str(told["broken"].directive.reason).startswith("waived until 2030-06-30, reason for broken: ")
    assert (told["broken"].yaml_block["waived"], told["broken"].yaml_block["until"]) == (
        "reason for broken",
        "2030-06-30",
    )
    assert told["unsure"].skip and told["unsure"].ok


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_strings_change_no_result(text: str) -> None:
    told = results(hostile(text))
    assert [r.number for r in told] == [1, 2, 3, 4]
    assert [(r.ok, r.skip, r.todo) for r in told] == [
        (True, False, False),  # works
        (True, False, False),  # caveat
        (False, False, True),  # fails, not required
        (True, True, False),  # unknown, not required
    ]
    assert all((r.yaml_block is None) == (r.number == 1) for r in told)


@pytest.mark.skipif(shutil.which("prove") is None, reason="Perl's prove is not here")
@pytest.mark.parametrize("sample", SAMPLES)
def test_prove_agrees(sample: str, tmp_path: Path) -> None:
    report = SAMPLES[sample]
    path = tmp_path / "kdiag.tap"
    path.write_text(render(report), encoding="utf-8")
    done = subprocess.run(["prove", "-e", "cat", str(path)], capture_output=True, text=True, check=False)
    assert "Parse errors" not in done.stdout + done.stderr
    failed = [r for r in results(report) if not r.ok and not r.todo]
    assert (done.returncode != 0) == bool(failed)


def test_an_empty_plan_is_a_skip() -> None:
    assert "\n1..0 # SKIP " in render(SAMPLES["empty"])


def test_live_has_a_test_for_every_capability() -> None:
    told = results(live())
    assert len(told) == len(live().capabilities) > 15
