"""What tools said while smoke programs ran, held against the findings: harmless, gone, or there, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from kdiag.knowledge.tools.messages import Explained, Printed
from kdiag.model import Report, Status
from kdiag.smoke.model import Outcome, Result, SmokeReport
from kdiag.why.judging import judged
from kdiag.why.value import Told
from kdiag.why.words import stands

#: The finding that announces a message, and the message.
_ANNOUNCED = {"headers.warning": "bpftrace.headers-not-found"}
#: The program that prints it then.
_PRINTER = "tracepoint-args"
#: Characters of a message that is named in a sentence.
_NAMED = 60


def printed(results: Iterable[Result]) -> tuple[Printed, ...]:
    """The known messages of these programs, each once, with the programs that printed it."""
    found: dict[str, tuple[Explained, list[str]]] = {}
    for result in results:
        for one in result.known:
            found.setdefault(one.message.id, (one, []))[1].append(result.id)
    return tuple(Printed(one, tuple(programs)) for one, programs in found.values())


def here(one: Explained, report: Report) -> str:
    """Whether a message matters on this machine, and where it comes from."""
    answer = judged(Told(one.message, one.line, one.text, 1, one.details), {f.id: f for f in report.findings})
    announced = [
        name for name, message in _ANNOUNCED.items() if message == one.message.id and _expects(name, report)
    ]
    return f"{stands(answer)}{f'; `kdiag check` announces it ({announced[0]})' if announced else ''}"


def judged_here(proof: SmokeReport, report: Report) -> SmokeReport:
    """The proof with what each message comes from on the machine of the report, and what was announced and did not
    come.
    """
    programs = tuple(one._replace(here=_of(one, report)) for one in proof.programs)
    return proof._replace(programs=programs, remarks=tuple(_absent(programs, report)))


def _of(result: Result, report: Report) -> str:
    """Of the message that the result tells."""
    told = (one for one in result.known if result.meaning and one.message.meaning == result.meaning)
    return next((here(one, report) for one in told), "")


def _absent(programs: Sequence[Result], report: Report) -> Iterator[str]:
    for finding, message in _ANNOUNCED.items():
        tried = any(one.id == _PRINTER and one.outcome is not Outcome.SKIPPED for one in programs)
        if (
            tried
            and _expects(finding, report)
            and all(message != k.message.id for p in programs for k in p.known)
        ):
            found = report.finding(finding)
            said = found.summary if found is not None else ""
            yield f"`kdiag check` says: {said}. No program printed it ({finding})."


def _expects(finding: str, report: Report) -> bool:
    found = report.finding(finding)
    return found is not None and found.status is Status.OK


def changes(before: Sequence[Printed], after: Sequence[Printed], report: Report) -> Iterator[str]:
    """What became of the messages. report: on the machine afterwards."""
    was, now = _by_id(before), _by_id(after)
    for id_, one in was.items():
        if id_ not in now:
            yield f"Gone: {_name(one)} ({_many(one)} printed it before)."
    for id_, one in now.items():
        word = "Stays" if id_ in was else "New"
        yield f"{word}: {_name(one)} ({_many(one)}): {here(one.known, report)}."


def _by_id(found: Sequence[Printed]) -> Mapping[str, Printed]:
    return {one.known.message.id: one for one in found}


def _name(one: Printed) -> str:
    text = one.known.text
    return f"`{text if len(text) <= _NAMED else f'{text[:_NAMED].rstrip()} ...'}`"


def _many(one: Printed) -> str:
    return f"{len(one.programs)} program{'s' if len(one.programs) > 1 else ''}"
