"""The run as a whole: hello decides for the others, predictions are compared, limits hold, the status follows."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from kdiag.checking.selection import UnknownName
from kdiag.console import exits
from kdiag.knowledge.tools.bpftrace import behaviour
from kdiag.model import MachineInfo, Readiness, Works
from kdiag.smoke import (
    PROGRAMS,
    Outcome,
    Program,
    Result,
    SmokeError,
    SmokeReport,
    run,
    select,
    verdict,
    worked,
)
from kdiag.smoke import run as run_function
from kdiag.smoke.cause import Uncaused, start
from kdiag.smoke.model import agreement, worst
from kdiag.smoke.programs import Runner, Scene, Shown
from kdiag.smoke.watch import Limits
from tests.support.runners import bpftrace_at

Env = Callable[[str], dict[str, str]]
TWO = select(["hello", "tracepoint-args"])
WORKING = {"hello": Works.WORKS, "tracepoint-args": Works.WORKS}


def go(
    bpftrace: Path | None,
    env: Mapping[str, str] | None = None,
    predictions: Mapping[str, Works] = WORKING,
    programs: tuple[Program, ...] = TWO,
    **more: float,
) -> SmokeReport:
    return run(
        programs,
        runners=bpftrace_at(bpftrace),
        behaviour=behaviour((0, 17, 0)),
        predictions=predictions,
        env=env,
        required=("hello", "tracepoint-args"),
        time_limit=more.get("time_limit"),
    )


def outcomes(report: SmokeReport) -> list[str]:
    return [one.outcome.value for one in report.programs]


def test_what_is_started_is_told_before(fake: Path, behaving: Env) -> None:
    told: list[tuple[str, tuple[str, ...]]] = []
    report = run(
        TWO,
        runners=bpftrace_at(fake),
        behaviour=behaviour((0, 17, 0)),
        predictions=WORKING,
        env=behaving("works"),
        about_to=lambda program, arguments: told.append((program.id, tuple(arguments))),
    )
    assert told == [(one.id, one.arguments) for one in report.programs]


def test_all_work(fake: Path, behaving: Env) -> None:
    report = go(fake, behaving("works"))
    assert outcomes(report) == ["works", "works"]
    assert [one.agrees for one in report.programs] == [True, True]
    assert worked(report) == exits.READY
    assert report.disagreements == ()


def test_where_hello_fails_the_others_are_not_tried(fake: Path, behaving: Env) -> None:
    report = go(fake, behaving("refuses"), programs=select(()))
    hello, *others = report.programs
    assert hello.message == "ERROR: bpftrace currently only supports running as the root user."
    assert "sudo" in hello.meaning
    assert {one.outcome for one in others} == {Outcome.SKIPPED}
    assert {one.message for one in others} == {f"as hello: {hello.message}"}
    assert worked(report) == exits.NOT_READY
    assert [one.id for one in report.disagreements] == ["hello"]


def test_a_failure_that_was_not_predicted_is_a_disagreement(fake: Path, behaving: Env) -> None:
    report = go(fake, behaving("only_hello"))
    assert outcomes(report) == ["works", "fails"]
    assert [one.id for one in report.disagreements] == ["tracepoint-args"]
    assert "tracefs" in report.programs[1].meaning
    assert worked(report) == exits.NOT_READY


def test_without_bpftrace_nothing_works(behaving: Env) -> None:
    report = go(None)
    assert outcomes(report) == ["fails", "skipped"]
    assert report.programs[0].message == "bpftrace is not installed"
    assert worked(report) == exits.NOT_READY


def test_the_environment_is_the_given_one(fake: Path, behaving: Env, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {**behaving("environment"), "BPFTRACE_KERNEL_SOURCE": "/given", "HOME": "/h"}
    assert "WARNING: source is /given, home /h" in go(fake, given).programs[0].output
    monkeypatch.setenv("FAKE", "environment")
    monkeypatch.setenv("BPFTRACE_KERNEL_SOURCE", "/wrong")
    result = go(fake, None).programs[0]
    assert result.outcome is Outcome.WARNS
    assert "source is /wrong" in result.message


def test_what_the_machine_lacked_is_told(fake: Path, behaving: Env, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real machine that is out of memory would stop the tests, too: what the kernel says of it is given."""
    module = sys.modules["kdiag.smoke.run"]
    monkeypatch.setattr(module, "shortage", lambda: "this machine is short of memory")
    (result,) = go(fake, behaving("silent"), time_limit=1.0).programs[:1]
    assert result.message.endswith("; this machine is short of memory")
    (result,) = go(fake, behaving("works"), time_limit=0.0).programs[:1]
    assert result.message.endswith("; this machine is short of memory")


