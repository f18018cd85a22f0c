"""The values of an explanation, whatever its subject is."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal[
    "check",
    "capability",
    "option",
    "kernel-capability",
    "sysctl",
    "profile",
    "concept",
    "probe",
    "script",
    "object",
    "list",
    "function",
    "system-call",
    "type",
    "language",
    "bpf",
    "tool",
]

Outcome = Literal["works", "fails", "unknown", "told"]
"""works, fails: the subject is something to run, and it will or will not run here; unknown: kdiag cannot tell; told: it
is nothing to run, and what is known of it is told."""


class Section(NamedTuple):
    """A part of an answer. text: paragraphs; head: the columns' names, rows: cells as plain text; commands: whole
    command lines that can be pasted. A title without anything below it is not shown.
    """

    title: str
    text: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    commands: tuple[str, ...] = ()


class Answer(NamedTuple):
    """What is said of one subject: its title, one sentence that decides (verdict), and the parts in reading order.
    because: why it fails or cannot be told, as a clause; findings: ids of the findings of `kdiag check` about that.
    with_root: the outcome that root is expected to have, None where that is the same.
    """

    subject: str
    kind: Kind
    title: str
    outcome: Outcome
    verdict: str
    sections: tuple[Section, ...]
    because: str = ""
    findings: tuple[str, ...] = ()
    with_root: Outcome | None = None


class NotKnown(ValueError):
    """Nothing is called so; the message names the nearest name that there is, or what to write instead."""
