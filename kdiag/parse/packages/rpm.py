"""rpm: the three formats of its database, told apart by their first bytes.

rpmdb.sqlite, Packages.db (ndb) or Packages (Berkeley DB) lies in var/lib/rpm or usr/lib/sysimage/rpm.
"""

from __future__ import annotations

from pathlib import Path

from kdiag.parse.errors import ParseError
from kdiag.parse.packages import Package, Wanted, rpm_bdb, rpm_ndb, rpm_sqlite

#: Where the database may be, below a root, and the file names in order of age, newest first.
DIRECTORIES = ("usr/lib/sysimage/rpm", "var/lib/rpm")
FILES = ("rpmdb.sqlite", "Packages.db", "Packages")


def installed(data: bytes, wanted: Wanted, wal: bytes = b"") -> tuple[Package, ...]:
    """The wanted packages of a database file of any of the three formats. Raises ParseError.

    wal: content of rpmdb.sqlite-wal, where it is not empty.
    """
    if data.startswith(rpm_sqlite.MAGIC):
        return rpm_sqlite.installed(data, wanted, wal)
    if data.startswith(rpm_ndb.MAGIC):
        return rpm_ndb.installed(data, wanted)
    if rpm_bdb.is_database(data):
        return rpm_bdb.installed(data, wanted)
    raise ParseError("not an rpm database: neither SQLite nor ndb nor a Berkeley DB hash", 0)


def installed_in(path: Path, wanted: Wanted) -> tuple[Package, ...]:
    """The same for a file: SQLite is read in place, its bytes do not come into memory. Raises OSError too."""
    with path.open("rb") as file:
        if file.read(len(rpm_sqlite.MAGIC)) == rpm_sqlite.MAGIC:
            return rpm_sqlite.installed(path, wanted)
        file.seek(0)
        return installed(file.read(), wanted)
