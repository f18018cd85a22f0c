"""Package databases, read as files: what is installed in a root file system, asking no package manager.

Each module reads the database of one package manager: `dpkg`, `rpm`, `apk`, `pacman`, `xbps`. All of them take a
predicate over package names, because a machine has thousands of packages and a question is about a few.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

#: Says by name which packages are asked for.
Wanted = Callable[[str], bool]


class Package(NamedTuple):
    """One package of a database.

    version: as the manager writes it, revision included, an epoch in front (`1:2.3-4`). state:
    `installed`, or where it is not quite that, dpkg's word for it (`config-files`: removed,
    `half-installed`: broken). provides: as the manager writes it (`kernel-devel-uname-r =
    6.14.0-63.fc42.x86_64`). depends: names alone, the first of alternatives (dpkg only). since: when it was
    installed, in seconds since 1970 (rpm only).
    """

    name: str
    version: str
    arch: str | None = None
    state: str = "installed"
    provides: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()
    since: int | None = None

    @property
    def installed(self) -> bool:
        """Whether it is there as the manager meant it to be."""
        return self.state == "installed"