def test_the_time_limit_for_all(fake: Path, behaving: Env) -> None:
    report = go(fake, behaving("works"), time_limit=0.0)
    assert outcomes(report) == ["skipped", "skipped"]
    assert worked(report) == exits.CANNOT_TELL
    report = go(fake, behaving("silent"), time_limit=1.0)
    assert outcomes(report) == ["skipped", "skipped"]
    assert report.seconds < 5.0
    assert "time limit" in report.programs[0].message


def test_a_slow_hello_stretches_the_limits() -> None:
    from kdiag.smoke.run import _limits

    fast, slow = _limits(0.3, heavy=False), _limits(5.0, heavy=False)
    assert min(fast.start, fast.event) >= 10.0
    assert (slow.start, slow.event) >= (100.0, 50.0)
    # Kernel headers took 30 to 100 s where hello took 3.
    assert _limits(3.0, heavy=True).start >= 150.0
    assert _limits(None, heavy=True) == Limits(180.0, 30.0, 15.0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to distrust a program")
def test_root_does_not_run_what_everybody_can_write(fake: Path, behaving: Env) -> None:
    fake.chmod(0o777)
    report = go(fake, behaving("works"))
    assert outcomes(report) == ["skipped", "skipped"]
    assert "writable by every user" in report.programs[0].message
    assert worked(report) == exits.CANNOT_TELL


def test_the_listener_hears_of_starts_and_ends(fake: Path, behaving: Env) -> None:
    heard: list[tuple[str, bool]] = []
    run_function(
        TWO,
        runners=bpftrace_at(fake),
        behaviour=behaviour((0, 17, 0)),
        predictions={},
        env=behaving("works"),
        listener=lambda program, result: heard.append((program.id, result is not None)),
    )
    assert list(dict.fromkeys(heard)) == [
        ("hello", False),
        ("hello", True),
        ("tracepoint-args", False),
        ("tracepoint-args", True),
    ]


def test_no_prediction_no_agreement(fake: Path, behaving: Env) -> None:
    report = go(fake, behaving("works"), predictions={})
    assert [(one.predicted, one.agrees) for one in report.programs] == [(None, None)] * 2


def test_an_interpreter_that_cannot_cause_events_is_our_failure() -> None:
    with pytest.raises(SmokeError, match="ended at once"):
        start("/bin/false")
    with pytest.raises(SmokeError, match="does not start"):
        start("/nonexistent/python")


@pytest.mark.parametrize(
    ("predicted", "outcome", "agrees"),
    [
        (Works.WORKS, Outcome.WORKS, True),
        (Works.WORKS, Outcome.WARNS, True),
        (Works.CAVEAT, Outcome.WORKS, True),
        (Works.CAVEAT, Outcome.WARNS, True),
        (Works.FAILS, Outcome.FAILS, True),
        (Works.WORKS, Outcome.FAILS, False),
        (Works.CAVEAT, Outcome.FAILS, False),
        (Works.FAILS, Outcome.WORKS, False),
        (Works.FAILS, Outcome.WARNS, False),
        (Works.UNKNOWN, Outcome.FAILS, None),
        (Works.UNKNOWN, Outcome.WORKS, None),
        (None, Outcome.FAILS, None),
        (Works.FAILS, Outcome.SKIPPED, None),
        (Works.WORKS, Outcome.SKIPPED, None),
    ],
)
def test_agreement(predicted: Works | None, outcome: Outcome, agrees: bool | None) -> None:
    assert agreement(predicted, outcome) is agrees


def test_the_worst_prediction_counts() -> None:
    assert worst((Works.WORKS, Works.FAILS, Works.CAVEAT)) is Works.FAILS
    assert worst((Works.WORKS, Works.UNKNOWN)) is Works.UNKNOWN
    assert worst((Works.WORKS, Works.CAVEAT)) is Works.CAVEAT
    assert worst((Works.WORKS, None)) is None
    assert worst(()) is None


def made(required: tuple[str, ...], **programs: str) -> SmokeReport:
    """A report of programs `capability__other=outcome`; the ids are the keywords."""
    results = tuple(
        Result(name, name, name.split("__")[0], tuple(name.split("__")), Outcome(outcome))
        for name, outcome in programs.items()
    )
    return SmokeReport("0", "now", MachineInfo(), results, required, 1.0)


@pytest.mark.parametrize(
    ("required", "programs", "status"),
    [
        (("a",), {"a": "works"}, exits.READY),
        (("a",), {"a": "warns", "b": "fails"}, exits.READY),
        (("a", "b"), {"a": "works", "b": "fails"}, exits.NOT_READY),
        (("a", "b"), {"a": "works", "b": "skipped"}, exits.CANNOT_TELL),
        (("a", "b"), {"a": "fails", "b": "skipped"}, exits.NOT_READY),
        (("a", "b"), {"a": "works"}, exits.CANNOT_TELL),
        # What else a program needs is not held against the capability, if one shows it alone.
        (("a",), {"a": "works", "a__b": "fails"}, exits.READY),
        (("a",), {"a__b": "fails"}, exits.NOT_READY),
        (("a",), {"a": "skipped", "a__b": "works"}, exits.CANNOT_TELL),
        (("a",), {"hello": "fails", "a": "skipped"}, exits.NOT_READY),
        ((), {"a": "fails"}, exits.READY),
    ],
)
def test_the_exit_status(required: tuple[str, ...], programs: dict[str, str], status: int) -> None:
    report = made(required, **programs)
    assert worked(report) == status
    assert exits.of(verdict(report).status) == status


def test_the_verdict_counts_what_was_required() -> None:
    said = verdict(made(("a", "b", "c"), a="works", b="fails", c="skipped"))
    assert said.status is Readiness.NOT_READY
    assert (
        said.summary
        == "1 of the 3 required capabilities was shown to work (b did not); 1 of 3 programs works"
    )


def test_choosing_programs() -> None:
    assert select([], ("bpftrace", "bpftool")) == tuple(
        p for p in PROGRAMS if p.tool in ("bpftrace", "bpftool")
    )
    assert {one.tool for one in select([])} == {"bpftrace"}
    assert [one.id for one in select(["bpftool-*"], ("bpftrace",))] == []
    assert [one.id for one in select(["tracepoint-*"])] == [
        "tracepoint-args",
        "tracepoint-net",
        "tracepoint-sched",
    ]
    assert [one.id for one in select(["include", "struct"])] == ["struct", "include"]
    with pytest.raises(UnknownName, match=re.escape("did you mean profile?")):
        select(["profil"])


# -- other tools ------------------------------------------------------------------------------------------


def test_a_tools_first_program_decides_for_its_own_only(fake: Path, behaving: Env) -> None:
    """bpftrace refuses, and bpftool is tried all the same; it is not installed, and that is said once for each."""
    programs = select((), ("bpftrace", "bpftool"))
    runners = {**bpftrace_at(fake), "bpftool": Runner("bpftool", (), ("version",), lambda _: True)}
    report = run(
        programs, runners=runners, behaviour=behaviour((0, 17, 0)), predictions={}, env=behaving("refuses")
    )
    mine = [one for one in report.programs if one.tool == "bpftool"]
    first, *others = mine
    assert (first.outcome, first.message) == (Outcome.FAILS, "bpftool is not installed")
    assert {one.message for one in others} == {"as bpftool-list: bpftool is not installed"}


def test_what_is_no_bpftool_is_not_believed(tmp_path: Path) -> None:
    """Everything that it prints would be a proof."""
    fake = tmp_path / "bpftool"
    fake.write_text("#!/bin/sh\necho 'eBPF program_type socket_filter is available'\n")
    fake.chmod(0o755)
    runner = Runner("bpftool", (str(fake),), ("version",), lambda output: output.startswith("bpftool v"))
    report = run(
        select((), ("bpftool",)), runners={"bpftool": runner}, behaviour=behaviour((0, 17, 0)), predictions={}
    )
    assert [one.outcome for one in report.programs] == [Outcome.FAILS, Outcome.SKIPPED, Outcome.SKIPPED]
    assert "is not bpftool: `bpftool version` answered 'eBPF" in report.programs[0].message


def test_the_program_that_is_held_has_a_name_of_its_own() -> None:
    """bpftool's list must show the program that this very process has loaded."""
    cause = start()
    try:
        (listed,) = [one for one in PROGRAMS if one.id == "bpftool-list"]
        proof = listed.proof(Scene(behaviour((0, 23, 0)), cause), Shown((), 1))
        name = cause.comm.replace("-", "_")
        line = f"7: socket_filter  name {name}  tag a04f5eef06a7f555  gpl"
        assert re.search(proof, line, re.MULTILINE)
        assert not re.search(proof, line.replace(name, "other"), re.MULTILINE)
    finally:
        cause.end()


def test_what_the_process_cannot_do_is_no_failure_of_the_tool() -> None:
    cause = start()
    try:
        with pytest.raises(Uncaused):
            cause.do("nosuch")
        with pytest.raises(Uncaused, match="does not answer"):
            cause.do("getppid")
    finally:
        cause.end()


def test_the_words_of_an_answer_are_no_complaint(tmp_path: Path) -> None:
    """bpftool 5.10 says of a newer sysctl: 'bpf() syscall restriction has unknown value 2'."""
    fake = tmp_path / "bpftool"
    fake.write_text(
        "#!/bin/sh\n[ $1 = version ] && exec echo bpftool v5.10.1\n"
        "echo 'bpf() syscall restriction has unknown value 2'\n"
        "echo 'eBPF program_type socket_filter is available'\n"
        "echo 'eBPF map_type hash is available'\n"
    )
    fake.chmod(0o755)
    assert _probed(fake) == (Outcome.WORKS, "")


def test_programs_that_are_called_available_where_no_map_can_be_made_prove_nothing(tmp_path: Path) -> None:
    """Debian 11's bpftool in a user namespace of Debian's 6.12: EPERM counts as available there."""
    fake = tmp_path / "bpftool"
    fake.write_text(
        "#!/bin/sh\n[ $1 = version ] && exec echo bpftool v5.10.1\n"
        "echo 'eBPF program_type socket_filter is available'\necho\n"
        "echo 'eBPF map_type hash is NOT available'\n"
    )
    fake.chmod(0o755)
    outcome, message = _probed(fake)
    assert outcome is Outcome.FAILS
    assert "could not make a map" in message


def _probed(bpftool: Path) -> tuple[Outcome, str]:
    runner = Runner("bpftool", (str(bpftool),), ("version",), lambda output: output.startswith("bpftool v"))
    programs = select(["bpftool-feature"])
    report = run(programs, runners={"bpftool": runner}, behaviour=behaviour((0, 17, 0)), predictions={})
    (only,) = report.programs
    return only.outcome, only.message
