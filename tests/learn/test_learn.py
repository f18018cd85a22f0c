"""`kdiag learn`: the four programs of a first session, run where they work, explained where they do not; on a terminal
it waits, and can be left at once.
"""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest

from kdiag.capabilities.definitions import DEFAULT_REQUIRED
from kdiag.commands.explain import answers
from kdiag.commands.learn import Teacher, learn
from kdiag.console import exits
from kdiag.explain.here import Here
from kdiag.knowledge.names.course import lessons
from kdiag.knowledge.tools.bpftrace import behaviour
from kdiag.machine import Machine
from kdiag.report.terminal.page import Page
from kdiag.smoke import PROGRAMS
from kdiag.smoke.cause import Cause
from kdiag.smoke.model import Outcome, Result
from kdiag.smoke.programs import Scene
from kdiag.system.recording import Recording
from tests.support import machines
from tests.support.description import Description
from tests.support.explained import here
from tests.support.reports import builtin, report_on
from tests.support.waiting import ends, wait_until

ROOT = Path(__file__).parents[2]
FIXTURE = ROOT / "fixtures" / "orbstack-container"
KDIAG = (sys.executable, "-m", "kdiag", "learn")


def on(described: Description, place: str = "") -> Here:
    recorded = described.recording()
    report = cache(lambda: report_on(recorded))
    return Here(Machine(recorded), builtin, report, place)


def healthy() -> Description:
    return machines.bpftrace(machines.linux(), "0.23.2")


class Reader:
    """Collects what is said, and where it was waited for."""

    def __init__(self) -> None:
        self.said = ""
        self.waited: list[str] = []

    def teacher(self) -> Teacher:
        return Teacher(self._say, self._wait, Page(100))

    def _say(self, words: str) -> None:
        self.said += words

    def _wait(self, question: str) -> None:
        self.waited.append(self.said)
        assert question.startswith("Enter ")


def ran(outcome: Outcome) -> tuple[list[str], Callable[[str, Callable[[Sequence[str]], None]], Result]]:
    """A runner with this outcome, and the programs that it was asked for."""
    asked: list[str] = []

    def run(program: str, told: Callable[[Sequence[str]], None]) -> Result:
        asked.append(program)
        told(("-e", f"script of {program}"))
        return Result(
            program, "", program, (program,), outcome, "what it said", output="kdiag-1 a line\nnoise"
        )

    return asked, run


def refuse(program: str, told: object) -> Result:
    raise AssertionError(f"{program} was run")


def test_the_course_is_a_first_session() -> None:
    assert tuple(one.program for one in lessons()) == DEFAULT_REQUIRED


@pytest.mark.parametrize("lesson", lessons(), ids=lambda one: one.program)
def test_a_lesson_has_the_probe_of_the_program_that_is_run(lesson: object, cause: Cause) -> None:
    one = next(program for program in PROGRAMS if program.id == lesson.program)  # type: ignore[attr-defined]
    script = one.arguments(Scene(behaviour((0, 23, 0)), cause))[-1]
    probe = lesson.probe or "BEGIN"  # type: ignore[attr-defined]
    assert script.startswith(f"{probe} ") and lesson.script.startswith(f"{probe} ")  # type: ignore[attr-defined]


def test_what_a_lesson_leads_to_is_explained() -> None:
    here = on(healthy())
    assert all(list(answers(lesson.read_on, here)) for lesson in lessons())


def test_every_program_is_run_and_each_part_is_in_its_order() -> None:
    reader, (asked, run) = Reader(), ran(Outcome.WORKS)
    assert learn(on(healthy()), reader.teacher(), run) == exits.READY
    assert tuple(asked) == DEFAULT_REQUIRED
    at = -1
    for number, lesson in enumerate(lessons(), 1):
        parts = (
            *(f"{number} of 4: {lesson.title}", "The program", "It runs now", f"script of {lesson.program}"),
            *(
                "It printed",
                "kdiag-1 a line",
                "The event was seen.",
                "types come from",
                "A question",
                "The answer",
            ),
        )
        for part in parts:
            at = reader.said.index(part, at + 1)
    assert "noise" not in reader.said
    assert "4 were run, and the events of 4 were seen" in " ".join(reader.said.split())


def test_the_answer_comes_after_the_wait() -> None:
    reader, (_, run) = Reader(), ran(Outcome.WORKS)
    learn(on(healthy()), reader.teacher(), run)
    assert len(reader.waited) == 2 * len(lessons()) - 1
    for number, said in enumerate(reader.waited):
        assert said.count("The answer") == (number + 1) // 2
        assert said.count("A question") == number // 2 + 1


