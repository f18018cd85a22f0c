"""The course: four programs, each with what it shows, one question and the answer. The table is course.json."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple, TypedDict, cast

from kdiag.knowledge.tables import table


class Lesson(NamedTuple):
    """One program. program: its id among the smoke programs, and the capability that it stands for. script: as a person
    would write it; probe: whose types are shown, "" where `types` says why there are none. event: what causes it.
    read_on: what `kdiag explain` tells more of.
    """

    program: str
    title: str
    script: str
    probe: str
    intro: tuple[str, ...]
    event: str
    types: str
    question: str
    answer: tuple[str, ...]
    read_on: tuple[str, ...]


class _Row(TypedDict):
    program: str
    title: str
    script: str
    probe: str
    intro: list[str]
    event: str
    types: str
    question: str
    answer: list[str]
    read_on: list[str]


@cache
def lessons() -> tuple[Lesson, ...]:
    """All of them, in their order."""
    return tuple(
        Lesson(
            row["program"],
            row["title"],
            row["script"],
            row["probe"],
            tuple(row["intro"]),
            row["event"],
            row["types"],
            row["question"],
            tuple(row["answer"]),
            tuple(row["read_on"]),
        )
        for row in cast("list[_Row]", table("names/course"))
    )
