"""From what was observed to an outcome: the decisive line among all that the tool said, and what it means."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator

from kdiag.knowledge.tools.messages import COMPLAINT, Explained, explain
from kdiag.smoke.model import Outcome
from kdiag.smoke.watch import Observation

_LONGEST = 300
_OUTPUT_KEPT = 4000
_NOISE = re.compile(r"Attach(ing|ed) \d+ probes?|[~^\s]*")


def judge(
    seen: Observation, mark: str, almost: tuple[str, str] | None, tool: str = "bpftrace"
) -> tuple[Outcome, str, str]:
    """Outcome, message and meaning. mark: begins the lines that our script prints. almost: see Program."""
    if seen.uncaused and not seen.seen and seen.timed_out:
        return Outcome.SKIPPED, f"the event could not be caused: {seen.uncaused}", ""
    known = explain(said(seen, mark))
    if not seen.seen:
        return Outcome.FAILS, *_failure(seen, known, mark, almost, tool)
    message, meaning = _warning(seen, known, mark, tool)
    # A message that the table calls harmless is told, and is no warning: RLIMIT_MEMLOCK would mark every program.
    harmless = any(one.harmless and message == _trim(one.text) for one in known)
    return (Outcome.WARNS if message and not harmless else Outcome.WORKS), message, meaning


def said(seen: Observation, mark: str) -> str:
    """What the tool said on its own: not the lines of our script, and not that it attaches.

    Of standard output only where tracing never began: after that a stock tool prints other processes' text there.
    """
    lines = [] if seen.started else [line for line in seen.stdout.splitlines() if mark not in line]
    return "\n".join(
        line for line in (*seen.stderr.splitlines(), *lines) if not _NOISE.fullmatch(line.strip())
    )


def output(seen: Observation) -> str:
    """Both streams, for a report to send. Of a long text the middle is left out: clang's warnings come first, what
    ended the program last."""
    text = "\n".join(filter(None, (seen.stderr.strip(), seen.stdout.strip())))
    if len(text) <= _OUTPUT_KEPT:
        return text
    half = _OUTPUT_KEPT // 2
    return f"{text[:half]}\n[{len(text) - 2 * half} characters are left out]\n{text[-half:]}"


def _failure(
    seen: Observation, known: list[Explained], mark: str, almost: tuple[str, str] | None, tool: str
) -> tuple[str, str]:
    if seen.problem:
        return _trim(seen.problem), ""
    if almost and re.search(almost[0], seen.stdout, re.MULTILINE):
        return f"({almost[1]})", ""
    decisive = _decisive(seen, known, mark)
    return decisive if decisive is not None else (f"({_silence(seen, mark, tool)})", "")


def _decisive(seen: Observation, known: list[Explained], mark: str) -> tuple[str, str] | None:
    """The line that says most, and its meaning: a known cause, an unknown complaint, a known consequence."""
    for one in known:
        if one.message.weight in ("stop", "cause"):
            return _trim(one.text), one.message.meaning
    for line in _unknown_complaints(seen, known, mark):
        return _trim(line), ""
    for one in known:
        if not one.harmless:
            return _trim(one.text), one.message.meaning
    return None


def _silence(seen: Observation, mark: str, tool: str) -> str:
    """What happened where the tool gave no reason."""
    if seen.timed_out:
        stage = "the event was caused and never seen" if seen.started else "not ready to trace"
        lacked = f"; {seen.lacked}" if seen.lacked else ""
        return f"{stage} within {seen.seconds:.0f} s{_stubborn(seen, tool)}{lacked}"
    last = said(seen, mark).splitlines()[-1:]
    if seen.status:
        return (
            f"{tool} ended {_status(seen.status)}{f': {_trim(last[0])}' if last else ' and gave no reason'}"
        )
    return f"{tool} ended, and the event was not seen{f': {_trim(last[0])}' if last else ''}"


def _stubborn(seen: Observation, tool: str) -> str:
    if seen.killed:
        ending = "had to be killed" if seen.status is not None else "could not even be killed"
        return f"; {tool} did not end when interrupted and {ending}"
    return ""


def _status(status: int) -> str:
    if status >= 0:
        return f"with status {status}"
    try:
        return f"by {signal.Signals(-status).name}"
    except ValueError:
        return f"by signal {-status}"


def _warning(seen: Observation, known: list[Explained], mark: str, tool: str) -> tuple[str, str]:
    """What there is to say about a program that worked; empty if nothing."""
    if seen.killed:
        return f"(the event was seen{_stubborn(seen, tool)})", ""
    if seen.status is not None and seen.status < 0 and -seen.status != signal.SIGINT:
        return f"(the event was seen; then {tool} ended {_status(seen.status)})", ""
    decisive = _decisive(seen, known, mark)
    if decisive is not None:
        return decisive
    return (_trim(known[0].text), known[0].message.meaning) if known else ("", "")


def _unknown_complaints(seen: Observation, known: list[Explained], mark: str) -> Iterator[str]:
    """Lines that complain of something the table of messages does not know."""
    texts = {one.text for one in known}
    for line in said(seen, mark).splitlines():
        text = line.strip()
        if text and text not in texts and COMPLAINT.search(text):
            yield text


def _trim(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
