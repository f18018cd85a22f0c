"""The entries of a journal, put together from its lines. What another user may have written is not believed."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from kdiag.fix import lines
from kdiag.fix.effects import (
    LATER,
    BadEffect,
    Effect,
    Json,
    describe,
    from_json,
    to_json,
    without_identity,
)
from kdiag.fix.errors import FixError

#: The second has checksums, and all packages that were there before. The first is still read, and undone.
VERSION = 2
_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)


class Entry(NamedTuple):
    """A change that has not been undone. announced: what was known before it. finished: whether it is known to have
    happened in full. boot: the boot it happened in.
    """

    id: str
    step: str
    effect: Effect
    boot: str
    at: str
    finished: bool
    announced: Effect


def begin_line(entry: Entry) -> dict[str, Json]:
    """The announcement: all that taking it back will need."""
    return {
        "event": "begin",
        "version": VERSION,
        "id": entry.id,
        "step": entry.step,
        "boot": entry.boot,
        "at": entry.at,
        "effect": to_json(entry.announced),
    }


def done_line(entry: Entry, effect: Effect) -> dict[str, Json]:
    """What is known only now; all else was announced."""
    announced = to_json(entry.announced)
    news = {name: value for name, value in to_json(effect).items() if value != announced[name]}
    return {"event": "done", "id": entry.id, "effect": {"kind": effect.kind, **news}}


def encoded(line: dict[str, Json]) -> bytes:
    """ASCII only: paths that are not UTF-8 survive as escaped surrogates."""
    return json.dumps(line, separators=(",", ":")).encode("ascii")


def parse(data: bytes, where: str) -> tuple[Entry, ...]:
    """The entries of a journal that are not undone. Raises FixError with the number of the line that is
    wrong.
    """
    live: dict[str, Entry] = {}
    try:
        for number, text, has_sum in lines.whole(data):
            try:
                _take(json.loads(text), live, has_sum)
            except (ValueError, RecursionError) as error:
                problem = str(error) if isinstance(error, BadEffect) else "not what kdiag writes"
                raise lines.Damaged(number, problem) from None
    except lines.Damaged as error:
        listed = ", ".join(describe(entry.effect) for entry in live.values())
        sound = f"the lines before it list {listed}" if listed else "no line before it lists anything"
        raise FixError(
            f"{where}: line {error.number}: {error}",
            f"nothing was touched. {sound}: undo by hand what all its lines list, then remove {where}",
        ) from None
    return tuple(live.values())


_KEYS = {
    "begin": {"event", "version", "id", "step", "boot", "at", "effect"},
    "done": {"event", "id", "effect"},
    "undone": {"event", "id"},
}


def _take(line: Json, live: dict[str, Entry], has_sum: bool) -> None:
    if not isinstance(line, dict):
        raise BadEffect("not an object")
    event, name = line.get("event"), line.get("id")
    if not isinstance(name, str) or _ID.fullmatch(name) is None:
        raise BadEffect("no id")
    if not isinstance(event, str) or line.keys() - {"sum"} != _KEYS.get(event) or ("sum" in line) != has_sum:
        raise BadEffect("not a line that kdiag writes")
    if event == "begin":
        live[name] = _begun(line, name, live, has_sum)
    elif name not in live:
        raise BadEffect(f"the change {name} was not announced, or is undone already")
    elif event == "undone":
        del live[name]
    else:
        live[name] = _ended(line["effect"], live[name])


def _begun(line: dict[str, Json], name: str, live: dict[str, Entry], has_sum: bool) -> Entry:
    version, step, boot, at = (line[key] for key in ("version", "step", "boot", "at"))
    if type(version) is not int or version not in (1, VERSION):
        raise BadEffect("written by another version of kdiag, which can undo it")
    if version == VERSION and not has_sum:
        raise BadEffect("it has no checksum")
    if not isinstance(step, str) or not isinstance(boot, str) or not isinstance(at, str) or name in live:
        raise BadEffect("not a beginning")
    effect = from_json(line["effect"], since=version)
    return Entry(name, step, effect, boot, at, finished=False, announced=effect)


def _ended(known: Json, entry: Entry) -> Entry:
    """The entry with what was known at its end, which is said beside what was announced."""
    if not isinstance(known, dict) or known.get("kind") != entry.effect.kind:
        raise BadEffect("the end of something else")
    effect = from_json({**to_json(entry.announced), **known})
    if _apart_from_later(effect) != _apart_from_later(entry.announced):
        raise BadEffect("the end of something else")
    return entry._replace(effect=effect, finished=True)


def _apart_from_later(effect: Effect) -> dict[str, Json]:
    """What cannot change between the announcement and the end; of directories that were made, their paths."""
    values = {name: value for name, value in to_json(effect).items() if name not in LATER}
    made: tuple[str, ...] = getattr(effect, "made", ())
    return {**values, "made": [*map(without_identity, made)]}
