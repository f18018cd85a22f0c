"""Texts of a source held against what the catalogue knows, and against what is left out of it with a reason."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from kdiag.knowledge.texts.templates import File, divided, letters, words
from kdiag.knowledge.tools.catalogue import GENERAL, catalogue
from kdiag.knowledge.tools.messages import patterns
from tests.support.message_sources.standing import Sources, Stands

HERE = Path(__file__).parent
SHORT = "too short to be told from the messages of other programs"
#: Letters between the conversions: a shorter text is anybody's, unless a word of the tool's own comes before it, as
#: `ERROR: ` and `Error: ` do with bpftrace and bpftool, and other lines of its log with the kernel.
_LETTERS = {"bpftrace": 12, "bpftool": 13, "kernel": 14, "bcc": 16}
_LETTERS_ELSE, _LETTERS_MACHINE, _LETTERS_BEHIND = 20, 14, 8


class Held(NamedTuple):
    """rows: the texts by the row that explains them; left_out: those that are not in the catalogue, by reason; lacking:
    those of which nothing is said; idle: the rules for leaving out that fit no text.
    """

    rows: Mapping[str, list[Stands]]
    left_out: Mapping[str, list[Stands]]
    lacking: list[Stands]
    idle: list[str]

    @property
    def covered(self) -> int:
        """How many have a row."""
        return sum(map(len, self.rows.values()))


class _Rule(NamedTuple):
    reason: str
    where: re.Pattern[str]
    text: re.Pattern[str]


def held(tool: str, read: Sources, table: File) -> Held:
    """What the catalogue has of the texts."""
    known = {text[0]: row for row, texts in table["templates"].items() for text in texts}
    rules = _rules(tool)
    rows: dict[str, list[Stands]] = {}
    left_out: dict[str, list[Stands]] = {}
    lacking = []
    used: Counter[int] = Counter()
    for one in read.texts:
        rule = next((n for n, rule in enumerate(rules) if _fits(rule, one)), None)
        if rule is not None:
            used[rule] += 1
            left_out.setdefault(rules[rule].reason, []).append(one)
        elif (row := by_pattern(one.text, table["before"])) is not None:
            rows.setdefault(row, []).append(one)
        elif short(one.text, _least(tool, known.get(one.text), table["before"])):
            left_out.setdefault(SHORT, []).append(one)
        elif one.text in known:
            rows.setdefault(known[one.text], []).append(one)
        else:
            lacking.append(one)
    idle = [f"{rule.where.pattern} {rule.text.pattern}" for n, rule in enumerate(rules) if not used[n]]
    return Held(rows, left_out, lacking, idle)


def _least(tool: str, row: str | None, before: str) -> int:
    """How many letters a text must have. What is about the machine is worth more doubt."""
    if before:
        return _LETTERS_BEHIND
    least = _LETTERS.get(tool, _LETTERS_ELSE)
    return min(least, _LETTERS_MACHINE) if row in machine_rows() else least


@cache
def machine_rows() -> frozenset[str]:
    """The rows that name a cause on the machine, or a system call whose error number does."""
    return frozenset(row.id for row in catalogue() if row.findings or row.call)


def short(text: str, least: int) -> bool:
    """Whether a text has too few letters of its own, or no word that stands free."""
    pieces, _ = divided(text)
    return letters(pieces) < least or not words(pieces)


def by_pattern(text: str, before: str) -> str | None:
    """The row whose pattern fits the text, with something in the place of conversions."""
    line = sample(text, before)
    return next(
        (row.id for row in patterns() if not row.id.startswith(GENERAL) and re.search(row.pattern, line)),
        None,
    )


def sample(text: str, before: str = "") -> str:
    """A line that has the text."""
    pieces, numbers = divided(text)
    line = pieces[0] + "".join(
        ("7" if number else "something") + piece for number, piece in zip(numbers, pieces[1:], strict=True)
    )
    return f"{before.split('|', maxsplit=1)[0]}: {line}" if before else line


def _rules(tool: str) -> list[_Rule]:
    rules = json.loads((HERE / "left_out.json").read_text()).get(tool, [])
    return [
        _Rule(rule["reason"], re.compile(rule.get("where", "")), re.compile(rule.get("text", "")))
        for rule in rules
    ]


def _fits(rule: _Rule, one: Stands) -> bool:
    return rule.where.search(one.place) is not None and rule.text.search(one.text) is not None
