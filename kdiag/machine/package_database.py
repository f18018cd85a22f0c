"""Package databases: where they are, and reading them as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.parse.packages import Package, Wanted
    from kdiag.system import System

#: Kind of database -> the places where it may be.
PLACES = {
    "dpkg": ("/var/lib/dpkg/status",),
    "apk": ("/lib/apk/db/installed", "/usr/lib/apk/db/installed"),
    "pacman": ("/var/lib/pacman/local",),
    "rpm": (
        "/var/lib/rpm/rpmdb.sqlite",
        "/usr/lib/sysimage/rpm/rpmdb.sqlite",
        "/usr/lib/sysimage/rpm/Packages.db",
        "/var/lib/rpm/Packages.db",
        "/var/lib/rpm/Packages",
    ),
    "xbps": ("/var/db/xbps/pkgdb-0.38.plist",),
}
#: Databases of large systems have 10 to 200 MB.
_LIMIT = 512 * 1024 * 1024


def read_database(system: System, kind: str, path: str, matters: Wanted) -> tuple[Package, ...]:
    """The packages of one database whose name `matters`.

    `kind` and `path` as in `Packages.database`. Raises Unavailable (unreadable) and ParseError (damaged).
    """
    if kind == "pacman":
        from kdiag.parse.packages import pacman

        return pacman.installed(system.listdir(path) or (), matters)
    if kind == "rpm":
        from kdiag.parse.packages import rpm

        # What was written and is not yet in the file is in the log beside it. The log first: what moves from it into
        # the file meanwhile is then in both, which does no harm.
        log = _log(system, path)
        return rpm.installed(system.read(path, _LIMIT) or b"", matters, log)
    data = system.read(path, _LIMIT) or b""
    if kind == "dpkg":
        from kdiag.parse.packages import dpkg

        return dpkg.installed(data, matters)
    if kind == "apk":
        from kdiag.parse.packages import apk

        return apk.installed(data, matters)
    from kdiag.parse.packages import xbps

    return xbps.installed(data, matters)


def _log(system: System, path: str) -> bytes:
    """SQLite's write-ahead log of an rpm database (sqlite.org/wal.html); empty where there is none."""
    if not path.endswith(".sqlite"):
        return b""
    try:
        return system.read(f"{path}-wal", _LIMIT) or b""
    except Unavailable as gap:
        if not gap.reason.endswith("not recorded"):
            raise
        return b""


def is_package(package: Package, wanted: str, version: str | None) -> bool:
    """Whether an installed package is the one called `wanted`, in `version` if one is given (`*` at its end: any
    rebuild). RPM packages are asked for as NAME-VERSION or NAME-VERSION.ARCH, and their version may have an epoch.
    """
    bare = package.version.partition(":")[2] or package.version
    if package.name == wanted:
        if version is None:
            return True
        return bare.startswith(version[:-1]) if version.endswith("*") else version in (bare, package.version)
    return wanted in (f"{package.name}-{bare}", f"{package.name}-{bare}.{package.arch}")
