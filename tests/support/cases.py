"""Problems that people reported in public, a file each: `tests/cases/NAME.toml`.

    reported = "bpftrace/bpftrace#1820"     # where
    [machine]                               # described by the facts of the report: tests/support/machine_data.py
    [expect]                                # what `kdiag check` must find on it: `Case`

`message` beside them holds the lines that the tool printed there, `cause` the finding that `kdiag why` must name:
tests/why.

A report whose cause `kdiag check` cannot see has `unseen = "why"` in the place of the two tables. A machine that was
built after what is known of such machines has `built = "after what"` in the place of `reported`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from kdiag.model import Status, Works
from tests.support import machine_data, toml
from tests.support.description import Description
from tests.support.paths import REPOSITORY

PLACE = REPOSITORY / "tests" / "cases"

_WORKS = {"yes": Works.WORKS, "partly": Works.CAVEAT, "no": Works.FAILS}


@dataclass(frozen=True)
class Case:
    """What one report asks for. All patterns are regular expressions, searched without regard to case.

    says: in the finding's own summary, reason, evidence and causes; silent_on: not in them. offers: in the title,
    commands or place of some remedy of the report. withholds: in no command of any remedy. warns_against: in some
    wrong remedy of the report. works: by capability, `yes`, `partly`, `no`, or a list of those that will do. statuses:
    of other findings.
    """

    machine: dict[str, Any]
    finding: str
    status: str
    says: list[str] = field(default_factory=list)
    silent_on: list[str] = field(default_factory=list)
    offers: list[str] = field(default_factory=list)
    withholds: list[str] = field(default_factory=list)
    warns_against: list[str] = field(default_factory=list)
    works: dict[str, str | list[str]] = field(default_factory=dict)
    statuses: dict[str, str | list[str]] = field(default_factory=dict)

    def build(self) -> Description:
        """The machine."""
        return machine_data.machine(self.machine)

    def outcomes(self) -> dict[str, set[Works]]:
        """What each capability may be."""
        return {name: {_WORKS[word] for word in _several(value)} for name, value in self.works.items()}

    def others(self) -> dict[str, set[Status]]:
        """What the other findings may be."""
        return {name: {Status(word) for word in _several(value)} for name, value in self.statuses.items()}


def _several(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@cache
def files() -> dict[str, dict[str, Any]]:
    """Every file, by its name."""
    return {path.stem: toml.read(path) for path in sorted(PLACE.glob("*.toml"))}


def case(path: Path) -> Case:
    """The case in one file; a word that is not known is an error, because it would test nothing."""
    data = toml.read(path)
    assert data.keys() - {"reported", "built", "message", "cause"} == {"machine", "expect"}, (
        f"{path}: {', '.join(data)}"
    )
    return Case(machine=data["machine"], **data["expect"])


def messages() -> dict[str, tuple[str, str]]:
    """By name, what the tool printed and the finding that is its cause, of the cases that have both."""
    return {
        n: ("\n".join(data["message"]), data["cause"]) for n, data in files().items() if "message" in data
    }


@cache
def cases() -> dict[str, Case]:
    """The reports that `kdiag check` must see, by name."""
    return {name: case(PLACE / f"{name}.toml") for name, data in files().items() if "unseen" not in data}


def summary() -> str:
    """How many of the judgeable reports are seen; printed at the end of the run."""
    reported = [name for name, data in files().items() if "reported" in data]
    seen = sum(name in cases() for name in reported)
    return f"{seen} of {len(reported)} judgeable reports are seen by `kdiag check`"
