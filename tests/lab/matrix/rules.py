"""The rule book: where `unknown` is the right prediction, and why it cannot be known without trying.

An unknown that no rule names counts as a mistake. A rule names programs and the reason that kdiag itself gives, so that
an unknown for another reason is not excused by it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .axes import Cell


@dataclass(frozen=True, slots=True)
class Rule:
    """``programs``: whom it is for. ``because``: pattern found in kdiag's reason. ``where``: in which cells."""

    name: str
    why: str
    programs: tuple[str, ...]
    because: str
    where: Callable[[Cell], bool]


#: None so far: in the lab everything that is tried can be foretold. What cannot be is written here with its reason,
#: not worked around.
RULES: tuple[Rule, ...] = ()


def allows(cell: Cell, program: str, because: str) -> str:
    """Name of the rule that allows an unknown here, "" if none does."""
    for rule in RULES:
        if program in rule.programs and rule.where(cell) and re.search(rule.because, because):
            return rule.name
    return ""
