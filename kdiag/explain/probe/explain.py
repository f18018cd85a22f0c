"""One probe in words: the verdict, what it names, what it requires."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kdiag.explain.probe import functions, needs, others, programs, tracepoints
from kdiag.explain.probe.value import STATES, Found, worst
from kdiag.explain.value import Answer, NotKnown
from kdiag.knowledge.scripts.probes import GONE, INSTEAD, SINCE
from kdiag.model import Works
from kdiag.parse.bpftrace.attach import AttachPoint, looks_like, parse
from kdiag.parse.errors import ParseError

if TYPE_CHECKING:
    from kdiag.capabilities.judging import Judged
    from kdiag.explain.here import Here
    from kdiag.explain.probe.value import State

_BY_KIND: dict[str, Callable[[AttachPoint, Here], Found]] = {
    "tracepoint": tracepoints.found,
    "rawtracepoint": others.raw,
    **dict.fromkeys(("kprobe", "kretprobe", "fentry", "fexit"), functions.found),
    **dict.fromkeys(("uprobe", "uretprobe"), programs.uprobe),
    "usdt": programs.usdt,
    "iter": others.iterator,
    **dict.fromkeys(("profile", "interval"), others.timed),
    **dict.fromkeys(("software", "hardware"), others.counted),
    **dict.fromkeys(("begin", "end", "self", "bench", "test"), others.plain),
}
_WHAT = {
    "tracepoint": "a place that the kernel's authors made for tracing",
    "rawtracepoint": "a tracepoint with the arguments that the kernel passes it, unformatted",
    "kprobe": "the entry of a function of the kernel, or a place in it",
    "kretprobe": "the return of a function of the kernel",
    "fentry": "the entry of a function of the kernel, with typed arguments",
    "fexit": "the return of a function of the kernel, with typed arguments and result",
    "uprobe": "a function of a program",
    "uretprobe": "the return of a function of a program",
    "usdt": "a place that a program's authors made for tracing",
    "iter": "a list of the kernel's, gone through once",
    "profile": "a sample by the clock, on every CPU",
    "interval": "a tick of the clock",
    "software": "a counter of events in the kernel",
    "hardware": "a counter of the processor",
    "watchpoint": "an access to memory",
    "asyncwatchpoint": "an access to memory",
    "begin": "before the first event",
    "end": "after the last event",
    "self": "a signal to bpftrace itself",
    "bench": "a benchmark of bpftrace's own",
    "test": "a test of bpftrace's own",
}

fits = looks_like


def explain(name: str, here: Here) -> Answer:
    """What is said of a probe. Raises NotKnown, which says how one is written."""
    try:
        point = parse(name)
    except ParseError as error:
        raise NotKnown(str(error)) from None
    found, judgement = look(point, here)
    state, because = joined(found, judgement)
    sections = list(found.sections)
    if judgement is not None:
        sections.append(needs.section(judgement, here))
    verdict, ids = _verdict(state, because, here), deciding(found, judgement)
    root = as_root(found, judgement)
    return Answer(name, "probe", _WHAT[point.kind], state, verdict, tuple(sections), because, ids, root)


def look(point: AttachPoint, here: Here) -> tuple[Found, Judged | None]:
    """What the probe names, and how its kind stands here."""
    misspelt = _release(point, here)
    ask = _BY_KIND.get(point.kind)
    found = Found("unknown", f"kdiag does not look at what {point.kind} probes name")
    open_ = next((part for part in point.parts if "$" in part), "")
    if open_ and point.kind not in ("profile", "interval", "software", "hardware"):
        found = Found("unknown", f"{open_} comes from the command line")
    elif ask is not None:
        found = ask(point, here)
    if misspelt:
        found = found._replace(state="fails", because=misspelt)
    return found, needs.judge(point, here)


def joined(found: Found, judgement: Judged | None) -> tuple[State, str]:
    """The worse of the two, with its reason."""
    if found.state == "fails":
        return "fails", found.because
    status = judgement.capability.status if judgement is not None else Works.WORKS
    reason = judgement.capability.because if judgement is not None else ""
    if status is Works.FAILS:
        return "fails", reason
    if found.state == "unknown":
        return "unknown", found.because
    if status is Works.UNKNOWN:
        return "unknown", reason
    limit = reason.removeprefix("works, ") if status is Works.CAVEAT else ""
    caveats = [text for text in (found.caveat, limit) if text]
    return "works", "; ".join(caveats)


def as_root(found: Found, judgement: Judged | None) -> State | None:
    """The state that root is expected to have, None where that is the same."""
    if judgement is None or judgement.capability.with_root is None:
        return None
    kind = STATES[judgement.capability.with_root]
    # What the probe names was looked for with the caller's eyes; what is missing is missing for root.
    state = worst((found.state, kind))
    return None if state == joined(found, judgement)[0] else state


def deciding(found: Found, judgement: Judged | None) -> tuple[str, ...]:
    """The ids of the findings that decide, those of the capability where it does not work."""
    if judgement is None or judgement.capability.status in (Works.WORKS, Works.CAVEAT):
        return ()
    if judgement.capability.status is Works.UNKNOWN and found.state != "works":
        return ()
    return judgement.capability.findings


def _release(point: AttachPoint, here: Here) -> str:
    """That the installed release does not know this spelling; empty where it does, or is not known."""
    behaviour = here.machine.tools.behaviour
    if behaviour is None:
        return ""
    release = behaviour.release
    since = SINCE.get(point.spelled, (0, 0, 0))
    if behaviour.version < since:
        older = next(
            (one for one in INSTEAD.get(point.spelled, ()) if behaviour.version >= SINCE.get(one, (0,))), ""
        )
        hint = f": write {':'.join((older, *point.parts))}" if older else ""
        needed = ".".join(map(str, since[:2]))
        return f"{point.spelled!r} requires bpftrace {needed} or newer, and this is {release}{hint}"
    if point.spelled in GONE and behaviour.version >= GONE[point.spelled]:
        return f"{point.spelled!r} is gone since bpftrace {'.'.join(map(str, GONE[point.spelled][:2]))}"
    return ""


def _verdict(state: State, because: str, here: Here) -> str:
    where = here.where
    if state == "works":
        return f"will work {where}, as far as can be told without trying" + (
            f": {because}" if because else ""
        )
    if state == "fails":
        return f"will not work {where}: {because}"
    return f"cannot tell {where}: {because}"
