"""How much of a fleet may be wrong before a job fails: `--fail-above not-ready=5%,regressed=0`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from kdiag.compare.reading.inputs import BadInput
from kdiag.console import exits
from kdiag.fleet.value import Fleet
from kdiag.words import did_you_mean, listed

#: What can be limited, and what that counts.
WHAT = {
    "not-ready": "machines that are not ready",
    "unknown": "machines of which the verdict cannot be told",
    "regressed": "machines on which something that worked fails now, or cannot be told",
    "missing": "machines of the earlier collection that are not in this one",
    "unread": "inputs that cannot be read",
}
_LIMIT = re.compile(r"(?:([a-z-]+)=)?(\d{1,12})(\.\d{1,9})?(%?)", re.ASCII)


class Limit(NamedTuple):
    """At most `most` of `what`: machines, or (`share`) hundredths of those that there are. text: as it was given."""

    what: str
    most: Fraction
    share: bool
    text: str


class Judged(NamedTuple):
    """Whether a limit is kept. counted: how many there are; of: of how many; over, or `open`: whether it would be over
    if what cannot be told were so.
    """

    limit: Limit
    counted: int
    of: int
    over: bool
    open: bool

    @property
    def sentence(self) -> str:
        """That for people."""
        share = f" ({100 * self.counted / self.of:.1f} %)" if self.of and self.limit.share else ""
        verdict = "above" if self.over else "within" if not self.open else "cannot be told to be within"
        most = self.limit.text.rpartition("=")[2]
        return f"{self.counted} {WHAT[self.limit.what]}{share}: {verdict} the limit of {most}"


def parse(given: Sequence[str]) -> tuple[Limit, ...]:
    """The limits out of `--fail-above`: `5%` is of the machines that are not ready. Raises BadInput."""
    found = []
    for text in (part.strip() for some in given for part in some.split(",")):
        match = _LIMIT.fullmatch(text)
        if match is None:
            raise BadInput(
                f"--fail-above {text}: expected a number or a share, such as not-ready=5% or regressed=0"
            )
        what, whole, rest, percent = match[1] or "not-ready", match[2], match[3] or "", match[4]
        if what not in WHAT:
            raise BadInput(
                f"--fail-above {text}: {what!r} is none of {listed([*WHAT])}{did_you_mean(what, WHAT)}"
            )
        most = Fraction(whole + rest)
        if (percent and most > 100) or (rest and not percent):
            raise BadInput(f"--fail-above {text}: expected a whole number, or a share from 0% to 100%")
        found.append(Limit(what, most, bool(percent), text))
    return tuple(found)


def judge(limits: Sequence[Limit], fleet: Fleet) -> tuple[Judged, ...]:
    """Each limit held against a collection. Raises BadInput for one that asks for an earlier collection."""
    return tuple(_judge(limit, fleet) for limit in limits)


def _judge(limit: Limit, fleet: Fleet) -> Judged:
    since, counts = fleet.since, fleet.counts
    if limit.what in ("regressed", "missing") and since is None:
        raise BadInput(
            f"--fail-above {limit.text} compares with an earlier collection: name it with --since or --history"
        )
    inputs = counts.machines + fleet.repeated + fleet.unread
    then = since.counts.machines if since else 0
    counted, unsure, of = {
        "not-ready": (counts.not_ready, counts.unknown, counts.machines),
        "unknown": (counts.unknown, 0, counts.machines),
        "regressed": (since.regressed.machines if since else 0, 0, counts.machines),
        "missing": (since.missing.machines if since else 0, 0, then),
        "unread": (fleet.unread, 0, inputs),
    }[limit.what]
    most = limit.most * of / 100 if limit.share else limit.most
    return Judged(limit, counted, of, counted > most, counted <= most < counted + unsure)


def exit_status(fleet: Fleet, judged: Sequence[Judged]) -> int:
    """1 for more than a limit allows, or without limits for a regression; 2 for inputs that cannot be read, unless a
    limit is about them; 3 where it cannot be told.
    """
    if any(one.over for one in judged):
        return exits.NOT_READY
    since = fleet.since
    limited = {one.limit.what for one in judged}
    lost = since is not None and any(change.kind == "lost" for change in since.changes)
    if lost and not judged:
        return exits.NOT_READY
    if fleet.unread and "unread" not in limited:
        return exits.USAGE
    unsure = since is not None and any(change.kind == "unknown" for change in since.changes)
    if any(one.open for one in judged) or (unsure and not judged):
        return exits.CANNOT_TELL
    return exits.READY
