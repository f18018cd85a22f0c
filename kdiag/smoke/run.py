"""Runs the programs one after another and makes the report. A tool's first one shows how fast this machine is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from kdiag import __version__
from kdiag.capabilities.definitions import DEFAULT_REQUIRED
from kdiag.checking.selection import UnknownName
from kdiag.knowledge.tools.behaviour import Behaviour
from kdiag.knowledge.tools.messages import explain
from kdiag.model import MachineInfo, Works
from kdiag.smoke import judge
from kdiag.smoke.cause import Cause, Uncaused, start
from kdiag.smoke.identity import Doubt, doubt
from kdiag.smoke.model import Outcome, Result, SmokeError, SmokeReport, agreement, worst
from kdiag.smoke.programs import FIRST, PROGRAMS, Program, Runner, Runners, Scene, Shown, Skip
from kdiag.smoke.shortage import shortage
from kdiag.smoke.watch import Limits, Observation, Plan, watch
from kdiag.trust.program import distrusted
from kdiag.words import did_you_mean

#: Told of every program: with None when it starts and while it runs, with its result at the end.
Listener = Callable[[Program, Result | None], None]

#: Told what a program is started with.
Telling = Callable[[Program, Sequence[str]], None]

#: Seconds in which nothing can be tried.
_LEAST = 0.01
#: Seconds for all programs unless the caller says otherwise: emulated machines took up to 320.
TIME_LIMIT = 900.0
#: Seconds until one program has to trace, however slow the first one was. Under emulation BCC's opensnoop, which
#: compiles twice, took over 300.
_LONGEST = 600.0
_INITIAL_PID_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO, include/linux/proc_ns.h


def select(only: Sequence[str], tools: Sequence[str] = ()) -> tuple[Program, ...]:
    """The programs that an id or glob of `only` names, in the order of the list; all of these tools if empty.

    tools: as `--tool` names them; empty for those of bpftrace. Raises UnknownName.
    """
    for pattern in only:
        if not any(fnmatchcase(program.id, pattern) for program in PROGRAMS):
            hint = did_you_mean(pattern, [p.id for p in PROGRAMS])
            raise UnknownName(
                f"no smoke program is called {pattern!r}{hint} (`kdiag smoke --list` shows them)"
            )
    if only:
        named = (p for p in PROGRAMS if any(fnmatchcase(p.id, pattern) for pattern in only))
        return tuple(p for p in named if not tools or p.tool in tools)
    return tuple(p for p in PROGRAMS if p.tool in (tools or ("bpftrace",)))


@dataclass(slots=True)
class _Gate:
    """What the first program of a tool decided for its others."""

    doubt: Doubt | None = None
    seconds: float | None = None
    stopped: str = ""


@dataclass(slots=True)
class _Run:
    """What the programs of one run share."""

    runners: Runners
    behaviour: Behaviour
    env: Mapping[str, str] | None
    listener: Listener
    deadline: float
    exact_pids: bool
    stack: ExitStack
    about_to: Telling
    causes: dict[str, Cause] = field(default_factory=dict)
    gates: dict[str, _Gate] = field(default_factory=dict)

    def runner(self, tool: str) -> Runner:
        """How a tool is started; one that nobody named is not installed."""
        return self.runners.get(tool) or Runner(tool, (), (), lambda _: False)


def run(  # noqa: PLR0913  what a run depends on
    programs: Sequence[Program],
    *,
    runners: Runners,
    behaviour: Behaviour,
    predictions: Mapping[str, Works],
    env: Mapping[str, str] | None = None,
    listener: Listener | None = None,
    required: Sequence[str] = DEFAULT_REQUIRED,
    time_limit: float | None = TIME_LIMIT,
    machine: MachineInfo | None = None,
    about_to: Telling | None = None,
) -> SmokeReport:
    """Run them and report. To be called in the main thread.

    runners: how each tool is started. behaviour: of the installed bpftrace. predictions: status by capability id, may
    be empty. env: the whole environment for the tools, None for ours as it is. time_limit: seconds for everything
    together, None for as long as it takes. machine: as `kdiag check` describes it, to be copied into the report.
    about_to: told the arguments of each program before it is started.
    Raises SmokeError where kdiag cannot do its own part.
    """
    began = time.monotonic()
    results: list[Result] = []
    with ExitStack() as stack:
        state = _Run(
            runners,
            behaviour,
            env,
            listener or (lambda _program, _result: None),
            began + time_limit if time_limit is not None else float("inf"),
            _exact_pids(),
            stack,
            about_to or (lambda _program, _arguments: None),
        )
        for program in programs:
            state.listener(program, None)
            first = program.tool not in state.gates
            if first:
                state.gates[program.tool] = _Gate(_doubt(program.tool, state))
            predicted = worst(tuple(predictions.get(need) for need in program.rests_on))
            result = _one(program, state, predicted)
            results.append(result)
            gate = state.gates[program.tool]
            if gate.seconds is None and result.outcome is not Outcome.SKIPPED:
                gate.seconds = result.seconds
            if (
                program.id in FIRST
                and result.outcome is Outcome.FAILS
                and not _begin_alone(program, programs, predictions)
            ):
                gate.stopped = f"as {program.id}: {result.message}"
            state.listener(program, result)
    return SmokeReport(
        __version__,
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        machine or _machine(behaviour),
        tuple(results),
        tuple(required),
        time.monotonic() - began,
    )


def _begin_alone(first: Program, programs: Sequence[Program], predictions: Mapping[str, Works]) -> bool:
    """Whether it is only BEGIN that is not expected to work: other scripts have none."""
    if first.id != "hello" or predictions.get("hello") not in (Works.FAILS, Works.UNKNOWN):
        return False
    return any(
        predictions.get(one.needs[0]) in (Works.WORKS, Works.CAVEAT)
        for one in programs
        if one.tool == first.tool
    )


def _one(program: Program, state: _Run, predicted: Works | None) -> Result:
    began = time.monotonic()
    gate, runner = state.gates[program.tool], state.runner(program.tool)

    def result(
        outcome: Outcome, message: str, meaning: str = "", arguments: tuple[str, ...] = (), output: str = ""
    ) -> Result:
        return Result(
            program.id,
            program.title,
            program.needs[0],
            program.needs,
            outcome,
            message,
            meaning,
            predicted,
            agreement(predicted, outcome),
            round(time.monotonic() - began, 3),
            program.shown if arguments and program.shown else arguments,
            output,
            program.tool,
        )

    if gate.stopped:
        return result(Outcome.SKIPPED, gate.stopped)
    if state.deadline - began < _LEAST:
        return result(Outcome.SKIPPED, _with_shortage("the time limit for all programs was reached"))
    if not runner.words and not program.alone:
        if runner.absent:
            return result(Outcome.SKIPPED, runner.absent)
        return result(Outcome.FAILS, f"{runner.title} is not installed{runner.hint and f': {runner.hint}'}")
    if gate.doubt is not None and not program.alone:
        return result(*gate.doubt)
    try:
        scene, arguments = _prepare(program, state)
    except Skip as skip:
        return result(Outcome.SKIPPED, str(skip))
    except Uncaused as problem:
        return result(Outcome.SKIPPED, f"the event could not be caused: {problem}")
    state.about_to(program, program.shown or arguments)
    seen = _watch(program, scene, arguments, state)
    if seen.timed_out and time.monotonic() >= state.deadline:
        return result(
            Outcome.SKIPPED,
            _with_shortage("stopped: the time limit for all programs was reached"),
            "",
            arguments,
            judge.output(seen),
        )
    if seen.timed_out:
        seen = seen._replace(lacked=shortage())
    # Only on standard output, which is not looked at once tracing has begun.
    told = seen._replace(started=True) if program.answers else seen
    mark = scene.cause.comm
    found = result(*judge.judge(told, mark, program.almost, runner.title), arguments, judge.output(seen))
    return found._replace(known=tuple(explain(judge.said(told, mark))))


def _doubt(tool: str, state: _Run) -> Doubt | None:
    """Why nothing that the tool prints will be believed; None if there is no such reason, or nothing to ask."""
    runner = state.runner(tool)
    left = state.deadline - time.monotonic()
    if not runner.words or left < _LEAST:
        return None
    why = _untrusted(runner.path)
    if why:
        return Doubt(Outcome.SKIPPED, f"{runner.path} was not run as root: {why}", arguments=())
    found = doubt(runner, state.env, min(left, _limits(None, heavy=False).start))
    return None if time.monotonic() >= state.deadline else found


def _prepare(program: Program, state: _Run) -> tuple[Scene, tuple[str, ...]]:
    """The scene and the arguments, with the first interpreter that can cause the event. Raises Skip, Uncaused."""
    scene = Scene(state.behaviour, _cause("", state), state.exact_pids)
    try:
        if program.before:
            scene.cause.do(program.before)
        return scene, program.arguments(scene)
    except Skip:
        for interpreter in program.elsewhere:
            if not os.access(interpreter, os.X_OK) or _untrusted(interpreter):
                continue
            try:
                other = Scene(state.behaviour, _cause(interpreter, state), state.exact_pids)
                return other, program.arguments(other)
            except (Skip, SmokeError):
                continue
        raise


def _cause(interpreter: str, state: _Run) -> Cause:
    """The process that causes events, run by this interpreter ("" for ours); started anew if it is gone."""
    cause = state.causes.get(interpreter)
    if cause is None or not cause.alive:
        cause = start(interpreter) if interpreter else start()
        state.causes[interpreter] = cause
        state.stack.callback(cause.end)
    return cause


def _watch(program: Program, scene: Scene, arguments: tuple[str, ...], state: _Run) -> Observation:
    limits = _limits(state.gates[program.tool].seconds, program.heavy)
    left = state.deadline - time.monotonic()
    plan = Plan(
        arguments if program.alone else (*state.runner(program.tool).words, *arguments),
        state.env,
        Limits(min(limits.start, left), min(limits.event, left), min(limits.end, max(left, 1.0))),
        scene.cause,
        program.action,
        lambda pid: program.proof(scene, Shown(tuple(scene.cause.answers), pid)),
        program.ready,
    )
    return watch(plan, lambda: state.listener(program, None))


def _limits(hello: float | None, heavy: bool) -> Limits:
    """By the time of the tool's first program: seconds under emulation, where reading kernel headers took a hundred."""
    if hello is None:
        return Limits(start=180.0 if heavy else 60.0)
    return Limits(
        start=min(_LONGEST, max(30.0, 90 * hello) if heavy else max(15.0, 20 * hello)),
        event=max(10.0, 10 * hello),
        end=max(5.0, 5 * hello),
    )


def _with_shortage(text: str) -> str:
    lacked = shortage()
    return f"{text}; {lacked}" if lacked else text


def _untrusted(program: str) -> str:
    """Why root should not run it, "" if there is no reason."""
    try:
        return distrusted(program) if os.geteuid() == 0 else ""
    except OSError:
        return ""  # it is not there: starting it will say so


def _exact_pids() -> bool:
    """Whether the process ids that the kernel's events carry are those that we see."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino == _INITIAL_PID_NAMESPACE
    except OSError:
        return False


def _machine(behaviour: Behaviour) -> MachineInfo:
    name = os.uname()
    return MachineInfo(
        release=name.release,
        version=name.version,
        arch=name.machine,
        bpftrace=behaviour.release,
        user="root" if os.geteuid() == 0 else f"uid {os.geteuid()}",
    )
