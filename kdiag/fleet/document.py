"""`kdiag.fleet/1`: the one definition of a fleet's JSON document, by which it is written and described.

Additions keep the number; a key that goes away or changes its meaning raises it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from kdiag.compare.value import PROPERTIES
from kdiag.fleet.limits import WHAT, Judged
from kdiag.fleet.value import VERDICTS, Cause, Change, Counts, Fleet, Group, Names, Point, Since, Waiting
from kdiag.model import Works
from kdiag.report.shapes import (
    Choice,
    Count,
    Each,
    Key,
    Perhaps,
    Record,
    Schema,
    Text,
    Words,
    YesNo,
    described,
)

SCHEMA = "kdiag.fleet/1"


class MachineRow(NamedTuple):
    """A machine, as it is listed. since: the collection from which on its answers are these; properties: the values of
    PROPERTIES; causes: ids of findings.
    """

    name: str
    verdict: str
    since: str
    properties: dict[str, str]
    labels: dict[str, str]
    causes: list[str]


_TEXT = Text()
_TEXTS = Each(_TEXT)
_COUNT = Count()
_WHEN = Text(description="In UTC, as in RFC 3339; empty where it is not known.")
_COUNTS = {
    "machines": Key(_COUNT, "All of them."),
    "ready": Key(_COUNT, "What is required works."),
    "not_ready": Key(_COUNT, "Something required does not work."),
    "unknown": Key(_COUNT, "Something required cannot be told, and nothing is known to fail."),
}
_NAMES = Record(
    Names,
    {
        "machines": Key(_COUNT, "How many."),
        "examples": Key(_TEXTS, "The names of the first few."),
    },
    name="names",
)
_WORKS = Choice([one.value for one in Works])


def _of_counts(value: Counts | Point, key: str) -> Any:
    if key in _COUNTS:
        return getattr(value if isinstance(value, Counts) else value.counts, key)
    return getattr(value, key)


_BY_VERDICT = Record(Counts, _COUNTS, name="counts", about="Machines by verdict.", get=_of_counts)


def _of_cause(cause: Cause, key: str) -> Any:
    return getattr(
        cause, {"summary": "words", "not_ready": "required", "capabilities": "waiting"}.get(key, key)
    )


_CAUSE = Record(
    Cause,
    {
        "id": Key(_TEXT, "Of the finding at the root; empty where none explains it."),
        "summary": Key(_TEXT, "Its words on most of the machines."),
        "wordings": Key(_COUNT, "How many different words it has on the machines, counted up to 1,000."),
        "machines": Key(_COUNT, "On which something does not work, or not fully, for this cause."),
        "not_ready": Key(_COUNT, "On which something required fails, or cannot be told, for this cause."),
        "capabilities": Key(
            Each(
                Record(
                    Waiting,
                    {
                        "id": Key(_TEXT),
                        "title": Key(_TEXT),
                        "machines": Key(_COUNT),
                        "required": Key(YesNo(), "Whether a verdict is about it."),
                    },
                )
            ),
            "What the cause keeps from working.",
        ),
        "examples": Key(_TEXTS, "The names of some machines."),
        "next": Key(_TEXT, "A command that repairs it; may be empty."),
    },
    name="cause",
    about="Why something does not work.",
    get=_of_cause,
)

_CHANGE = Record(
    Change,
    {
        "kind": Key(
            Choice(("lost", "unknown", "worse", "gained")),
            "lost: worked, fails now. unknown: worked, cannot be told now. worse: works with a caveat only now. "
            "gained: works now.",
        ),
        "id": Key(_TEXT, "Of the capability."),
        "title": Key(_TEXT),
        "was": Key(_WORKS),
        "now": Key(_WORKS),
        "required": Key(YesNo(), "Whether a verdict is about it."),
        "machines": Key(_COUNT),
        "because": Key(_TEXT, "Why, in a line."),
        "cause": Key(_TEXT, "Of the finding at the root; may be empty."),
        "next": Key(_TEXT, "A command that repairs it; may be empty."),
        "examples": Key(_TEXTS, "The names of some machines."),
    },
    name="change",
    about="What became of a capability on some machines.",
)

_SINCE = Record(
    Since,
    {
        "name": Key(_TEXT, "What the earlier collection was read from."),
        "taken": Key(_WHEN),
        "counts": Key(_BY_VERDICT, "Of the earlier collection."),
        "same": Key(_COUNT, "Machines that answer as they did."),
        "regressed": Key(_NAMES, "Machines on which something that worked fails now, or cannot be told."),
        "improved": Key(_NAMES, "Machines on which something works now that did not, and nothing was lost."),
        "fell": Key(_NAMES, "Machines that were ready and are not."),
        "new": Key(_NAMES, "Machines that were not in the earlier collection."),
        "missing": Key(_NAMES, "Machines that were in it and are not in this one."),
        "changes": Key(Each(_CHANGE), "The worst first."),
    },
    about="The earlier collection, and what changed since.",
)

_POINT = Record(
    Point,
    {"taken": Key(_WHEN), "unread": Key(_COUNT, "Inputs that could not be read."), **_COUNTS},
    get=_of_counts,
)


def _of_group(of: tuple[tuple[str, ...], Group], key: str) -> Any:
    keys, group = of
    return dict(zip(keys, group.values, strict=True)) if key == "values" else getattr(group.counts, key)


_GROUP = Record(
    Group,
    {
        "values": Key(Words(), "A value for each key of `group_by`; empty where the machine has none."),
        **_COUNTS,
    },
    get=_of_group,
)

_LIMIT = Record(
    Judged,
    {
        "limit": Key(_TEXT, f"As it was given: a number or a share of {', '.join(WHAT)}."),
        "counted": Key(_COUNT, "How many there are."),
        "of": Key(_COUNT, "Of how many."),
        "over": Key(YesNo(), "Whether that is more than the limit allows."),
        "open": Key(YesNo(), "Whether it is only if machines that cannot be told are not ready."),
    },
    get=lambda one, key: one.limit.text if key == "limit" else getattr(one, key),
)

_SKIPPED = Record(
    dict,
    {"name": Key(_TEXT, "The input."), "message": Key(_TEXT, "Why it cannot be read.")},
    get=lambda pair, key: pair[key == "message"],
)


def _of_row(row: MachineRow, key: str) -> Any:
    return row.properties.get(key, "") if key in PROPERTIES else getattr(row, key)


_MACHINE = Record(
    MachineRow,
    {
        "name": Key(_TEXT),
        "verdict": Key(Choice(VERDICTS)),
        "since": Key(_WHEN, "The collection from which on its answers are these."),
        **{name: Key(_TEXT) for name in PROPERTIES},
        "labels": Key(Words()),
        "causes": Key(_TEXTS, "Ids of the findings at the root of what does not work, or not fully."),
    },
    name="machine",
    about="A machine; its properties in words for people, as in a report's `machine`.",
    get=_of_row,
)


class Whole(NamedTuple):
    """What the document holds besides the machines."""

    kdiag: str
    fleet: Fleet
    limits: tuple[Judged, ...]


def _of_whole(whole: Whole, key: str) -> Any:
    fleet = whole.fleet
    if key in ("kdiag", "limits"):
        return getattr(whole, key)
    if key == "groups":
        return [(fleet.keys, group) for group in fleet.groups]
    if key == "machines":
        return ()
    return SCHEMA if key == "schema" else getattr(fleet, "keys" if key == "group_by" else key)


_FLEET = Record(
    Fleet,
    {
        "schema": Key(Choice((SCHEMA,)), "Name and version of this format."),
        "kdiag": Key(_TEXT, "Version of the kdiag that counted."),
        "taken": Key(_WHEN, "When the reports were collected."),
        "counts": Key(_BY_VERDICT),
        "kinds": Key(_COUNT, "How many different sets of answers there are."),
        "repeated": Key(_COUNT, "Reports that a newer one of the same machine was preferred to."),
        "limits": Key(Each(_LIMIT), "What `--fail-above` said."),
        "group_by": Key(_TEXTS, "Properties and labels."),
        "groups": Key(
            Each(_GROUP),
            "Machines by these, the most frequent first; beyond 2,000, the others together as `(others)`.",
        ),
        "causes": Key(Each(_CAUSE), "First what most machines wait for with something required."),
        "since": Key(Perhaps(_SINCE), "null without `--since` or an earlier collection in the history."),
        "trend": Key(Each(_POINT), "The collections of the history, the oldest first."),
        "unread": Key(_COUNT, "Inputs that could not be read."),
        "skipped": Key(Each(_SKIPPED), "The first of them."),
        "machines": Key(Each(_MACHINE), "Every machine, by name."),
    },
    about="What `kdiag compare --fleet --format json` prints. Keys may be added within version 1; readers ignore "
    "keys that they do not know.",
    get=_of_whole,
)


def document(fleet: Fleet, limits: tuple[Judged, ...], kdiag: str) -> object:
    """The document as json.dumps takes it; its machines, which are many, are written one by one (`row`)."""
    return _FLEET.write(Whole(kdiag, fleet, limits))


def row(machine: MachineRow) -> object:
    """A machine as json.dumps takes it."""
    return _MACHINE.write(machine)


def schema() -> Schema:
    """The JSON Schema (draft 2020-12) of the document."""
    defined: dict[str, Schema] = {}
    whole = described(_FLEET, defined)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:kdiag:fleet:1",
        "title": SCHEMA,
        **whole,
        "$defs": defined,
    }
