"""Choosing checks and capabilities by id and by glob; an unknown name is told with the nearest one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from kdiag.capabilities.definitions import DEFINITIONS
from kdiag.capabilities.tools import REQUIRED
from kdiag.knowledge.bpf.tables import helpers, map_types, program_types
from kdiag.machine.privileges import CAPABILITIES
from kdiag.words import did_you_mean

if TYPE_CHECKING:
    from kdiag.checking.registry import Registered
    from kdiag.machine import Machine
    from kdiag.model import Finding


class UnknownName(ValueError):
    """A name that matches nothing; the message names the nearest one that exists."""


def split(values: Iterable[str]) -> list[str]:
    """Names out of repeated and comma-separated options."""
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


def _unknown(what: str, name: str, known: Sequence[str]) -> UnknownName:
    return UnknownName(
        f"no {what} is called {name!r}{did_you_mean(name, known)} (`kdiag list` shows them all)"
    )


def _fits(pattern: str, id_: str) -> bool:
    return fnmatchcase(id_, pattern) or (id_.endswith("*") and fnmatchcase(pattern, id_))


def _covers(pattern: str, found: Registered) -> bool:
    """A pattern chooses a check by its own id or by that of one of its findings."""
    return any(_fits(pattern, i) for i in (found.check.id, *found.check.finding_ids))


def choose(checks: Sequence[Registered], only: Sequence[str], skip: Sequence[str]) -> tuple[Registered, ...]:
    """The checks that `only` names (all if empty) without those that `skip` names. Of a check of which some findings
    are named, those are kept or left out, and no others. Raises UnknownName.
    """
    known = [i for found in checks for i in (found.check.id, *found.check.finding_ids) if "*" not in i]
    for pattern in (*only, *skip):
        if not any(_covers(pattern, found) for found in checks):
            raise _unknown("check", pattern, known)
    return tuple(kept for found in checks if (kept := _narrowed(found, only, skip)) is not None)


def _narrowed(found: Registered, only: Sequence[str], skip: Sequence[str]) -> Registered | None:
    """The check with the findings that are wanted of it; None where none is."""
    check = found.check
    ids = check.finding_ids or (check.id,)
    whole = not only or any(fnmatchcase(check.id, pattern) for pattern in only)
    gone = any(fnmatchcase(check.id, pattern) for pattern in skip)

    def wanted(id_: str) -> bool:
        return (whole or any(fnmatchcase(id_, p) for p in only)) and not any(
            fnmatchcase(id_, p) for p in skip
        )

    if gone or not (whole or any(_covers(pattern, found) for pattern in only)):
        return None
    if all(any(fnmatchcase(i, pattern) for pattern in skip) for i in ids):
        return None
    if whole and not any(_covers(pattern, found) for pattern in skip):
        return found

    def run(machine: Machine) -> Iterator[Finding]:
        for finding in check.run(machine):
            if wanted(finding.id or check.id):
                yield finding

    return found._replace(check=check._replace(run=run))


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


def known_to_the_kernel(kind: str, name: str) -> None:
    """Raises UnknownName for what is no map type, program type, helper or capability of Linux."""
    known: dict[str, tuple[str, Iterable[str]]] = {
        "map": ("map type", (one.name for one in map_types().values())),
        "program": ("program type", program_types()),
        "helper": ("helper", (one.name for one in helpers().values())),
        "privilege": ("capability of Linux", (f"CAP_{one}" for one in CAPABILITIES)),
    }
    what, names = known[kind]
    every = list(names)
    if name not in every:
        raise UnknownName(f"no {what} is called {name!r}{did_you_mean(name, every)}")


def known_tool(name: str) -> None:
    """Raises UnknownName for what is no tool's name, as `--tool` takes it."""
    if name not in REQUIRED:
        hint = did_you_mean(name, REQUIRED) or f" (there are {', '.join(REQUIRED)})"
        raise UnknownName(f"no tool is called {name!r}{hint}")
