"""Finds the checks: in every package that some distribution names under the entry-point group `kdiag.checks`.

The built-in ones come the same way as a stranger's. Finding and loading are two steps: a package that cannot be
imported is a value with a message, not an accident.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from kdiag.check import Check

GROUP = "kdiag.checks"
BUILTIN = "kdiag_checks"


@dataclass(frozen=True, slots=True)
class Found:
    """A check and where it comes from."""

    check: Check
    distribution: str
    version: str
    module: str

    @property
    def builtin(self) -> bool:
        """It is one of kdiag's own."""
        return self.module.startswith(BUILTIN)


@dataclass(frozen=True, slots=True)
class Problem:
    """A package of checks, or one of its modules, that could not be used."""

    name: str
    distribution: str
    message: str


@dataclass(frozen=True, slots=True)
class Registry:
    """The checks in the order of their ids, and what went wrong while finding them."""

    checks: tuple[Found, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Package:
    module: str
    distribution: str
    version: str


def discover(*, plugins: bool = True) -> Registry:
    """Find and load all checks; with `plugins=False` only the built-in ones."""
    checks: dict[str, Found] = {}
    problems: list[Problem] = []
    for package in _packages():
        if not plugins and package.module != BUILTIN:
            continue
        for outcome in _load(package):
            if isinstance(outcome, Problem):
                problems.append(outcome)
            elif outcome.check.id in checks and checks[outcome.check.id].check is not outcome.check:
                first = checks[outcome.check.id]
                problems.append(
                    Problem(
                        outcome.module,
                        package.distribution,
                        f"its check {outcome.check.id} is left out: {first.module} has one of this id",
                    )
                )
            else:
                checks.setdefault(outcome.check.id, outcome)
    return Registry(tuple(checks[key] for key in sorted(checks)), tuple(problems))


def _packages() -> list[_Package]:
    """The advertised packages, ours first so that no stranger can take a built-in id."""
    from importlib.metadata import distributions

    here = os.path.realpath(os.curdir)
    found: dict[str, _Package] = {}
    for distribution in distributions():
        # Somebody else's directory must not bring code into a tool that runs as root: nothing is loaded from the
        # current directory, even where Python itself would look there (`python -m kdiag`).
        name = (
            distribution.metadata["Name"] if _advertises(distribution.read_text("entry_points.txt")) else None
        )
        if name is None or (name != "kdiag" and os.path.realpath(str(distribution.locate_file(""))) == here):
            continue
        for entry in distribution.entry_points:
            if entry.group == GROUP:
                found.setdefault(entry.value, _Package(entry.value, name, distribution.version))
    return sorted(found.values(), key=lambda p: (p.module != BUILTIN, p.module))


def _advertises(entry_points: str | None) -> bool:
    return entry_points is not None and f"[{GROUP}]" in entry_points


def _load(package: _Package) -> Iterator[Found | Problem]:
    import importlib
    import pkgutil

    try:
        module = importlib.import_module(package.module)
    except Exception as error:
        yield Problem(
            package.module, package.distribution, f"cannot be imported: {type(error).__name__}: {error}"
        )
        return
    names = [package.module]
    if hasattr(module, "__path__"):
        names += [f"{package.module}.{info.name}" for info in pkgutil.iter_modules(module.__path__)]
    for name in names:
        try:
            members = vars(importlib.import_module(name))
        except Exception as error:
            yield Problem(name, package.distribution, f"cannot be imported: {type(error).__name__}: {error}")
            continue
        for value in list(members.values()):
            if isinstance(value, Check) and value.run.__module__ == name:
                yield Found(value, package.distribution, package.version, name)
