"""Installing the exact header package, and removing what came with it.

Removal goes through the manager's own lower tool (dpkg, rpm), which refuses to remove what something else has
come to need.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kdiag.fix.effects import Installed
from kdiag.fix.errors import FixError
from kdiag.fix.steps.command import last_line, run
from kdiag.fix.world import World
from kdiag.parse.errors import ParseError
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine
    from kdiag.parse.packages import Package

_REMOVE: dict[str, tuple[str, ...]] = {
    "apt-get": ("dpkg", "--purge"),
    "dnf": ("rpm", "-e"),
    "yum": ("rpm", "-e"),
    "tdnf": ("rpm", "-e"),
    "zypper": ("rpm", "-e"),
    "pacman": ("pacman", "-R", "--noconfirm"),
    "apk": ("apk", "del"),
    "xbps-install": ("xbps-remove", "-y"),
}
_DATABASE_LIMIT = 512 * 1024 * 1024


def planned(machine: Machine) -> Installed | None:
    """What installing this kernel's header package would change; None if kdiag cannot do it, or could not
    undo it.
    """
    advice = machine.packages.advice
    if not advice.install or not advice.name or advice.install[-1][0] not in _REMOVE:
        return None
    try:
        present = names(machine)
    except FixError:
        return None
    wanted = tuple(name for name in (advice.name, *advice.parts) if name not in present)
    return Installed(advice.install[-1][0], wanted) if wanted else None


def names(machine: Machine) -> frozenset[str]:
    """All installed packages. Raises FixError where the database cannot be read."""
    try:
        found = machine.packages.database
        if found is None:
            raise FixError("no package database that kdiag can read")
        return frozenset(p.name for p in _read(machine, *found) if p.installed)
    except (Unavailable, ParseError) as error:
        raise FixError(f"the package database cannot be read: {error}") from None


def _read(machine: Machine, kind: str, path: str) -> tuple[Package, ...]:
    def every(_name: str) -> bool:
        return True

    if kind == "pacman":
        from kdiag.parse.packages import pacman

        return pacman.installed(machine.system.listdir(path) or (), every)
    data = machine.system.read(path, _DATABASE_LIMIT) or b""
    if kind == "dpkg":
        from kdiag.parse.packages import dpkg

        return dpkg.installed(data, every)
    if kind == "apk":
        from kdiag.parse.packages import apk

        return apk.installed(data, every)
    from kdiag.parse.packages import rpm

    return rpm.installed(data, every)


def there(effect: Installed, world: World) -> bool:
    """Whether all that was wanted is installed."""
    return set(effect.wanted) <= _now(world)


def make(effect: Installed, world: World) -> Installed:
    """Run the package manager; note everything that came. Raises FixError."""
    from kdiag.knowledge.packages import install_commands, without_questions
    from kdiag.machine import Machine

    before = _now(world)
    advice = Machine(world.system).packages.advice
    commands = advice.install if advice.install and advice.install[-1][0] == effect.manager else ()
    for command in commands or install_commands(effect.manager, effect.wanted):
        status, output = run(without_questions(command), world, world.long_limit)
        if status != 0:
            raise FixError(
                f"{' '.join(command)} failed: {last_line(output)}",
                advice.gone or "the repository may not have it",
            )
    missing = set(effect.wanted) - _now(world)
    if missing:
        raise FixError(f"{effect.manager} reports success, and {', '.join(sorted(missing))} is not installed")
    return replace(effect, added=tuple(sorted(_now(world) - before)))


def unmake(effect: Installed, world: World) -> str:
    """Remove what came, as far as it is still there. Raises FixError if something else needs it now."""
    listed = effect.added or effect.wanted
    present = _now(world)
    gone = tuple(name for name in listed if name in present)
    text = ", ".join(listed)
    if not gone:
        return f"{text}: not installed any more, or never was"
    command = (*_REMOVE[effect.manager], *gone)
    status, output = run(command, world, world.long_limit)
    left = set(gone) & _now(world)
    if status != 0 or left:
        raise FixError(
            f"{' '.join(command)} failed: {last_line(output)}", "does something else need them now?"
        )
    rest = "" if effect.added else " (the installation was cut short: what came with it stays)"
    return f"removed the packages {', '.join(gone)}{rest}"


def _now(world: World) -> frozenset[str]:
    from kdiag.machine import Machine

    return names(Machine(world.system))
