"""Finds the checks: in every package that some distribution names under the entry-point group `kdiag.checks`.

The built-in ones come the same way as those of plug-ins. Finding and loading are two steps: a package that cannot be
imported is a value with a message, not an accident.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from typing import NamedTuple

from kdiag import __version__
from kdiag.check import Check
from kdiag.console.trouble import interrupt, shortage
from kdiag.trust import here

GROUP = "kdiag.checks"
BUILTIN = "kdiag_checks"


class Registered(NamedTuple):
    """A check and where it comes from."""

    check: Check
    distribution: str
    version: str
    module: str

    @property
    def builtin(self) -> bool:
        """It is one of kdiag's own."""
        return self.module == BUILTIN or self.module.startswith(f"{BUILTIN}.")


class Problem(NamedTuple):
    """A package of checks, or one of its modules, that could not be used."""

    name: str
    distribution: str
    message: str


class Registry(NamedTuple):
    """The checks in the order of their ids, and what went wrong while finding them."""

    checks: tuple[Registered, ...]
    problems: tuple[Problem, ...]


class _Package(NamedTuple):
    module: str
    distribution: str
    version: str


def discover(*, plugins: bool = True) -> Registry:
    """Find and load all checks; with `plugins=False` only the built-in ones."""
    checks: dict[str, Registered] = {}
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
    """The advertised packages, ours first so that no plug-in can take a built-in id."""
    current = here.real()
    found: dict[str, _Package] = {}
    for directory in dict.fromkeys(sys.path):
        # Another user's directory must not bring code into a tool that runs as root: nothing is loaded from the
        # current directory, even where Python itself would look there (`python -m kdiag`), nor by a relative path.
        if os.path.isabs(directory) and os.path.realpath(directory) != current:
            for package in _advertised_in(directory):
                found.setdefault(package.module, package)
    # In an archive (zipapp) no directory has our metadata, and our checks come with us all the same.
    found.setdefault(BUILTIN, _Package(BUILTIN, "kdiag", __version__))
    return sorted(found.values(), key=lambda p: (p.module != BUILTIN, p.module))


def _advertised_in(directory: str) -> Iterator[_Package]:
    """What the distributions installed in one directory name under our group.

    The layout is that of the core metadata and entry points specifications (packaging.python.org). Read
    here because importing importlib.metadata costs 12 ms, a tenth of a whole check. Whose files these are need not be
    judged: Python imports kdiag itself from there, so a user who can write there needs no entry point.
    """
    try:
        names = sorted(n for n in os.listdir(directory) if n.endswith((".dist-info", ".egg-info")))
    except OSError:
        return
    for name in names:
        advertised = _entry_points(_text(f"{directory}/{name}/entry_points.txt"))
        if advertised:
            metadata = _text(f"{directory}/{name}/METADATA") or _text(f"{directory}/{name}/PKG-INFO")
            title, version = _field(metadata, "Name"), _field(metadata, "Version")
            yield from (_Package(module, title or name, version) for module in advertised)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1024 * 1024)
    except OSError:
        return ""


def _entry_points(text: str) -> list[str]:
    """The values in our section of an entry_points.txt."""
    values, inside = [], False
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            inside = line == f"[{GROUP}]"
        elif inside and "=" in line and not line.startswith(("#", ";")):
            values.append(line.partition("=")[2].partition("[")[0].strip())
    return values


def _field(metadata: str, name: str) -> str:
    for line in metadata.splitlines():
        if line.startswith(f"{name}:"):
            return line.partition(":")[2].strip()
        if not line:
            break
    return ""


def _load(package: _Package) -> Iterator[Registered | Problem]:
    import pkgutil

    try:
        module = importlib.import_module(package.module)
    except (Exception, SystemExit) as error:
        _pass_on(error)
        if package.module == BUILTIN:
            raise  # without these nothing is checked
        yield Problem(
            package.module, package.distribution, f"cannot be imported: {type(error).__name__}: {error}"
        )
        return
    names = [package.module]
    for info in pkgutil.iter_modules(getattr(module, "__path__", ())):
        names.append(f"{package.module}.{info.name}")
        # Ours has rooms for large subjects. A plug-in's own packages (its tests, say) are its own business.
        if info.ispkg and package.module == BUILTIN:
            inside = pkgutil.iter_modules([f"{path}/{info.name}" for path in module.__path__])
            names += [f"{package.module}.{info.name}.{inner.name}" for inner in inside]
    for name in names:
        try:
            members = vars(importlib.import_module(name))
        except (Exception, SystemExit) as error:
            _pass_on(error)
            yield Problem(name, package.distribution, f"cannot be imported: {type(error).__name__}: {error}")
            continue
        for value in list(members.values()):
            if isinstance(value, Check) and value.run.__module__ == name:
                yield Registered(value, package.distribution, package.version, name)


def _pass_on(error: BaseException) -> None:
    """An interrupt, and too little memory, are no problem of a package."""
    if stop := interrupt(error):
        raise stop from None
    if shortage(error):
        raise error