def test_a_program_whose_event_is_not_seen_is_told_with_the_tool_s_words() -> None:
    reader, (_, run) = Reader(), ran(Outcome.FAILS)
    assert learn(on(healthy()), reader.teacher(), run) == exits.NOT_READY
    assert "The event was not seen." in reader.said and "what it said" in reader.said


def test_words_that_were_printed_are_not_said_again() -> None:
    reader = Reader()

    def run(program: str, told: Callable[[Sequence[str]], None]) -> Result:
        return Result(
            program, "", program, (program,), Outcome.FAILS, "only root may", output="only root may"
        )

    learn(on(healthy()), reader.teacher(), run)
    assert reader.said.count("only root may") == 4


def test_what_fails_here_is_not_run_and_the_reason_is_said() -> None:
    reader, (asked, run) = Reader(), ran(Outcome.WORKS)
    here = on(machines.unmounted(healthy()))
    assert learn(here, reader.teacher(), run) == exits.READY
    assert asked == ["hello"]
    assert "It would fail here: tracefs is not mounted." in reader.said
    assert here.report.verdict.next and f"$ {here.report.verdict.next}" in reader.said
    assert "1 was run, and its event was seen" in " ".join(reader.said.split())


def test_another_user_is_told_that_root_can() -> None:
    reader = Reader()
    assert learn(on(machines.user(healthy())), reader.teacher(), refuse) == exits.READY
    assert "As root it is expected to work." in " ".join(reader.said.split())
    assert "$ sudo kdiag learn" in reader.said and "none was run here" in reader.said


def test_nothing_is_run_on_a_recording() -> None:
    reader = Reader()
    assert learn(here(Recording(FIXTURE)), reader.teacher(), refuse, "a file.tar.zst") == exits.READY
    assert reader.said.count("It is not run") == 4
    assert "kdiag explain hello --from 'a file.tar.zst'" in reader.said


def test_without_a_terminal_it_goes_straight_through() -> None:
    done = subprocess.run(
        [*KDIAG, "--from", str(FIXTURE)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0 and done.stderr == "" and "Enter" not in done.stdout
    assert done.stdout.count("The answer") == 4


def test_on_this_machine_nothing_is_left_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        [*KDIAG, "--no-pause"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        check=False,
    )
    assert done.returncode in (exits.READY, exits.NOT_READY), done.stderr
    assert done.stdout.count("The answer") == 4 and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def _descendants(ancestor: int) -> set[int]:
    """The processes below one; those that ended in between are left out."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found: set[int] = set()
    while more := {pid for pid, parent in parents.items() if parent in {ancestor, *found}} - found:
        found |= more
    return found


def _runs(pid: int) -> bool:
    """Whether a process still does something: one that only waits for PID 1 to fetch its status does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Terminal:
    """kdiag on a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [*KDIAG, *arguments], stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, start_new_session=True
        )
        os.close(slave)
        self.text = ""

    def until(self, words: str, times: int = 1) -> None:
        """Read until it shows these words."""
        with ends():
            while self.text.count(words) < times:
                self._read()

    def rest(self) -> int:
        """Read to the end; the exit status."""
        with ends():
            while self._read():
                pass
        status = self.process.wait()
        os.close(self.master)
        return status

    def _read(self) -> bool:
        try:
            piece = os.read(self.master, 65536)
        except OSError:
            piece = b""
        self.text += piece.decode()
        return bool(piece)

    def press(self, keys: bytes) -> None:
        """What a person types."""
        os.write(self.master, keys)


def test_enter_goes_on_to_the_end() -> None:
    terminal = Terminal("--from", str(FIXTURE), "--no-color")
    for number in range(1, 8):
        terminal.until("Enter ", number)
        assert terminal.text.count("The answer") == number // 2
        terminal.press(b"\n")
    assert terminal.rest() == 0 and terminal.text.count("The answer") == 4


def test_the_end_of_input_does_not_stop_it() -> None:
    terminal = Terminal("--from", str(FIXTURE))
    for number in range(1, 8):
        terminal.until("Enter ", number)
        terminal.press(b"\x04")
    assert terminal.rest() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_left_while_it_waits(number: int) -> None:
    terminal = Terminal("--from", str(FIXTURE))
    terminal.until("Enter ")
    os.killpg(terminal.process.pid, number)
    assert terminal.rest() == 128 + number
    assert "Traceback" not in terminal.text and "The answer" not in terminal.text


def test_it_can_be_left_while_a_program_runs() -> None:
    terminal = Terminal("--no-pause")
    terminal.until("1 of 4")
    below = _descendants(terminal.process.pid)
    os.killpg(terminal.process.pid, signal.SIGINT)
    assert terminal.rest() == 130 and "Traceback" not in terminal.text
    wait_until(lambda: not any(map(_runs, below)), "what it started ends with it")
