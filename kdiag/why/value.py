"""The values of an explanation."""

from __future__ import annotations

from typing import Literal, NamedTuple

from kdiag.knowledge.tools.message import Message
from kdiag.model import Finding, MachineInfo, Remedy

Outcome = Literal["established", "harmless", "elsewhere", "candidates", "none-here"]
"""established: a finding of this machine is its cause; harmless: it says nothing about failure here; elsewhere: no
machine is its cause, but the program, the tool or their ages; candidates: none is established, some could not be looked
at; none-here: this machine shows none of its usual causes."""


class Told(NamedTuple):
    """A message in a text: its first line (number from 1), how often it came, what the line named."""

    message: Message
    line: int
    text: str
    times: int = 1
    details: tuple[tuple[str, str], ...] = ()


class Strange(NamedTuple):
    """A complaint that the catalogue does not know, with the known messages that are nearest to it."""

    line: int
    text: str
    times: int = 1
    nearest: tuple[Message, ...] = ()


class Log(NamedTuple):
    """What is in a text. lines: how many were read; cut: whether there was more than is read; refusal: the line with
    which the verifier's log refuses the program, and its number, None without such a log.
    """

    told: tuple[Told, ...]
    strange: tuple[Strange, ...]
    lines: int
    cut: bool = False
    refusal: tuple[int, str] | None = None


class Answer(NamedTuple):
    """A message and what this machine has to do with it.

    cause: the established one; because: what explains it; others: that are not fine either and can cause the same;
    candidates: that could not be looked at; ruled_out: that are fine. remedy: of the cause, or of what explains it.
    """

    told: Told
    outcome: Outcome
    cause: Finding | None = None
    because: tuple[Finding, ...] = ()
    others: tuple[Finding, ...] = ()
    candidates: tuple[Finding, ...] = ()
    ruled_out: tuple[Finding, ...] = ()
    remedy: Remedy | None = None


class Explanation(NamedTuple):
    """Everything that is said: answers with the most decisive first."""

    machine: MachineInfo
    answers: tuple[Answer, ...]
    log: Log
    place: str = ""
