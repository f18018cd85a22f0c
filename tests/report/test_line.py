"""One line for people (`--quiet`) and one for monitoring (`--format nagios`), with the exit statuses of each."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kdiag.model import Readiness, Report
from kdiag.report.faces import line, nagios
from kdiag.report.faces.nagios import State
from kdiag.report.outputs import BadOutputs, Output, plan
from tests.support.paths import FIXTURES
from tests.support.report_samples import HOSTILE, everything, hostile, samples, waived
from tests.support.typed import kdiag

SAMPLES = dict(samples())
#: As the Monitoring Plugins' guidelines say: text, a bar, 'label'=value[UOM];[warn];[crit];[min];[max].
_FORM = re.compile(r"KDIAG (OK|WARNING|CRITICAL|UNKNOWN) - ([^|\n]+) \| ([^|\n]+)\n")
_DATUM = re.compile(r"([^ ='|]+)=([0-9]+);;;0;([0-9]+)")
READY = "lab-6.12-btf-kheaders"


def data(report: Report) -> dict[str, tuple[int, int]]:
    form = _FORM.fullmatch(nagios.render(report))
    assert form is not None
    return {m[1]: (int(m[2]), int(m[3])) for m in map(_DATUM.fullmatch, form[3].split(" ")) if m}


@pytest.mark.parametrize("sample", SAMPLES)
def test_each_is_one_line(sample: str) -> None:
    report = SAMPLES[sample]
    assert line.render(report).count("\n") == nagios.render(report).count("\n") == 1
    assert _FORM.fullmatch(nagios.render(report))
    assert set(data(report)) == {"required", "works", "caveat", "fails", "unknown"}
    assert len(nagios.render(report)) < 4096, "what Nagios reads of a plug-in's output"


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_performance_data(text: str) -> None:
    assert data(hostile(text)) == data(hostile("x"))


def test_a_line_has_the_next_step_only_where_one_is_needed() -> None:
    assert line.render(everything()) == (
        "NOT READY for eBPF tracing: 2 of 4 required capabilities work. Next: sudo mount it\n"
    )
    assert line.render(everything(Readiness.READY), "a.json") == (
        "a.json: READY for eBPF tracing: 2 of 4 required capabilities work\n"
    )
    assert line.render(everything(Readiness.UNKNOWN)).startswith(
        "CANNOT TELL whether eBPF tracing works: 2 of"
    )


@pytest.mark.parametrize(
    ("readiness", "state"),
    [
        (Readiness.READY, State.WARNING),
        (Readiness.NOT_READY, State.CRITICAL),
        (Readiness.UNKNOWN, State.UNKNOWN),
    ],
)
def test_states(readiness: Readiness, state: State) -> None:
    report = everything(readiness)
    assert nagios.state(report) is state
    assert nagios.render(report).startswith(f"KDIAG {state.name} - 2 of 4 required capabilities work")
    assert data(report) == {
        "required": (2, 4), "works": (1, 6), "caveat": (1, 6), "fails": (2, 6), "unknown": (2, 6),
    }  # fmt: skip
    assert ("; with a caveat: caveat (why caveat is caveat) |" in nagios.render(report)) is (
        state is State.WARNING
    )


def test_a_caveat_that_is_waived_does_not_warn() -> None:
    assert nagios.state(waived("broken", "unsure")) is State.WARNING
    assert nagios.state(waived("broken", "unsure", "caveat")) is State.OK


@pytest.mark.parametrize(
    ("recording", "status"), [(READY, 0), ("orbstack-container", 1), ("wrong-recipe", 2), ("no-such", 3)]
)
def test_the_plug_in_ends_with_the_state(recording: str, status: int) -> None:
    done = kdiag("check", "--from", str(FIXTURES / recording), "--format", "nagios")
    assert done.returncode == status
    assert done.stdout.startswith(f"KDIAG {State(status).name} - ") and done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("check", "--format=nagios", "--nonsense"), "No such option: --nonsense"),
        (("check", "--format", "nagios", "--only", "zzz"), "zzz"),
        (
            ("report", "--format", "nagios", "/no/such.json"),
            "/no/such.json: there is no such file or directory",
        ),
        (("check", "--quiet", "--format", "nagios"), "--quiet is one line on standard output"),
    ],
)
def test_a_mistake_is_unknown_and_never_critical(arguments: tuple[str, ...], message: str) -> None:
    """The guidelines: UNKNOWN is for wrong arguments; kdiag's own 2 would be CRITICAL."""
    done = kdiag(*arguments)
    assert done.returncode == 3
    assert done.stdout.startswith("KDIAG UNKNOWN - ") and message in done.stdout
    assert done.stdout.count("\n") == 1 and message in done.stderr


def test_so_is_a_defect_of_kdiag() -> None:
    code = """
import sys
from kdiag.cli import app, nagios
def broken(): raise RuntimeError("boom")
sys.exit(nagios.run(broken))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stdout == (
        "KDIAG UNKNOWN - this is a defect of kdiag, not of your machine: RuntimeError: boom\n"
    )


def test_in_a_file_it_leaves_the_exit_status_alone(tmp_path: Path) -> None:
    place = tmp_path / "kdiag.nagios"
    arguments = ("--format", "nagios", "-o", str(place), "--from", str(FIXTURES / "wrong-recipe"))
    assert kdiag("check", *arguments).returncode == 1
    assert place.read_text().startswith("KDIAG CRITICAL - ")


def test_a_plug_in_is_about_one_machine(tmp_path: Path) -> None:
    from kdiag.report.faces.json import render

    for name in "ab":
        (tmp_path / f"{name}.json").write_text(render(everything()))
    done = kdiag("report", "--format", "nagios", str(tmp_path))
    assert done.returncode == 3 and "give one" in done.stderr
    several = kdiag("report", "--quiet", str(tmp_path))
    assert several.returncode == 1
    lines = several.stdout.splitlines()
    assert [text.partition(": ")[0] for text in lines] == [str(tmp_path / f"{name}.json") for name in "ab"]


def test_quiet_is_the_line_beside_files(tmp_path: Path) -> None:
    place = str(tmp_path / "a.json")
    assert plan([], [], quiet=True) == [Output("line")]
    assert plan(["json"], [place], quiet=True) == [Output("line"), Output("json", place)]
    for formats, outputs in ((["json"], []), ([], ["-"])):
        with pytest.raises(BadOutputs, match="--quiet is one line on standard output"):
            plan(formats, outputs, quiet=True)
    done = kdiag("check", "-q", "-o", place, "--from", str(FIXTURES / READY))
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert done.stdout.startswith("READY for eBPF tracing: all 4 required")
    assert json.loads(Path(place).read_text())["verdict"]["status"] == "ready"
