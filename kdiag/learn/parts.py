"""The parts of a lesson: the program, what it printed or why it was not run, its types, the question, the answer."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kdiag.explain.probe import tracepoints
from kdiag.explain.value import Section
from kdiag.model import Works
from kdiag.parse.bpftrace.attach import parse
from kdiag.report.terminal.page import works_words
from kdiag.smoke.model import Outcome

if TYPE_CHECKING:
    from kdiag.explain.here import Here
    from kdiag.knowledge.names.course import Lesson
    from kdiag.model import Capability
    from kdiag.smoke.model import Result

#: Lines of what a program printed.
_SHOWN = 6


def program(lesson: Lesson, operator: str) -> tuple[Section, ...]:
    """The program as a person would write it, and what it does. operator: between `args` and a field."""
    script = lesson.script.replace("args.", f"args{operator}")
    return (
        Section("", lesson.intro),
        Section("The program", commands=(f"bpftrace -e {shlex.quote(script)}",)),
    )


def stated(lesson: Lesson, here: Here) -> Capability | None:
    """How the capability that the program stands for is judged on this machine."""
    return next((one for one in here.report.capabilities if one.id == lesson.program), None)


def not_run(lesson: Lesson, here: Here, recording: str = "") -> Section | None:
    """Why the program is not run; None where it is. recording: where the machine is recorded, "" for this one."""
    judged = stated(lesson, here)
    if here.place:
        words = works_words(judged.status) if judged is not None else "was not judged"
        because = f": {judged.because}" if judged is not None and judged.because else ""
        command = f"kdiag explain {lesson.program} --from {shlex.quote(recording)}"
        text = f"The machine is a recorded one. There the program {words}{because}."
        return Section("It is not run", (text,), commands=(command,))
    if judged is None or judged.status is not Works.FAILS:
        return None
    root = judged.with_root in (Works.WORKS, Works.CAVEAT)
    more = " As root it is expected to work." if root else ""
    verdict = here.report.verdict
    step = "sudo kdiag learn" if root else verdict.next if verdict.run_on == "here" else ""
    return Section(
        "It is not run",
        (f"It would fail here: {judged.because}.{more}",),
        commands=(*filter(None, (step,)), f"kdiag explain {lesson.program}"),
    )


def running(lesson: Lesson, arguments: Sequence[str]) -> tuple[Section, ...]:
    """What is run now. Its lines begin with a name that only this run uses."""
    command = " ".join(map(shlex.quote, ("bpftrace", *arguments)))
    return (
        Section(
            "It runs now, with a name in its lines that only this run has",
            (lesson.event,),
            commands=(command,),
        ),
    )


def printed(result: Result) -> tuple[Section, ...]:
    """What the program printed, and how kdiag took it."""
    lines = [line for line in result.output.splitlines() if line.strip()]
    own = [line for line in lines if line.startswith("kdiag-")]
    seen = {
        Outcome.WORKS: "The event was seen.",
        Outcome.WARNS: "The event was seen, and bpftrace complained all the same.",
        Outcome.FAILS: "The event was not seen.",
        Outcome.SKIPPED: "It could not be tried.",
    }[result.outcome]
    shown = (own or lines)[:_SHOWN]
    said = () if result.message in shown or (result.works and result.message in lines) else (result.message,)
    remarks = tuple(filter(None, (seen, *said, result.meaning)))
    return (Section("It printed", rows=tuple((line,) for line in shown)), Section("", remarks))


def types(lesson: Lesson, here: Here) -> tuple[Section, ...]:
    """Where each type came from: tracefs, BTF, headers."""
    if not lesson.probe:
        return (Section("Where its types come from", (lesson.types,)),)
    found = tracepoints.found(parse(lesson.probe), here)
    if found.sections:
        return found.sections
    if found.because.startswith("whether "):
        return (Section("Where its types come from", (f"kdiag cannot tell {found.because}.",)),)
    return (Section("Where its types come from", (f"{found.because[:1].upper()}{found.because[1:]}.",)),)


def question(lesson: Lesson) -> Section:
    """The one question."""
    return Section("A question", (lesson.question,))


def answer(lesson: Lesson) -> tuple[Section, ...]:
    """Its answer, and where to read on."""
    return (
        Section("The answer", lesson.answer),
        Section("Read on", commands=(f"kdiag explain {' '.join(lesson.read_on)}",)),
    )
