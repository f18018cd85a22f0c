"""rpm's SQLite database: rpmdb.sqlite (Fedora since 33, Enterprise Linux since 9).

The schema is in rpm lib/backend/sqlite.cc. The file is opened immutable, so that looking at it changes
nothing: no lock, no -shm file. What is still in a write-ahead log is then not seen, unless the caller
hands the log over too; rpm empties it when it is done.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kdiag.parse.errors import ParseError
from kdiag.parse.packages import Package, Wanted, rpm_header

if TYPE_CHECKING:
    import sqlite3

MAGIC = b"SQLite format 3\0"

#: A header has a few hundred kB at most; the file list of a kernel is among the largest.
_LARGEST_HEADER = 64 * 1024 * 1024
#: Instructions of SQLite's virtual machine, a few seconds' worth: a view in a crafted file could run for
#: ever.
_MOST_STEPS = 200_000_000
_STEPS_AT_ONCE = 100_000


def installed(source: bytes | Path, wanted: Wanted, wal: bytes = b"") -> tuple[Package, ...]:
    """The wanted packages of a database given by its bytes or its path; wal: bytes of rpmdb.sqlite-wal.

    Raises ParseError for what is no such database, OSError only if a temporary file is needed and cannot
    be made.
    """
    import sqlite3

    try:
        with _connected(source, wal) as connection:
            return _read(connection, wanted)
    except sqlite3.Error as error:
        raise ParseError(f"rpmdb.sqlite: {error}") from None


def _read(connection: sqlite3.Connection, wanted: Wanted) -> tuple[Package, ...]:
    steps = iter(range(_MOST_STEPS // _STEPS_AT_ONCE))
    connection.set_progress_handler(lambda: int(next(steps, None) is None), _STEPS_AT_ONCE)
    connection.execute("PRAGMA trusted_schema = OFF")
    found: list[Package] = []
    for name, number in connection.execute("SELECT key, hnum FROM Name").fetchall():
        if not isinstance(name, str) or not isinstance(number, int):
            raise ParseError("rpmdb.sqlite: the index of names has something else in it")
        if wanted(name):
            found.append(_package(connection, name, number))
    return tuple(found)


def _package(connection: sqlite3.Connection, name: str, number: int) -> Package:
    row = connection.execute("SELECT length(blob) FROM Packages WHERE hnum = ?", (number,)).fetchone()
    if row is None or not isinstance(row[0], int) or row[0] > _LARGEST_HEADER:
        raise ParseError(f"rpmdb.sqlite: the header of {name} is missing or far too large")
    (blob,) = connection.execute("SELECT blob FROM Packages WHERE hnum = ?", (number,)).fetchone()
    if not isinstance(blob, bytes):
        raise ParseError(f"rpmdb.sqlite: the header of {name} is not binary")
    return rpm_header.package(blob)


@contextmanager
def _connected(source: bytes | Path, wal: bytes) -> Iterator[sqlite3.Connection]:
    import sqlite3

    if isinstance(source, Path):
        with closing(sqlite3.connect(f"{source.absolute().as_uri()}?immutable=1", uri=True)) as connection:
            yield connection
    elif sys.version_info >= (3, 11) and not wal and hasattr(sqlite3.Connection, "deserialize"):
        with closing(sqlite3.connect(":memory:")) as connection:
            # SQLite refuses a write-ahead log in memory: bytes 18 and 19 say whether the file uses one
            connection.deserialize(source[:18] + b"\1\1" + source[20:])
            yield connection
    else:
        from kdiag.trust import scratch

        files = {"rpmdb.sqlite": source, **({"rpmdb.sqlite-wal": wal} if wal else {})}
        with (
            scratch.filled(files) as directory,
            closing(sqlite3.connect(directory / "rpmdb.sqlite")) as connection,
        ):
            yield connection
