"""What is found out about one attach point, before it is put into words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from kdiag.explain.value import Section
from kdiag.model import Works
from kdiag.system import Unavailable

State = Literal["works", "fails", "unknown"]

STATES: dict[Works, State] = {
    Works.WORKS: "works",
    Works.CAVEAT: "works",
    Works.FAILS: "fails",
    Works.UNKNOWN: "unknown",
}


class Found(NamedTuple):
    """What the probe names, apart from what its kind requires of the machine.

    state: whether it is there and can be attached to; because: one clause without a full stop, empty where it works;
    sections: what else is to be said; caveat: what is to be known although it works; number: how many are attached, 0
    where that is not known.
    """

    state: State
    because: str = ""
    sections: tuple[Section, ...] = ()
    caveat: str = ""
    number: int = 1


def worst(states: Iterable[State]) -> State:
    """The worst of them; that something works where there is none."""
    return max(states, key=("works", "unknown", "fails").index, default="works")


def unseen(gap: Unavailable) -> str:
    """Why something could not be looked at, short where a recording does not hold it."""
    if gap.errno is None and "recorded" in gap.reason:
        name = gap.reason.partition(":")[0]
        return f"not recorded ({name})"
    return gap.reason


def comma(words: tuple[str, ...] | list[str], most: int = 5) -> str:
    """Words one after the other; more than `most` are counted."""
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more} more" if more > 0 else "")
