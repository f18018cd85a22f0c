"""Sentences about an explanation that more than one of its faces says."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.model import Finding
from kdiag.why.reading import LONGEST, MOST
from kdiag.why.value import Answer, Explanation, Log, Outcome, Strange, Told

HEADING: dict[Outcome, str] = {
    "established": "Cause",
    "harmless": "Harmless here",
    "elsewhere": "Not this machine",
    "misfit": "The program and the kernel do not fit",
    "candidates": "Cause not established",
    "none-here": "None of its usual causes is here",
}
#: What brings a tool's errors in.
BOTH_STREAMS = "bpftrace ... 2>&1 | kdiag why"
#: Characters of a line that are quoted.
_QUOTED = 300


def what(answer: Answer) -> str:
    """What follows the heading of an answer."""
    if answer.outcome == "established" and answer.cause is not None:
        return f": {answer.cause.summary} ({answer.cause.id})"
    if answer.outcome == "harmless" and answer.ruled_out:
        return f": {', '.join(f.summary for f in answer.ruled_out)}"
    if answer.outcome == "elsewhere":
        return ": it lies in the program or the tool"
    if answer.outcome == "misfit":
        return ": this kernel does not have, or refuses, what the program asks for"
    return ""


def stands(answer: Answer) -> str:
    """Whether a message matters here, and why it comes, in half a sentence."""
    if answer.outcome == "established" and answer.cause is not None:
        return f"because {answer.cause.summary} ({answer.cause.id})"
    if answer.outcome == "harmless":
        fine = ", ".join(f.summary for f in answer.ruled_out)
        return f"harmless here{f', {fine}' if fine else ''}"
    if answer.outcome == "elsewhere":
        return "it lies in the program or the tool"
    if answer.outcome == "misfit":
        return "this kernel does not have, or refuses, what the program asks for"
    if answer.outcome == "none-here":
        return "none of its usual causes is here"
    return (
        f"its cause is not established{f', perhaps {answer.candidates[0].id}' if answer.candidates else ''}"
    )


def located(one: Told | Strange) -> str:
    """A message with its first line, and how often it came."""
    often = f", {one.times:,} times" if one.times > 1 else ""
    return f"line {one.line}{often}: {short(one.text)}"


def short(text: str) -> str:
    """The beginning of a line."""
    return text if len(text) <= _QUOTED else f"{text[: _QUOTED - 3]}..."


def reason(finding: Finding) -> str:
    """What would tell about a finding that was not looked at, or why it was not."""
    more = finding.with_root or finding.reason
    return f" ({more})" if more else ""


def machine_line(explanation: Explanation) -> Iterator[str]:
    """What the messages were held against."""
    machine = explanation.machine
    yield f"held against {explanation.place or 'this machine'}"
    if release := f"{machine.release} {machine.arch}".strip():
        yield release
    if machine.bpftrace:
        yield f"bpftrace {machine.bpftrace.removeprefix('bpftrace ')}"


def other_machine(explanation: Explanation) -> str:
    """That a text is perhaps not of the machine that was examined."""
    if not explanation.foreign:
        return ""
    named = "; ".join(explanation.foreign)
    return (
        f"Perhaps of another machine: {named}. What is said here is true of the machine that was examined; on the "
        f"other one the causes can be others (kdiag record there, then kdiag why --from RECORDING)."
    )


def more_as_root(explanation: Explanation) -> str:
    """That root would know more, where it would."""
    closed = {f.id for answer in explanation.answers for f in answer.candidates if f.with_root}
    if not closed or explanation.machine.user == "root" or explanation.place:
        return ""
    return f"As root, kdiag can look at {', '.join(sorted(closed))}: run the same command with sudo."


def left_out(log: Log) -> Iterator[str]:
    """What of the text was not read, or is not shown."""
    if log.shortened:
        which = "1 line is" if log.shortened == 1 else f"{log.shortened:,} lines are"
        beginning = "its beginning was" if log.shortened == 1 else "their beginnings were"
        yield f"{which} longer than {LONGEST:,} bytes: only {beginning} read"
    if log.cut:
        yield f"the text is longer than {MOST >> 20} MiB: only its beginning was read"
    if log.binary:
        lines = "1 line is" if log.binary == 1 else f"{log.binary:,} lines are"
        yield f"{lines} no text, and left out"
    if log.untold:
        yield f"{log.untold:,} more lines complain of something that kdiag does not know"


def nothing(log: Log) -> str:
    """That nothing in a text says anything."""
    if not log.lines:
        return "Nothing came in: tools write what they complain of to standard error"
    return "No message in it that kdiag knows, and no line that complains"
