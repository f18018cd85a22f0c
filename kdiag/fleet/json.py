"""A fleet as one JSON document, `kdiag.fleet/1`, with every machine. Additions keep the number."""

from __future__ import annotations

import json
from collections.abc import Sequence

from kdiag import __version__
from kdiag.console.printable import in_json
from kdiag.fleet.asking import Asking
from kdiag.fleet.kinds import troubles
from kdiag.fleet.limits import Judged
from kdiag.fleet.value import VERDICTS, Cause, Change, Counts, Fleet, Names, Since

SCHEMA = "kdiag.fleet/1"


def render(fleet: Fleet, asking: Asking, limits: Sequence[Judged] = ()) -> str:
    """The document, ending in a newline: ASCII, a machine on a line."""
    head = json.dumps(_document(fleet, limits), indent=2)
    places = asking.places()
    causes = {
        kind: sorted({t.cause for t in troubles(asking.summary(kind)) if t.cause})
        for kind in asking.of_kinds()
    }
    rows = (
        json.dumps(
            {
                "name": name,
                "verdict": verdict,
                "since": since,
                **places[place].properties,
                "labels": places[place].labels,
                "causes": causes[kind],
            }
        )
        for name, kind, place, verdict, since in asking.machines()
    )
    listed = ",\n    ".join(rows)
    return in_json(f'{head[:-2]},\n  "machines": [\n    {listed}\n  ]\n}}') + "\n"


def _document(fleet: Fleet, limits: Sequence[Judged]) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "kdiag": __version__,
        "taken": fleet.taken,
        "counts": _counts(fleet.counts),
        "kinds": fleet.kinds,
        "repeated": fleet.repeated,
        "limits": [
            {
                "limit": one.limit.text,
                "counted": one.counted,
                "of": one.of,
                "over": one.over,
                "open": one.open,
            }
            for one in limits
        ],
        "group_by": list(fleet.keys),
        "groups": [
            {"values": dict(zip(fleet.keys, group.values, strict=True)), **_counts(group.counts)}
            for group in fleet.groups
        ],
        "causes": [_cause(cause) for cause in fleet.causes],
        "since": None if fleet.since is None else _since(fleet.since),
        "trend": [
            {"taken": point.taken, "unread": point.unread, **_counts(point.counts)} for point in fleet.trend
        ],
        "unread": fleet.unread,
        "skipped": [{"name": name, "message": message} for name, message in fleet.skipped],
    }


def _counts(counts: Counts) -> dict[str, int]:
    return {
        "machines": counts.machines,
        **dict(zip((v.replace("-", "_") for v in VERDICTS), counts, strict=True)),
    }


def _cause(cause: Cause) -> dict[str, object]:
    return {
        "id": cause.id,
        "summary": cause.words,
        "wordings": cause.wordings,
        "machines": cause.machines,
        "not_ready": cause.required,
        "capabilities": [one._asdict() for one in cause.waiting],
        "examples": list(cause.examples),
        "next": cause.next,
    }


def _since(since: Since) -> dict[str, object]:
    return {
        "name": since.name,
        "taken": since.taken,
        "counts": _counts(since.counts),
        "same": since.same,
        **{key: _names(getattr(since, key)) for key in ("regressed", "improved", "fell", "new", "missing")},
        "changes": [_change(change) for change in since.changes],
    }


def _names(some: Names) -> dict[str, object]:
    return {"machines": some.machines, "examples": list(some.examples)}


def _change(change: Change) -> dict[str, object]:
    return {**change._asdict(), "examples": list(change.examples)}
