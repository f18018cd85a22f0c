"""What an error number in a message says about the system call that failed: `kdiag/knowledge/messages/calls.json`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple, TypedDict, cast

from kdiag.errnos import ENOTSUPP, names, words
from kdiag.knowledge.tables import table

#: Tools say EOPNOTSUPP of 95, which has two names.
_NAMES: Mapping[int, str] = {**names(), 95: "EOPNOTSUPP"}
_NAMED = re.compile(r"(?<![A-Z])E[A-Z0-9]{2,14}\b")
_NUMBERED = re.compile(
    r"(?:(?<=[:(= ])-|\b[Ee]rrno[ :=]+-?|os error |(?<!with )\b(?:err|error|code|retcode|ret)[ :=]+-?)(\d{1,3})\b"
    r"|\(-?(\d{1,3})\)"
)


class Answer(NamedTuple):
    """What an errno of a call means. causes: ids of findings, likeliest first. else_program: without any of them here,
    it lies in the program. misfit: as in `Message`.
    """

    errno: str
    meaning: str
    causes: tuple[str, ...]
    else_program: bool
    misfit: bool = False


class _Entry(TypedDict, total=False):
    meaning: str
    causes: list[str]
    else_program: bool
    misfit: bool


class _Call(TypedDict):
    does: str
    source: str
    errnos: dict[str, _Entry]


def errno_in(text: str) -> str:
    """The name of the error number that a line gives, in any of the ways in which tools print it; empty without one."""
    for name in reversed(_NAMED.findall(text)):
        if name in _values():
            return str(name)
    told = [(text.rfind(said), name) for said, name in _texts().items() if said in text]
    if told:
        return max(told)[1]
    for found in reversed(list(_NUMBERED.finditer(text))):
        name = _NAMES.get(int(found[1] or found[2]), "")
        if name:
            return name
    return ""


def says_only(text: str) -> bool:
    """Whether a text is the C library's words for an error number, and nothing else."""
    return text in _texts()


def answer(call: str, name: str) -> Answer | None:
    """What the errno of a call means, None where the table does not say."""
    entry = calls()[call]["errnos"].get(name)
    if entry is None:
        return None
    lists = cast("Mapping[str, list[str]]", table("messages/causes"))
    causes = (
        cause for one in entry["causes"] for cause in (lists[one[1:]] if one.startswith("@") else [one])
    )
    return Answer(
        name, entry["meaning"], tuple(causes), entry.get("else_program", False), entry.get("misfit", False)
    )


@cache
def calls() -> Mapping[str, _Call]:
    """The system calls by the names that rows of the catalogue have for them."""
    return cast("Mapping[str, _Call]", table("messages/calls"))


@cache
def _values() -> frozenset[str]:
    return frozenset(_NAMES.values())


@cache
def _texts() -> Mapping[str, str]:
    """The C library's words for an error number; `ENOTSUPP` has none."""
    plain = {words(number): name for number, name in _NAMES.items() if number != ENOTSUPP}
    return {
        **plain,
        **{said.lower(): name for said, name in plain.items()},
        f"Unknown error {ENOTSUPP}": "ENOTSUPP",
    }
