"""Installing the exact header package, and removing what came with it: what was not there before, by the journal's
list and by the package manager's own account.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from kdiag.fix.changes.command import DPKG_FAILED, last_line, run
from kdiag.fix.changes.package_log import by_log, by_rpm
from kdiag.fix.context import Context
from kdiag.fix.effects import REMOVAL, Installed
from kdiag.fix.entries import Entry
from kdiag.fix.errors import FixError
from kdiag.knowledge.managers import install_commands, without_questions
from kdiag.machine import Machine
from kdiag.machine.package_database import read_database
from kdiag.parse.errors import ParseError
from kdiag.parse.packages import dpkg
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.fix.changes.package_log import Came
    from kdiag.machine import Machine
    from kdiag.parse.packages import Package

#: Lines of apt by which the repository is not to blame: dpkg, which it starts once it has all that is needed, failed,
#: was cut short before, or is at work for another process.
_FAILED_HERE = (DPKG_FAILED, "E: dpkg was interrupted", "E: Could not get lock")

#: Of the whole status file; a thousand packages have 1 MB.
_LIMIT = 256 * 1024 * 1024


def planned(machine: Machine) -> Installed | None:
    """What installing this kernel's header package would change; None if kdiag cannot do it, or not undo it."""
    advice = machine.packages.advice
    if not advice.install or not advice.name or advice.install[-1][0] not in REMOVAL:
        return None
    try:
        lacking = machine.packages.lacking
    except Unavailable:
        return None
    # The package itself pulls its parts; only where it is there already, parts are named.
    wanted = (advice.name,) if advice.name in lacking else lacking
    return Installed(advice.install[-1][0], wanted) if wanted else None


def prepare(effect: Installed, context: Context) -> Installed:
    """Note what is there before. Raises FixError where the database cannot be read."""
    names = _installed(context)
    return replace(effect, before=tuple(sorted({one for several in names.values() for one in several})))


def there(effect: Installed, context: Context) -> bool:
    """Whether all that was wanted is installed."""
    try:
        return not set(effect.wanted) & set(Machine(context.system).packages.lacking)
    except Unavailable:
        return False


def make(effect: Installed, context: Context, _content: bytes | None = None) -> Installed:
    """Run the package manager; note everything that came. Raises FixError; then what came is removed again."""
    before = _installed(context)
    try:
        _install(effect, context)
    except BaseException:
        with contextlib.suppress(FixError):
            _remove(effect.manager, _new(before, _installed(context)), context)
        raise
    return replace(effect, added=_new(before, _installed(context)))


def _install(effect: Installed, context: Context) -> None:
    advice = Machine(context.system).packages.advice
    named = advice.name in effect.wanted and bool(advice.install)
    commands = advice.install if named else install_commands(advice.manager or "", effect.wanted)
    for command in commands:
        status, output = run(without_questions(command), context, context.long_limit)
        if status != 0:
            here = any(line.startswith(_FAILED_HERE) for line in output.splitlines())
            raise FixError(
                f"{' '.join(command)} failed: {last_line(output)}",
                "" if here else advice.gone or "the repository may not have it",
            )
    if not there(effect, context):
        raise FixError(f"{effect.manager} reports success, and {', '.join(effect.wanted)} is not installed")


def unmake(effect: Installed, context: Context, entry: Entry) -> str:
    """Remove what came and is still there. Raises FixError where it is
    not proven that the fix installed it, and if something else needs it now.
    """
    listed = effect.added if entry.finished else effect.wanted
    names = _to_remove(effect, _installed(context), finished=entry.finished)
    if not names:
        return f"{', '.join(listed) or 'packages'}: not installed any more, or never by this fix"
    _prove(effect, names, entry.at, context)
    _remove(effect.manager, names, context)
    rest = "" if entry.finished else " (the installation was cut short: what came with it stays)"
    return f"removed the packages {', '.join(names)}{rest}"


def _to_remove(effect: Installed, now: Names, *, finished: bool) -> tuple[str, ...]:
    """What came and is there. After an installation that was cut short only what was asked for: what else came since
    the announcement may have come by other ways.
    """
    if finished:
        return tuple(name for name in effect.added if any(name in several for several in now.values()))
    found: list[str] = []
    for name, several in now.items():
        for one in several:
            # rpm removes by name-version.arch, and is asked for a name, or for a name with a version.
            asked = name in effect.wanted or any(one == w or one.startswith(f"{w}.") for w in effect.wanted)
            if asked and one not in effect.before:
                found.append(one)
    return tuple(sorted(found))


def _prove(effect: Installed, names: tuple[str, ...], at: str, context: Context) -> None:
    """Raise FixError unless the fix announced at this time installed them: they were not there before, and the
    manager's own account, where it has one, does not say otherwise.
    """
    account = _account(context)
    by_hand = f"remove them by hand if you want that: {' '.join((*REMOVAL[effect.manager], *names))}"
    for name in names:
        when = account.get(name)
        if when is not None and when.before(at):
            raise FixError(f"the packages stay: {when.source} says that {name} was there before", by_hand)
        if when is None and not effect.before:
            raise FixError(f"the packages stay: nothing proves that kdiag installed {name}", by_hand)


def _remove(manager: str, names: tuple[str, ...], context: Context) -> None:
    if not names:
        return
    command = (*REMOVAL[manager], *names)
    status, output = run(command, context, context.long_limit)
    left = {p for found in _installed(context).values() for p in found}
    if status != 0 or left & set(names):
        raise FixError(
            f"{' '.join(command)} failed: {last_line(output)}", "does something else need them now?"
        )


# -- what is installed -------------------------------------------------------------------------------------------

#: Package name -> the names by which its installed versions can be removed one by one.
Names = dict[str, set[str]]

#: dpkg's states of a package that is not there. All others have files, also those of an installation that failed.
_AWAY = ("not-installed", "config-files")


def _new(before: Names, after: Names) -> tuple[str, ...]:
    """What came: neither there before, nor put in the place of an older version."""
    found: list[str] = []
    for name, now in after.items():
        old = before.get(name, set())
        if old <= now:
            found += now - old
    return tuple(sorted(found))


def _account(context: Context) -> dict[str, Came]:
    """When packages came, by the names by which they are removed."""
    try:
        kind, path = Machine(context.system).packages.database or ("", "")
        if kind != "rpm":
            return by_log(context.system, kind)
        return by_rpm((_removable(package, kind), package) for package in _read(context, kind, path))
    except (Unavailable, ParseError) as error:
        raise FixError(f"the package database cannot be read: {error}") from None


def _installed(context: Context) -> Names:
    """All packages that are there, installed or half so. Raises FixError where the database cannot be read."""
    machine = Machine(context.system)
    names: Names = {}
    try:
        found = machine.packages.database
        if found is None:
            raise FixError("no package database that kdiag can read")
        for package in _read(context, *found):
            if package.state not in _AWAY:
                names.setdefault(package.name, set()).add(_removable(package, found[0]))
    except (Unavailable, ParseError) as error:
        raise FixError(f"the package database cannot be read: {error}") from None
    return names


def _read(context: Context, kind: str, path: str) -> tuple[Package, ...]:
    if kind != "dpkg":
        return read_database(context.system, kind, path, lambda _name: True)
    return dpkg.packages(context.system.read(path, _LIMIT) or b"", lambda _name: True)


def _removable(package: Package, kind: str) -> str:
    """rpm keeps several versions of a kernel's packages side by side; the others know one of a name."""
    if kind != "rpm":
        return package.name
    version = package.version.rpartition(":")[2]
    return f"{package.name}-{version}" + (f".{package.arch}" if package.arch else "")
