"""What a line is about, by its words: the same is said of all kinds of probes and maps, and each has its own causes.

"Failed to attach BPF to uprobe" is not explained by a kernel without kprobes, whatever else is wrong with the machine.
The words are data: `kdiag/knowledge/messages/about.json`. `kinds`: the patterns by which a line names a kind of probe;
`findings`: of a finding the kinds that it stops (without any: all), `named` if a line must name one of them, and
patterns of what a line says that is about it, and of what a line says that is about something else. tracefs stops no
uprobes and no counters: they are opened by perf_event_open(2) alone since Linux 4.17.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple, TypedDict, cast

from kdiag.knowledge.tables import table


class _Row(TypedDict, total=False):
    kinds: str
    named: bool
    said: str
    not_said: str


class _Tables(TypedDict):
    kinds: dict[str, str]
    findings: dict[str, _Row]


class _About(NamedTuple):
    kinds: frozenset[str] = frozenset()
    named: bool = False
    said: re.Pattern[str] | None = None
    not_said: re.Pattern[str] | None = None


def kinds(text: str) -> frozenset[str]:
    """The kinds of probes that a line names, none for most."""
    return frozenset(kind for kind, pattern in _kinds().items() if pattern.search(text))


def fits(finding_id: str, spoken: frozenset[str]) -> bool:
    """Whether a finding can be the cause of something that was said of these kinds."""
    one = _of(finding_id)
    return not one.kinds or (not spoken and not one.named) or not one.kinds.isdisjoint(spoken)


def spared(causes: Sequence[str], text: str) -> tuple[str, ...]:
    """Without the findings of which a line says that it is about something else."""
    return tuple(one for one in causes if not ((words := _of(one).not_said) and words.search(text)))


def unsaid(finding_id: str, text: str) -> bool:
    """Whether the finding would be named by words that the line does not have: then it may be about it, and may not."""
    words = _of(finding_id).said
    return words is not None and words.search(text) is None


def _of(finding_id: str) -> _About:
    return _findings().get(finding_id, _About())


@cache
def _kinds() -> Mapping[str, re.Pattern[str]]:
    return {kind: re.compile(words) for kind, words in _tables()["kinds"].items()}


@cache
def _findings() -> Mapping[str, _About]:
    return {
        name: _About(
            frozenset(row.get("kinds", "").split()),
            row.get("named", False),
            re.compile(row["said"]) if "said" in row else None,
            re.compile(row["not_said"]) if "not_said" in row else None,
        )
        for name, row in _tables()["findings"].items()
    }


def _tables() -> _Tables:
    return cast("_Tables", table("messages/about"))
