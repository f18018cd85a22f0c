"""The values of an explanation."""

from __future__ import annotations

from typing import Literal, NamedTuple

from kdiag.knowledge.tools.message import Message
from kdiag.knowledge.tools.messages import Recognised
from kdiag.model import Finding, MachineInfo, Remedy

Outcome = Literal["established", "harmless", "elsewhere", "misfit", "candidates", "none-here"]
"""established: a finding of this machine is its cause; harmless: it says nothing about failure here; elsewhere: no
machine is its cause, but the program or the tool; misfit: the program asks for what the kernel that printed it does not
have; candidates: none is established, some could not be looked
at; none-here: this machine shows none of its usual causes."""

Verdict = Literal["explained", "not-established", "unknown"]
"""explained: what is known has a cause here, lies elsewhere, or is harmless; not-established: its meaning is known, and
no cause is established here; unknown: nothing in the text is known."""


class Told(NamedTuple):
    """A message in a text: its first line (number from 1), how often it came, what the line named. fits: this and other
    entries of the catalogue that fit the line, of which the first is taken unless the installed release prints another.
    """

    message: Message
    line: int
    text: str
    times: int = 1
    details: tuple[tuple[str, str], ...] = ()
    fits: tuple[Recognised, ...] = ()


class Strange(NamedTuple):
    """A complaint that the catalogue does not know, with the known messages that are nearest to it."""

    line: int
    text: str
    times: int = 1
    nearest: tuple[Message, ...] = ()


class Refusal(NamedTuple):
    """The line with which the kernel's verifier refuses a program, and the kernel's own explanation of it (Linux 7.3):
    what is wrong, why, at which place, what helps; empty in older logs.
    """

    line: int
    text: str
    problem: str = ""
    reason: str = ""
    at: str = ""
    suggestion: str = ""


class Origin(NamedTuple):
    """What a text names of the machine that it comes from: releases of the kernel, architectures as in the names of
    system calls, releases of bpftrace.
    """

    releases: tuple[str, ...] = ()
    archs: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


class Log(NamedTuple):
    """What is in a text. lines: how many were read; shortened: how many of them are longer than what is read of a line;
    cut: whether there was more than is read; refusal: the first program that the verifier refuses; refused: how many it
    refuses; untold: complaints that there was no room for; binary: lines that are no text; origin: of which machine
    it is.
    """

    told: tuple[Told, ...]
    strange: tuple[Strange, ...]
    lines: int
    shortened: int = 0
    cut: bool = False
    refusal: Refusal | None = None
    refused: int = 0
    untold: int = 0
    binary: int = 0
    origin: Origin = Origin()


class Answer(NamedTuple):
    """A message and what this machine has to do with it.

    cause: the established one; because: what explains it; others: that are not fine either and can cause the same;
    candidates: that could not be looked at; ruled_out: that are fine; skipped: that did not arise, so that nothing is
    known of them. remedy: of the cause, or of what explains it. errno: what the error number in the line says.
    release: that the installed release of the tool does not print it, and which do.
    """

    told: Told
    outcome: Outcome
    cause: Finding | None = None
    because: tuple[Finding, ...] = ()
    others: tuple[Finding, ...] = ()
    candidates: tuple[Finding, ...] = ()
    ruled_out: tuple[Finding, ...] = ()
    skipped: tuple[Finding, ...] = ()
    remedy: Remedy | None = None
    errno: str = ""
    release: str = ""


class Explanation(NamedTuple):
    """Everything that is said: answers with the most decisive first. foreign: what the text names that this machine is
    not, in sentences without a full stop.
    """

    machine: MachineInfo
    answers: tuple[Answer, ...]
    log: Log
    place: str = ""
    foreign: tuple[str, ...] = ()
