"""Lines as a log: each known message once, counted; what else complains; where the verifier refuses.

A line costs a look at its words (`sieve`). What passes is read by its shape, the line with its numbers left out, and a
shape that was seen before is only counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from itertools import chain, islice

from kdiag.knowledge.texts.templates import index
from kdiag.knowledge.tools.catalogue import GENERAL
from kdiag.knowledge.tools.message_literals import literals
from kdiag.knowledge.tools.messages import COMPLAINT, RANK, Recognised, all_recognised, by_pattern, patterns
from kdiag.why.chains import chained
from kdiag.why.nearest import nearest
from kdiag.why.reading import Reading
from kdiag.why.refusing import SOURCE, Verifier
from kdiag.why.sieve import Sieve, sieve
from kdiag.why.value import Log, Strange, Told
from kdiag.why.whence import Whence

#: Complaints that are kept apart; those after them are only counted.
_STRANGE = 50
#: Entries of the catalogue that are kept for one line: which of them is meant, the installed release can decide.
_FITTING = 4
#: Complaints that are shown with what is nearest to them.
_SHOWN = 5
#: Shapes that are remembered, and characters of one.
_SHAPES, _SHAPE = 20_000, 300
#: Lines of which each is asked what machine it is from; behind them only those that complain.
_BEGINNING = 100
_LOADS, _VERIFIER = "bpf.load", "verifier."
_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|\d+")


@cache
def _sieve() -> Sieve:
    return sieve((literals(message.pattern) for message in patterns()), index()["telling"])


@cache
def _telling() -> frozenset[str]:
    """Numbers that stand in a pattern: an errno tells one message from another."""
    return frozenset(number for message in patterns() for number in _NUMBERS.findall(message.pattern))


def _number(found: re.Match[str]) -> str:
    return found[0] if found[0] in _telling() else "0"


class _Joined:
    """What was found until now: by the messages' ids (of a class of messages also by the text, since each of them is
    another message), and by the shapes of complaints.
    """

    def __init__(self) -> None:
        self.told: dict[str, Told] = {}
        self.strange: dict[str, Strange] = {}
        self.untold = 0
        self._shapes: dict[str, str | bool] = {}

    def read(self, number: int, line: str) -> None:
        """A line that may be known, or complain."""
        shape = _NUMBERS.sub(_number, line.strip())
        kind = self._shapes.get(shape)
        if kind is None:
            kind = self._first(number, line)
            if len(shape) <= _SHAPE and len(self._shapes) < _SHAPES:
                self._shapes[shape] = kind
        elif isinstance(kind, str):
            before = self.told[kind]
            self.told[kind] = before._replace(times=before.times + 1)
            return
        if kind is True:
            self._complains(shape, number, line.strip())

    def _first(self, number: int, line: str) -> str | bool:
        """The key of the message of a shape that was not seen before; whether it complains where there is none."""
        if SOURCE.match(line):
            return False
        patterned = by_pattern(line)
        first = next(patterned, None)
        general = first is not None and first[0].id.startswith(GENERAL)
        if first is not None and not general and (before := self.told.get(f"{first[0].id} ")) is not None:
            self.told[f"{first[0].id} "] = before._replace(times=before.times + 1)
            return f"{first[0].id} "
        every = () if first is None else chain((first,), patterned)
        fits = tuple(islice(all_recognised(line, every), _FITTING))
        if not fits:
            return COMPLAINT.search(line) is not None
        fits = _deepest_first(fits)
        known = fits[0]
        key = f"{known.message.id} {known.text}"
        before = self.told.get(key)
        self.told[key] = (
            Told(known.message, number, line.strip(), 1, known.details, fits=fits)
            if before is None
            else before._replace(times=before.times + 1)
        )
        return key

    def _complains(self, shape: str, number: int, text: str) -> None:
        before = self.strange.get(shape)
        if before is not None:
            self.strange[shape] = before._replace(times=before.times + 1)
        elif len(self.strange) < _STRANGE:
            self.strange[shape] = Strange(number, text)
        else:
            self.untold += 1


def _deepest_first(fits: tuple[Recognised, ...]) -> tuple[Recognised, ...]:
    """What the verifier says stands behind what a program says of the call that it refused: it decides."""
    if fits[0].message.call != _LOADS:
        return fits
    deepest = next((one for one in fits if one.message.id.startswith(_VERIFIER)), None)
    return fits if deepest is None else (deepest, *(one for one in fits if one is not deepest))


def join(lines: Iterable[str]) -> Log:
    """What is in the lines, the most decisive message first."""
    found, verifier, keeps, number = _Joined(), Verifier(), _sieve().keeps, 0
    whence = Whence()
    for number, line in chained(enumerate(lines, 1)):
        kept = not verifier.read(number, line) and keeps(line)
        if kept:
            found.read(number, line)
        if kept or number <= _BEGINNING:
            whence.read(line)
    strange = list(found.strange.values())
    refusal = verifier.refusal
    if refusal and not any(one.text == refusal.text for one in found.told.values()):
        strange = [
            Strange(refusal.line, refusal.text, max(verifier.refused, 1)),
            *(one for one in strange if one.text != refusal.text),
        ]
    ranked = sorted(found.told.values(), key=lambda one: (RANK[one.message.weight], one.line))
    shown = [one._replace(nearest=nearest(one.text)) for one in strange[:_SHOWN]]
    return Log(
        tuple(ranked),
        (*shown, *strange[_SHOWN:]),
        number,
        lines.shortened if isinstance(lines, Reading) else 0,
        lines.cut if isinstance(lines, Reading) else False,
        refusal,
        verifier.refused,
        found.untold,
        lines.binary if isinstance(lines, Reading) else 0,
        whence.origin,
    )
