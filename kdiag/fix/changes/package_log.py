"""When a package came, as its manager recorded it: rpm in its database, dpkg and pacman in their logs.

dpkg-query(1) has no such date. Format of dpkg.log: dpkg(1), --log; of pacman.log: one line per action, by ALPM.
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Iterable
from typing import NamedTuple

from kdiag.parse.packages import Package
from kdiag.system import System, Unavailable

_DPKG = ("/var/log/dpkg.log.1", "/var/log/dpkg.log")
_PACMAN = ("/var/log/pacman.log",)
_LIMIT = 64 * 1024 * 1024
#: What came where nothing was: an upgrade says `upgrade`, or has a version where `<none>` stands.
_DPKG_LINE = re.compile(
    rb"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) install ([^\s:]+)(?::\S+)? <none> ", re.MULTILINE
)
_PACMAN_LINE = re.compile(
    rb"^\[(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::\d\d)?\S*\] \[ALPM\] installed (\S+) ", re.MULTILINE
)
#: These logs have the local time of their writer, in a container another than ours.
_DAY = 86_400.0


class Came(NamedTuple):
    """When a package came, in seconds since 1970, give or take `blur`; who says so."""

    when: float
    blur: float
    source: str

    def before(self, at: str) -> bool:
        """Whether that was before the time of a journal (`2026-01-31T12:00:00Z`), or that time cannot be read."""
        try:
            moment = calendar.timegm(time.strptime(at, "%Y-%m-%dT%H:%M:%SZ"))
        except ValueError:
            return True
        return self.when < moment - self.blur


def by_rpm(packages: Iterable[tuple[str, Package]]) -> dict[str, Came]:
    """By the database: (the name that the answer is to have, the package)."""
    return {
        name: Came(package.since, 2.0, "rpm's database")
        for name, package in packages
        if package.since is not None
    }


def by_log(system: System, kind: str) -> dict[str, Came]:
    """By the log of dpkg or pacman, by name; the last time counts. Empty where there is no log to read."""
    if kind == "dpkg":
        return {
            match[2].decode("utf-8", "replace"): Came(_seconds(match[1].decode()), _DAY, path)
            for path in _DPKG
            for match in _DPKG_LINE.finditer(_content(system, path))
        }
    if kind == "pacman":
        return {
            match[3].decode("utf-8", "replace"): Came(
                _seconds(f"{match[1].decode()} {match[2].decode()}:00"), _DAY, path
            )
            for path in _PACMAN
            for match in _PACMAN_LINE.finditer(_content(system, path))
        }
    return {}


def _content(system: System, path: str) -> bytes:
    try:
        return system.read(path, _LIMIT) or b""
    except Unavailable:
        return b""


def _seconds(text: str) -> float:
    try:
        return calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S"))
    except ValueError:
        return 0.0
