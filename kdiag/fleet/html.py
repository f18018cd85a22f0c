"""A fleet as one HTML file: counts, what changed, causes, and every machine, found by name, kernel, label and cause.

The names and words of hosts are text: the template escapes them, and what the script of the page reads is JSON without
a character that HTML knows. The page's policy lets in its own script and style, by their hashes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from kdiag.compare.value import PROPERTIES
from kdiag.console.printable import in_json
from kdiag.fleet.asking import KEYS, Asking
from kdiag.fleet.counting import key
from kdiag.fleet.kinds import troubles
from kdiag.fleet.limits import Judged
from kdiag.fleet.text import machines, some, when
from kdiag.fleet.value import VERDICTS, Cause, Change, Counts, Fleet, Names, Point, Since
from kdiag.model import Readiness
from kdiag.report.faces.html import page
from kdiag.report.faces.html_view import VERDICTS as VERDICT_MARKS
from kdiag.report.faces.html_view import Mark
from kdiag.report.faces.plain import line

#: Changes and collections that the page shows.
_CHANGES, _POINTS = 40, 60
_NAME = 200
#: Rows of what does not work that the page has; machines that answer as most do come first.
_ROWS = 200_000
_TONES = ("good", "bad", "open")
_MARKS = {
    "lost": Mark("no", "fails now", "bad"),
    "unknown": Mark("ask", "cannot be told now", "open"),
    "worse": Mark("part", "has a caveat now", "care"),
    "gained": Mark("yes", "works now", "good"),
}


class Part(NamedTuple):
    """A piece of a bar."""

    tone: str
    x: float
    width: float


def render(fleet: Fleet, asking: Asking, limits: Sequence[Judged] = ()) -> str:
    """The page, ending in a newline."""
    counts = fleet.counts
    tone = "bad" if counts.not_ready else "open" if counts.unknown else "good"
    causes = [_cause(index, cause) for index, cause in enumerate(fleet.causes)]
    view = {
        "title": f"{counts.ready:,} of {machines(counts.machines)} {'is' if counts.machines == 1 else 'are'} ready",
        "tone": tone,
        "taken": when(fleet.taken),
        "bar": _bar(counts, 1000, counts.machines),
        "counts": _counts(counts),
        "limits": [
            {"tone": "bad" if one.over else "open" if one.open else "good", "text": one.sentence}
            for one in limits
        ],
        "since": _since(fleet.since) if fleet.since else None,
        "trend": _trend(fleet.trend[-_POINTS:]),
        "grave": [one for one, cause in zip(causes, fleet.causes, strict=True) if cause.required],
        "limited": [one for one, cause in zip(causes, fleet.causes, strict=True) if not cause.required],
        "machines": f"{counts.machines:,}",
        "skipped": [(line(name, _NAME), line(why)) for name, why in fleet.skipped],
        "unread": f"{fleet.unread:,}",
        "data": _data(fleet, asking),
    }
    return page("fleet.html.j2", "fleet", title=f"kdiag: {view['title']}", view=view)


def _counts(counts: Counts) -> list[dict[str, object]]:
    words = ("ready", "not ready", "cannot tell")
    return [
        {"mark": VERDICT_MARKS[Readiness(verdict)], "count": f"{count:,}", "words": word}
        for verdict, word, count in zip(VERDICTS, words, counts, strict=True)
    ]


def _bar(counts: Counts, length: float, whole: int) -> list[Part]:
    parts, at = [], 0.0
    for tone, count in zip(_TONES, counts, strict=True):
        width = length * count / whole if whole else 0.0
        parts += [Part(tone, round(at, 2), round(width, 2))] if width else []
        at += width
    return parts


def _trend(points: Sequence[Point]) -> list[dict[str, object]]:
    most = max((point.counts.machines for point in points), default=0)
    return [
        {
            "taken": when(point.taken),
            "x": index * 20 + 2,
            # Upwards from the ground: what is ready stands at the bottom.
            "bars": [p._replace(x=round(100 - p.x - p.width, 2)) for p in _bar(point.counts, 100, most)],
            "numbers": [f"{n:,}" for n in (point.counts.machines, *point.counts)],
        }
        for index, point in enumerate(points)
    ]


def _since(since: Since) -> dict[str, object]:
    facts: list[tuple[str, Names]] = [
        ("regressed", since.regressed),
        ("no longer ready", since.fell),
        ("improved", since.improved),
        ("missing", since.missing),
        ("new", since.new),
    ]
    told = [(words, f"{names.machines:,}", line(some(names), _NAME)) for words, names in facts]
    more = len(since.changes) - _CHANGES
    return {
        "taken": when(since.taken),
        "facts": [*told, ("answer as before", f"{since.same:,}", "")],
        "changes": [_change(change) for change in since.changes[:_CHANGES]],
        "more": f"and {more} more changes: --format json has all" if more > 0 else "",
    }


def _change(change: Change) -> dict[str, object]:
    required = ", required" if change.required else ""
    return {
        "mark": _MARKS[change.kind],
        "title": line(change.title, _NAME),
        "where": f"on {machines(change.machines)}{required}",
        "cause": line(change.cause, _NAME),
        "because": line(change.because),
        "names": line(some(Names(change.machines, change.examples))),
        "next": line(change.next),
    }


def _cause(index: int, cause: Cause) -> dict[str, object]:
    limited = cause.machines - cause.required
    about = [f"{machines(cause.required)} not ready"] if cause.required else []
    about += [f"{machines(limited)} limited, without anything required"] if limited else []
    about += [f"{cause.wordings} wordings"] if cause.wordings > 1 else []
    return {
        "index": index,
        "tone": "bad" if cause.required else "none",
        "count": f"{cause.required or cause.machines:,}",
        "machines": machines(cause.machines),
        "id": line(cause.id, _NAME),
        "words": line(cause.words) or "for no reason that a finding gives",
        "about": ", ".join(about),
        "waiting": [(line(one.title, _NAME), f"{one.machines:,}") for one in cause.waiting],
        "names": line(some(Names(cause.machines, cause.examples))),
        "next": line(cause.next),
    }


def _data(fleet: Fleet, asking: Asking) -> str:
    """What the script of the page reads. Whatever machines share has a number."""
    causes = {(cause.id, "" if cause.id else cause.words): index for index, cause in enumerate(fleet.causes)}
    rest = len(fleet.causes) - 1
    numbers: dict[str, dict[object, int]] = {
        name: {} for name in ("capability", "words", "time", "kind", "place")
    }

    def number(table: str, value: object) -> int:
        return numbers[table].setdefault(value, len(numbers[table]))

    rows = [
        (
            line(name, _NAME),
            number("kind", kind),
            number("place", place),
            VERDICTS.index(verdict),
            number("time", when(at)),
        )
        for name, kind, place, verdict, at in asking.machines()
    ]
    kinds: list[list[tuple[int, str, int, int]] | None] = [None] * len(numbers["kind"])
    room = _ROWS
    for kind, _ in asking.of_kinds():
        some = troubles(asking.summary(kind))
        room -= len(some)
        if room < 0:
            break
        kinds[numbers["kind"][kind]] = [
            (
                number("capability", line(t.title, _NAME)),
                t.status.value,
                causes.get(key(t), rest),
                number("words", line(t.words)),
            )
            for t in some
        ]
    of = {name: word for word, name in KEYS.items()}
    shown = [name for name in PROPERTIES if name in of]
    places = (asking.place(int(str(place))) for place in numbers["place"])
    value = {
        "keys": [of[name] for name in shown],
        "group": _group(fleet),
        "machines": rows,
        "kinds": kinds,
        "places": [
            {
                "values": [line(place.properties.get(name, ""), _NAME) for name in shown],
                "labels": {line(k, _NAME): line(v, _NAME) for k, v in place.labels.items()},
            }
            for place in places
        ],
        "causes": [(line(cause.id, _NAME), line(cause.words, _NAME)) for cause in fleet.causes],
        "capabilities": list(numbers["capability"]),
        "words": list(numbers["words"]),
        "times": list(numbers["time"]),
    }
    text = in_json(json.dumps(value, separators=(",", ":"), ensure_ascii=False))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _group(fleet: Fleet) -> str:
    """What the page groups by at first: the first key that was asked for."""
    key = fleet.keys[0] if fleet.keys else ""
    return key if not key or key in KEYS else f"label:{key}"
