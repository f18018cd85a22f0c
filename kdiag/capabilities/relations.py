"""Which capabilities rest on a finding: read off the expressions, by looking at what they look at."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from kdiag.capabilities.definitions import DEFINITIONS, Definition
from kdiag.capabilities.expression import Context
from kdiag.model import Finding, fail, ok, skip, unknown

if TYPE_CHECKING:
    from kdiag.knowledge.tools.behaviour import Behaviour


class Relation(NamedTuple):
    """needed: it fails or is limited where one of the findings fails and all else is as it should be. Otherwise the
    findings are one way of several, or decide only where something else is missing.
    """

    definition: Definition
    needed: bool


class _Seen(Mapping[str, Finding]):
    """The same finding under every id, but for those that are given; remembers which ids were asked for."""

    def __init__(self, every: Finding, *, but: Mapping[str, Finding] | None = None) -> None:
        self.asked: set[str] = set()
        self._every, self._but = every, but or {}

    def __getitem__(self, key: str) -> Finding:
        self.asked.add(key)
        return self._but.get(key, self._every)

    def __iter__(self) -> Iterator[str]:
        return iter(self._but)

    def __len__(self) -> int:
        return len(self._but)


def resting_on(findings: Collection[str], behaviours: Iterable[Behaviour]) -> tuple[Relation, ...]:
    """The capabilities whose expressions look at one of these findings, those first that need it."""
    taken = tuple(behaviours)
    found = []
    for definition in DEFINITIONS:
        asked = frozenset().union(*(_asked(definition, b) for b in taken))
        if asked.isdisjoint(findings):
            continue
        found.append(Relation(definition, any(_worse(definition, b, findings) for b in taken)))
    return tuple(sorted(found, key=lambda relation: not relation.needed))


def findings_of(definition: Definition, behaviours: Iterable[Behaviour]) -> frozenset[str]:
    """All findings that the capability's expressions look at."""
    return frozenset().union(*(_asked(definition, b) for b in behaviours))


@cache
def _asked(definition: Definition, behaviour: Behaviour) -> frozenset[str]:
    """What is looked at where all is well, where nothing is, and where the question does not arise."""
    asked: set[str] = set()
    for every in (ok(""), fail(""), skip(""), unknown("")):
        seen = _Seen(every)
        definition.needs(behaviour)(Context(seen))
        asked |= seen.asked
    return frozenset(asked)


def _worse(definition: Definition, behaviour: Behaviour, findings: Collection[str]) -> bool:
    expression = definition.needs(behaviour)
    broken = _Seen(ok(""), but=dict.fromkeys(findings, fail("")))
    return expression(Context(broken)).rank < expression(Context(_Seen(ok("")))).rank
