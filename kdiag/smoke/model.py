"""The values of a smoke run: what one program showed, and the report over all of them. Frozen, no I/O."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from kdiag.knowledge.tools.messages import Explained
from kdiag.model import MachineInfo, Works


class Outcome(str, Enum):
    """What a program showed. `warns`: its event was seen, and the tool complained all the same."""

    WORKS = "works"
    WARNS = "warns"
    FAILS = "fails"
    SKIPPED = "skipped"


class SmokeError(Exception):
    """kdiag itself could not do its part: start the process that causes the events, for instance."""


class Result(NamedTuple):
    """One program's answer.

    needs: the capabilities it stands on, `capability` the first of them. message: the tool's decisive line (or ours
    in parentheses where the tool said nothing), or the reason of a skip. predicted: the worst status that
    `kdiag check` gave to what it needs, None without a prediction. agrees: None where nothing can be compared.
    arguments: as given to the tool; output: the beginning of what it printed, both streams. tool: as `--tool` names it.
    known: what the table of messages knows of what the tool said; here: what the message comes from on this machine.
    """

    id: str
    title: str
    capability: str
    needs: tuple[str, ...]
    outcome: Outcome
    message: str = ""
    meaning: str = ""
    predicted: Works | None = None
    agrees: bool | None = None
    seconds: float = 0.0
    arguments: tuple[str, ...] = ()
    output: str = ""
    tool: str = "bpftrace"
    known: tuple[Explained, ...] = ()
    here: str = ""

    @property
    def works(self) -> bool:
        """Whether the very event that was caused was seen."""
        return self.outcome in (Outcome.WORKS, Outcome.WARNS)


class SmokeReport(NamedTuple):
    """All results of one run. required: ids of the capabilities that decide the exit status. remarks: about what was
    announced and not said.
    """

    kdiag: str
    created: str
    machine: MachineInfo
    programs: tuple[Result, ...]
    required: tuple[str, ...]
    seconds: float
    remarks: tuple[str, ...] = ()

    def count(self, outcome: Outcome) -> int:
        """How many programs ended so."""
        return sum(one.outcome is outcome for one in self.programs)

    @property
    def disagreements(self) -> tuple[Result, ...]:
        """Programs that did what `kdiag check` said they would not: mistakes of kdiag."""
        return tuple(one for one in self.programs if one.agrees is False)


_BADNESS = (Works.WORKS, Works.CAVEAT, Works.UNKNOWN, Works.FAILS)


def worst(statuses: tuple[Works | None, ...]) -> Works | None:
    """The least promising of several predictions; None if one of them is missing."""
    if not statuses or None in statuses:
        return None
    return max((status for status in statuses if status is not None), key=_BADNESS.index)


def agreement(predicted: Works | None, outcome: Outcome) -> bool | None:
    """Whether prediction and proof say the same; None where one of them says nothing."""
    if predicted in (None, Works.UNKNOWN) or outcome is Outcome.SKIPPED:
        return None
    return (predicted is Works.FAILS) == (outcome is Outcome.FAILS)
