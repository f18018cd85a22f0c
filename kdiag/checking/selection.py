"""Choosing checks and capabilities by id and by glob; an unknown name is told with the nearest one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from kdiag.capabilities.definitions import DEFINITIONS
from kdiag.words import did_you_mean

if TYPE_CHECKING:
    from kdiag.checking.registry import Registered


class UnknownName(ValueError):
    """A name that matches nothing; the message names the nearest one that exists."""


def split(values: Iterable[str]) -> list[str]:
    """Names out of repeated and comma-separated options."""
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


def _unknown(what: str, name: str, known: Sequence[str]) -> UnknownName:
    return UnknownName(
        f"no {what} is called {name!r}{did_you_mean(name, known)} (`kdiag list` shows them all)"
    )


def _covers(pattern: str, found: Registered) -> bool:
    """A pattern chooses a check by its own id or by that of one of its findings."""
    ids = (found.check.id, *found.check.finding_ids)
    return any(fnmatchcase(i, pattern) or (i.endswith("*") and fnmatchcase(pattern, i)) for i in ids)


def choose(checks: Sequence[Registered], only: Sequence[str], skip: Sequence[str]) -> tuple[Registered, ...]:
    """The checks that `only` names (all if empty) without those that `skip` names. Raises UnknownName."""
    known = [i for found in checks for i in (found.check.id, *found.check.finding_ids) if "*" not in i]
    for pattern in (*only, *skip):
        if not any(_covers(pattern, found) for found in checks):
            raise _unknown("check", pattern, known)
    return tuple(
        found
        for found in checks
        if (not only or any(_covers(p, found) for p in only)) and not any(_covers(p, found) for p in skip)
    )


def capabilities(names: Sequence[str]) -> tuple[str, ...]:
    """Capability ids out of ids and globs. Raises UnknownName."""
    known = [definition.id for definition in DEFINITIONS]
    chosen: dict[str, None] = {}
    for name in names:
        matching = [i for i in known if fnmatchcase(i, name)]
        if not matching:
            raise _unknown("capability", name, known)
        chosen.update(dict.fromkeys(matching))
    return tuple(chosen)
