"""The SQLite database that collections are kept in: a temporary one on the disk, or a history that the user named.

A machine has a row for as long as its answers stay the same, so that a history grows with what changes: the row says
in which collections they were seen first and last. What machines answered is kept once for all that answered alike.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from kdiag.trust import Untrusted
from kdiag.trust.linux import HERE
from kdiag.trust.read import head
from kdiag.trust.walk import place

#: "kdia" in ASCII, and the version of the tables (PRAGMA application_id, user_version).
_APPLICATION, _VERSION = 0x6B646961, 1
#: Instructions of SQLite's virtual machine for one statement: a view in a crafted file could run for ever.
_MOST_STEPS = 4_000_000_000
_STEPS_AT_ONCE = 1_000_000
_TABLES = """
CREATE TABLE collection (id INTEGER PRIMARY KEY, taken TEXT NOT NULL, unread INTEGER NOT NULL DEFAULT 0);
CREATE TABLE kind (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, content BLOB NOT NULL);
CREATE TABLE place (id INTEGER PRIMARY KEY, content TEXT NOT NULL UNIQUE);
CREATE TABLE machine (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE seen (
  machine INTEGER NOT NULL REFERENCES machine, first INTEGER NOT NULL, last INTEGER NOT NULL,
  kind INTEGER NOT NULL REFERENCES kind, place INTEGER NOT NULL REFERENCES place,
  verdict TEXT NOT NULL, created TEXT NOT NULL, PRIMARY KEY (machine, last)) WITHOUT ROWID;
CREATE INDEX seen_last ON seen (last, kind);
CREATE TABLE tally (
  collection INTEGER NOT NULL REFERENCES collection, kind INTEGER NOT NULL, place INTEGER NOT NULL,
  verdict TEXT NOT NULL, machines INTEGER NOT NULL, PRIMARY KEY (collection, kind, place, verdict)) WITHOUT ROWID;
"""


class BadHistory(ValueError):
    """A database that cannot be used; the message names it, says why and what to do."""


@contextmanager
def temporary() -> Iterator[sqlite3.Connection]:
    """A database of our own: a file without a name, of which SQLite keeps a part in memory. Raises BadHistory."""
    connection = sqlite3.connect("", isolation_level=None)
    try:
        connection.executescript(_TABLES)
        # Nothing is to be kept: no journal, no waiting for the disk.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -16000"):
            connection.execute(f"PRAGMA {pragma}")
        with _told("the temporary database"):
            yield connection
    finally:
        connection.close()


@contextmanager
def history(path: str, *, make: bool = False) -> Iterator[sqlite3.Connection]:
    """A history by its name; make: a new one where there is none. Raises BadHistory.

    SQLite opens files by name, and a journal beside it decides what is in it (sqlite.org/lockingv3.html, hot journals):
    the file, its directory and all on the way have to be root's or the caller's, and writable by no other user.
    """
    exists = _judged(path)
    if not exists and not make:
        raise BadHistory(f"{path}: there is no such file; `kdiag compare --history {path} REPORTS` makes it")
    with _told(path):
        mode = "rwc" if make else "rw"
        name = os.path.abspath(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        umask = os.umask(0o077 if not exists else 0o022)
        try:
            connection = sqlite3.connect(
                f"file:{name}?mode={mode}", uri=True, timeout=30, isolation_level=None
            )
            connection.execute("PRAGMA trusted_schema = OFF")
            _prepare(connection, path)
        finally:
            os.umask(umask)
        try:
            steps = iter(range(_MOST_STEPS // _STEPS_AT_ONCE))
            connection.set_progress_handler(lambda: int(next(steps, None) is None), _STEPS_AT_ONCE)
            yield connection
        finally:
            connection.close()


def _judged(path: str) -> bool:
    """Whether there is a file, which no other user could have put there or could change."""
    if not HERE:
        return os.path.exists(path)
    try:
        with place(path, strict=True) as found:
            if found.number is not None or found.parent is None:
                raise BadHistory(f"{path}: a history is a file")
            if found.parent.st_mode & stat.S_IWOTH:
                raise BadHistory(
                    f"{path}: every user may write to its directory, and so put a journal beside it; "
                    "use a directory of your own"
                )
            if found.info is not None and not stat.S_ISREG(found.info.st_mode):
                raise BadHistory(f"{path}: a history is a file")
            return found.info is not None
    except Untrusted as error:
        raise BadHistory(f"{path}: {error}; use a directory that only you can change") from None
    except (OSError, ValueError) as error:
        reason = (error.strerror or error) if isinstance(error, OSError) else error
        raise BadHistory(f"{path}: {reason}") from None


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    (application,), (version,) = (
        connection.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
    )
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        connection.executescript(
            f"BEGIN; {_TABLES} PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {_VERSION}; COMMIT;"
        )
    elif application != _APPLICATION:
        raise BadHistory(f"{path}: a SQLite database of another program")
    elif version != _VERSION:
        raise BadHistory(f"{path}: a history of format {version}; this kdiag reads {_VERSION}")


@contextmanager
def _told(name: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        hint = "; it is no history, or damaged" if isinstance(error, sqlite3.DatabaseError) else ""
        hint = "" if isinstance(error, sqlite3.OperationalError) else hint
        raise BadHistory(f"{name}: {error}{hint}") from None


def stored(text: str) -> str:
    """A text as a database takes it: names of files are bytes, and JSON can write half of a character."""
    return text.encode("utf-8", "backslashreplace").decode()


def is_database(path: str) -> bool:
    """Whether a path is a file of SQLite, by its first bytes."""

    try:
        return os.path.isfile(path) and head(path, 16) == b"SQLite format 3\0"
    except (OSError, ValueError):
        return False
