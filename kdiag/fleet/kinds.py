"""What machines answered, as it is kept: once for all machines that answered alike, and found again by its digest."""

from __future__ import annotations

import json
import zlib
from hashlib import sha256
from typing import NamedTuple

from kdiag.compare.causes import Machine
from kdiag.compare.reading.answers import Fact, MachineSummary
from kdiag.compare.reading.inputs import BadInput
from kdiag.model import Capability, MachineInfo, Status, Works

#: The largest content that is kept and unpacked: a history could have been made to fill the memory.
_LARGEST = 16 * 1024 * 1024

#: Many answers are read: looking a member up by its value takes three times as long.
_WORKS: dict[str, Works] = {one.value: one for one in Works}
_STATUS: dict[str, Status] = {one.value: one for one in Status}


def digest(summary: MachineSummary) -> bytes:
    """The same for machines that answered alike and have the same required: a digest of these answers."""
    answers = (
        sorted(summary.required),
        [(c.id, c.status.value, c.with_root.value if c.with_root else "") for c in summary.capabilities],
        [(f.id, f.status.value, f.causes) for f in summary.facts],
    )
    return sha256(json.dumps(answers).encode()).digest()


def content(summary: MachineSummary) -> bytes:
    """The answers with the words of this machine. Raises BadInput where they are longer than is read again."""
    value = {
        "required": summary.required,
        "capabilities": [
            (c.id, c.title, c.tool, c.status.value, c.because, c.findings) for c in summary.capabilities
        ],
        "findings": [(f.id, f.title, f.status.value, f.summary, f.causes, f.next) for f in summary.facts],
    }
    text = json.dumps(value, separators=(",", ":")).encode()
    if len(text) > _LARGEST:
        raise BadInput(f"answers of {len(text)} bytes, more than {_LARGEST}; a report has some 60,000")
    return zlib.compress(text, 4)  # half the time of 6, and 3 % more


def summary_of(stored: bytes) -> tuple[MachineSummary, int]:
    """What `content` kept, and how many bytes that is. Raises ValueError for anything else."""
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(stored, _LARGEST)
        value = json.loads(text)
        capabilities = tuple(
            Capability(i, title, tool, _WORKS[status], because, tuple(findings))
            for i, title, tool, status, because, findings in value["capabilities"]
        )
        facts = tuple(
            Fact(i, title, _STATUS[status], words, tuple(causes), command)
            for i, title, status, words, causes, command in value["findings"]
        )
        return MachineSummary(MachineInfo(), tuple(value["required"]), capabilities, facts, b""), len(text)
    except (zlib.error, KeyError, TypeError, AttributeError, ValueError, RecursionError):
        raise ValueError("what a machine answered cannot be read: the history is damaged") from None


class Trouble(NamedTuple):
    """A capability that does not (fully) work, and why. cause and words: of the finding at the root, or empty and what
    the capability itself says. next: a command that repairs it. required: whether the machine is not ready for it, or
    its verdict cannot be told.
    """

    id: str
    title: str
    status: Works
    cause: str
    words: str
    next: str
    required: bool


def troubles(summary: MachineSummary) -> tuple[Trouble, ...]:
    """What does not work on these machines."""
    machine = Machine(summary)
    found = []
    for one in summary.capabilities:
        if one.status is Works.WORKS:
            continue
        chain = machine.why(one)
        command = next((fact.next for fact in reversed(chain) if fact.next), "")
        cause, words = (chain[-1].id, chain[-1].summary) if chain else ("", one.because)
        grave = one.id in summary.required and one.status is not Works.CAVEAT
        found.append(Trouble(one.id, one.title, one.status, cause, words, command, grave))
    return tuple(found)
