"""The runner against a bpftrace that hangs, crashes, babbles, lies and does not want to die."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from kdiag.knowledge.tools.bpftrace import behaviour
from kdiag.smoke.cause import Cause, start
from kdiag.smoke.judge import judge, output
from kdiag.smoke.model import Outcome, SmokeError
from kdiag.smoke.programs import PROGRAMS, Scene, Shown, Skip
from kdiag.smoke.watch import Limits, Observation, Plan, watch
from tests.support.waiting import gone, wait_until

OPENAT = next(one for one in PROGRAMS if one.id == "tracepoint-args")
BRIEF = Limits(5.0, 1.0, 2.0)
Env = Callable[[str], dict[str, str]]


def plan(program: Path, env: dict[str, str], cause: Cause, limits: Limits = BRIEF) -> Plan:
    scene = Scene(behaviour((0, 17, 0)), cause)
    return Plan(
        (str(program), *OPENAT.arguments(scene)),
        env,
        limits,
        cause,
        OPENAT.action,
        lambda pid: OPENAT.proof(scene, Shown(tuple(cause.answers), pid)),
    )


@pytest.fixture
def observe(fake: Path, behaving: Env, cause: Cause) -> Callable[..., Observation]:
    def run(how: str, limits: Limits = BRIEF) -> Observation:
        return watch(plan(fake, behaving(how), cause, limits), lambda: None)

    return run


def verdict(seen: Observation, cause: Cause) -> tuple[Outcome, str]:
    outcome, message, _ = judge(seen, cause.comm, None)
    return outcome, message


@pytest.mark.parametrize("how", ["works", "newer"])
def test_the_event_is_seen_and_bpftrace_interrupted(
    observe: Callable[..., Observation], cause: Cause, how: str
) -> None:
    seen = observe(how)
    assert (seen.seen, seen.started, seen.asked, seen.killed, seen.status) == (True, True, True, False, 0)
    assert verdict(seen, cause) == (Outcome.WORKS, "")


def test_what_is_known_to_be_harmless_is_told_and_is_no_warning(
    observe: Callable[..., Observation], cause: Cause
) -> None:
    outcome, message, meaning = judge(observe("warns"), cause.comm, None)
    assert outcome is Outcome.WORKS
    assert message.startswith("ERROR: Unknown error -1: couldn't set RLIMIT_MEMLOCK")
    assert "CAP_SYS_RESOURCE" in meaning


def test_a_report_keeps_both_ends_of_a_long_output(observe: Callable[..., Observation]) -> None:
    """BCC on kernel headers: a hundred warnings of clang, and the error at the end."""
    seen = observe("works")._replace(stderr="first\n" + "warning\n" * 9000 + "error: the last\n", stdout="")
    kept = output(seen)
    assert (kept[:6], kept[-15:]) == ("first\n", "error: the last")
    assert len(kept) < 4100
    assert re.search(r"^\[6\d{4} characters are left out\]$", kept, re.MULTILINE)
    assert output(seen._replace(stderr="short\n")) == "short"


def test_one_that_hangs_is_ended_at_the_limit(observe: Callable[..., Observation], cause: Cause) -> None:
    seen = observe("hangs", Limits(start=0.5, event=5.0, end=2.0))
    assert (seen.seen, seen.timed_out, seen.killed) == (False, True, False)
    assert seen.seconds < 2.5
    outcome, message = verdict(seen, cause)
    assert outcome is Outcome.FAILS
    assert message.startswith("(not ready to trace within")


def test_the_events_are_caused_while_it_runs_and_not_before_it_is_ready(
    observe: Callable[..., Observation], cause: Cause
) -> None:
    observe("silent")
    assert len(cause.answers) >= 3
    observe("refuses")
    assert len(cause.answers) == 0


def test_attached_and_never_an_event(observe: Callable[..., Observation], cause: Cause) -> None:
    seen = observe("silent")
    assert (seen.started, seen.timed_out) == (True, True)
    assert verdict(seen, cause) == (
        Outcome.FAILS,
        f"(the event was caused and never seen within {seen.seconds:.0f} s)",
    )


def test_events_of_others_are_not_ours(observe: Callable[..., Observation], cause: Cause) -> None:
    seen = observe("foreign")
    assert "/etc/ld.so.cache" in seen.stdout
    assert not seen.seen
    assert verdict(seen, cause)[0] is Outcome.FAILS


def test_our_own_script_in_an_error_message_is_not_an_event(
    observe: Callable[..., Observation], cause: Cause
) -> None:
    seen = observe("echoes")
    assert cause.comm in seen.stdout
    assert verdict(seen, cause) == (Outcome.FAILS, "stdin:1:1-9: ERROR: something unheard of")


def test_a_crash_is_told_by_its_signal(observe: Callable[..., Observation], cause: Cause) -> None:
    seen = observe("crashes")
    assert seen.status == -signal.SIGSEGV
    assert verdict(seen, cause) == (Outcome.FAILS, "(bpftrace ended by SIGSEGV and gave no reason)")


def test_a_crash_after_the_event_is_a_warning(observe: Callable[..., Observation], cause: Cause) -> None:
    assert verdict(observe("crashes_afterwards"), cause) == (
        Outcome.WARNS,
        "(the event was seen; then bpftrace ended by SIGSEGV)",
    )


def test_garbage_does_no_harm(observe: Callable[..., Observation], cause: Cause) -> None:
    seen = observe("garbage")
    assert seen.seen
    assert len(seen.stdout.encode()) < 2_000_000 and len(seen.stderr.encode()) < 500_000
    assert verdict(seen, cause)[0] is Outcome.WARNS


def test_one_that_ignores_sigint_is_killed(observe: Callable[..., Observation], cause: Cause) -> None:
    seen = observe("stubborn", Limits(5.0, 1.0, 0.6))
    assert (seen.seen, seen.killed, seen.status) == (True, True, -signal.SIGKILL)
    assert seen.seconds < 3.0
    assert verdict(seen, cause) == (
        Outcome.WARNS,
        "(the event was seen; bpftrace did not end when interrupted and had to be killed)",
    )


def test_one_that_misses_a_sigint_gets_another(observe: Callable[..., Observation]) -> None:
    seen = observe("hard_of_hearing")
    assert (seen.seen, seen.killed, seen.status) == (True, False, 0)


def test_a_flood_is_bounded(observe: Callable[..., Observation]) -> None:
    seen = observe("floods")
    assert not seen.seen
    assert len(seen.stdout) <= 256 * 1024 and len(seen.stderr) <= 64 * 1024


def test_what_it_leaves_behind_neither_holds_us_up_nor_survives(
    observe: Callable[..., Observation],
) -> None:
    seen = observe("leaves_a_child")
    assert seen.seconds < 3.0
    found = re.search(r"child (\d+)", seen.stdout)
    assert found
    wait_until(lambda: gone(int(found[1])))


def test_one_that_cannot_be_started_is_a_failure(tmp_path: Path, behaving: Env, cause: Cause) -> None:
    absent = watch(plan(tmp_path / "absent", behaving("works"), cause), lambda: None)
    assert verdict(absent, cause)[0] is Outcome.FAILS
    assert "cannot be started" in absent.problem
    text = tmp_path / "text"
    text.write_text("no program")
    text.chmod(0o755)
    assert "cannot be started" in watch(plan(text, behaving("works"), cause), lambda: None).problem


def test_an_exception_in_the_listener_ends_bpftrace(fake: Path, behaving: Env, cause: Cause) -> None:
    class Interrupted(Exception):
        pass

    before = _children()

    def interrupt() -> None:
        if _children() - before:
            raise Interrupted

    with pytest.raises(Interrupted):
        watch(plan(fake, behaving("hangs"), cause), interrupt)
    assert _children() == before


def test_an_event_that_cannot_be_caused_says_nothing_about_bpftrace(fake: Path, behaving: Env) -> None:
    broken = start()
    try:
        request = plan(fake, behaving("silent"), broken)._replace(action="nonsense")
        seen = watch(request, lambda: None)
        assert judge(seen, broken.comm, None)[:2] == (
            Outcome.SKIPPED,
            "the event could not be caused: the process that was to cause it does not answer",
        )
        assert not broken.alive
    finally:
        broken.end()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs a network namespace")
def test_without_loopback_nothing_is_said_about_bpftrace(fake: Path, behaving: Env, tmp_path: Path) -> None:
    offline = tmp_path / "python"
    offline.write_text(f'#!/bin/sh\nexec unshare -n {sys.executable} "$@"\n')
    offline.chmod(0o755)
    try:
        alone = start(str(offline))
    except SmokeError:
        pytest.skip("no network namespace here")
    try:
        assert alone.port == 0
        connection = next(one for one in PROGRAMS if one.id == "tracepoint-net")
        with pytest.raises(Skip, match="loopback"):
            connection.arguments(Scene(behaviour((0, 17, 0)), alone))
        request = plan(fake, behaving("silent"), alone)._replace(action="tcp")
        outcome, message, _ = judge(watch(request, lambda: None), alone.comm, None)
        assert outcome is Outcome.SKIPPED
        assert "no TCP connection over the loopback: [Errno" in message
    finally:
        alone.end()


def test_it_dies_with_us(fake: Path, behaving: Env, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = f"""
import os
from pathlib import Path
from kdiag.smoke.cause import start
from kdiag.smoke.watch import Limits, Plan, watch
cause = start()
def proof(pid):
    Path({str(note)!r}).write_text(f"{{pid}} {{cause.pid}}")
    return "(?!)"
watch(Plan(({str(fake)!r}, "-e", ""), None, Limits(), cause, "openat", proof), lambda: None)
"""
    ours = subprocess.Popen((sys.executable, "-c", code), env=behaving("silent"))
    wait_until(lambda: note.exists() and len(note.read_text().split()) == 2)
    ours.kill()
    ours.wait()
    for pid in note.read_text().split():
        wait_until(partial(gone, int(pid)))


def _children() -> set[str]:
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    return set(path.read_text().split()) if path.exists() else set()
