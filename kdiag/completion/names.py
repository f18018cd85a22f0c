"""Names that kdiag knows without looking at the machine: of checks, capabilities, options, profiles, formats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kdiag.btf.finding import KINDS
from kdiag.capabilities.definitions import DEFINITIONS
from kdiag.capabilities.tools import REQUIRED
from kdiag.checking.analysis import ENGINES
from kdiag.checking.registry import Registry, discover
from kdiag.completion import kernel
from kdiag.completion.value import Candidate
from kdiag.explain.options.listing import Entry, entries
from kdiag.knowledge.bpf.profiles import profiles
from kdiag.report.formats import NAMES
from kdiag.smoke.programs import PROGRAMS

#: How the names begin that no check has: the checks, dear to find, are not looked for.
_NO_CHECKS = ("CONFIG_", "CAP_")


def checks(start: str, _before: tuple[str, ...]) -> Iterator[Candidate]:
    """Ids of checks and of their findings."""
    return _of(start, (one for one in entries(_registry()) if one.kind == "check"))


def capabilities(start: str, _before: tuple[str, ...]) -> Iterator[Candidate]:
    """Ids of what a person can do."""
    return _fitting(start, ((one.id, one.title) for one in DEFINITIONS))


def tools(start: str, _before: tuple[str, ...]) -> Iterator[Candidate]:
    """The tools that are examined."""
    return _fitting(start, ((name, "") for name in REQUIRED))


def tool_profiles(start: str, _before: tuple[str, ...]) -> Iterator[Candidate]:
    """The built-in profiles."""
    return _fitting(start, ((name, profile.title) for name, profile in profiles().items()))


def formats(start: str, _before: tuple[str, ...]) -> Iterator[Candidate]:
    """The formats of a report."""
    return _fitting(start, ((name, "") for name in NAMES))


def engines(start: str, _before: tuple[str, ...]) -> Iterator[Candidate]:
    """What starts containers."""
    return _fitting(start, ((name, "") for name in ENGINES))


def programs(start: str, _before: tuple[str, ...]) -> Iterator[Candidate]:
    """The programs of `kdiag smoke`."""
    return _fitting(start, ((one.id, one.title) for one in PROGRAMS))


def kinds(start: str, _before: tuple[str, ...]) -> Iterator[Candidate]:
    """Kinds of types."""
    return _fitting(start, ((name, "") for name in KINDS))


def explained(start: str, _before: tuple[str, ...]) -> Iterable[Candidate]:
    """All that `kdiag explain` takes but files."""
    if ":" in start:
        return kernel.probes(start)
    if start.upper().startswith(_NO_CHECKS):
        return _of(start, entries(Registry((), ())))
    found = _of(start, entries(_registry()))
    # Four hundred options would hide the rest: their beginnings until one is typed.
    plain = (one for one in found if not one.word.startswith(_NO_CHECKS))
    heads = (Candidate(head, "", True) for head in _NO_CHECKS if head.startswith(start))
    return (*plain, *heads, *kernel.probes(start))


def _registry() -> Registry:
    return discover()


def _of(start: str, found: Iterable[Entry]) -> Iterator[Candidate]:
    return _fitting(start, ((one.name, one.title) for one in found))


def _fitting(start: str, names: Iterable[tuple[str, str]]) -> Iterator[Candidate]:
    """Those that begin so; in any case of letters where what is typed has none of its own (`config_b`)."""
    lowered = start.lower()
    return (
        Candidate(name, title)
        for name, title in names
        if name.startswith(start) or (start == lowered and name.lower().startswith(start))
    )
