"""`kdiag learn`: leads through four programs, each run for real where it can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kdiag.commands.runners import runners
from kdiag.console import exits
from kdiag.explain.options.parts import behaviour_here
from kdiag.explain.text import parts as laid_out
from kdiag.knowledge.names.course import Lesson, lessons
from kdiag.learn import parts
from kdiag.report.terminal.page import Page
from kdiag.smoke import SmokeError, run, select

if TYPE_CHECKING:
    from kdiag.console.terminal import Terminal
    from kdiag.explain.here import Here
    from kdiag.explain.value import Section
    from kdiag.smoke import Program
    from kdiag.smoke.model import Result

__all__ = ["SmokeError", "learn", "runner", "teacher"]

#: Runs a program by its id; the function is told its arguments before it starts.
Run = Callable[[str, Callable[[Sequence[str]], None]], "Result"]


class Teacher(NamedTuple):
    """How a course speaks. say: prints; wait: until the reader goes on; page: how wide and in which colours."""

    say: Callable[[str], None]
    wait: Callable[[str], None]
    page: Page


def teacher(terminal: Terminal, say: Callable[[str], None], wait: Callable[[str], None] | None) -> Teacher:
    """Who speaks to such a terminal. wait: None where there is no reader to wait for."""
    page = Page(terminal.width, terminal.color, False, terminal.unicode)
    return Teacher(say, wait or (lambda _: None), page)


def learn(here: Here, teacher: Teacher, run_program: Run, recording: str = "") -> int:
    """The whole course, and the exit status: 1 if a program was run and its event was not seen."""
    every = lessons()
    worked, tried = 0, 0
    for number, lesson in enumerate(every, 1):
        heading = f"{number} of {len(every)}: {lesson.title}"
        teacher.say(f"{'' if number == 1 else chr(10)}{teacher.page.paint(heading, 'bold')}\n\n")
        result = _one(lesson, here, teacher, run_program, recording)
        tried += result is not None
        worked += result is not None and result.works
    teacher.say(f"\n{_summary(len(every), tried, worked, here)}\n")
    return exits.READY if worked == tried else exits.NOT_READY


def _one(lesson: Lesson, here: Here, teacher: Teacher, run_program: Run, recording: str) -> Result | None:
    def say(*sections: Section) -> None:
        teacher.say(laid_out(sections, teacher.page))

    behaviour = behaviour_here(here)
    say(*parts.program(lesson, behaviour.args_operator))
    refused = parts.not_run(lesson, here, recording)
    result = None
    if refused is not None:
        say(refused)
    else:
        result = run_program(lesson.program, lambda arguments: say(*parts.running(lesson, arguments)))
        say(*parts.printed(result))
    say(*parts.types(lesson, here), parts.question(lesson))
    teacher.wait("Enter shows the answer: ")
    say(*parts.answer(lesson))
    if lesson is not lessons()[-1]:
        teacher.wait("Enter goes on: ")
    return result


def _summary(number: int, tried: int, worked: int, here: Here) -> str:
    if here.place:
        return f"Of the {number} programs none was run: the machine is a recorded one."
    if not tried:
        return f"Of the {number} programs none was run here: `kdiag check` says what to do."
    if tried == 1:
        seen = f"Of the {number} programs 1 was run, and its event was {'' if worked else 'not '}seen."
    else:
        seen = f"Of the {number} programs {tried} were run, and the events of {worked} were seen."
    return f"{seen} `kdiag smoke` runs all others."


def runner(here: Here) -> Run:
    """Runs programs as `kdiag smoke` does: the same tool, the same event, the same judgement."""
    report, machine = here.report, here.machine
    predictions = {one.id: one.status for one in report.capabilities}

    def run_one(program_id: str, told: Callable[[Sequence[str]], None]) -> Result:
        def about_to(_program: Program, arguments: Sequence[str]) -> None:
            told(arguments)

        done = run(
            select((program_id,)),
            runners=runners(machine.tools),
            behaviour=behaviour_here(here),
            predictions=predictions,
            about_to=about_to,
            machine=report.machine,
        )
        return done.programs[0]

    return run_one
