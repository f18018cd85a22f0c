"""The journal: what was changed, written and synced before each change, so that all of it can be undone after
any crash.

JSON lines, each with a checksum (`kdiag.fix.lines`). `begin` comes before a change and says all that is needed to take
it back; `done` after it, with what is known only then; `undone` when it was taken back, or turned out never to have
happened. A last line without its newline is a write that was cut short, and does not count. A line that is damaged
makes the whole journal one that nothing is done by.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterable
from pathlib import Path

from kdiag.fix import lines
from kdiag.fix.effects import Effect, Json
from kdiag.fix.entries import Entry, begin_line, done_line, encoded, parse
from kdiag.fix.errors import FixError
from kdiag.trust import names, write

#: A fix writes about 1 kB, with packages 100 kB; more than this is not ours.
LIMIT = 4 * 1024 * 1024


def token() -> str:
    """16 hex digits, unique to it."""
    return os.urandom(8).hex()


class Journal:
    """The journal's file. Only the holder of the lock beside it may write."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> tuple[Entry, ...]:
        """The changes not yet undone, oldest first; none without a file. Raises FixError for a journal that
        is not to be trusted.
        """
        data = self._read()
        return () if data is None else parse(data, str(self.path))

    def begin(self, step: str, effect: Effect, boot: str) -> Entry:
        """Announce a change. Returns only when the line is on the disk."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        entry = Entry(token(), step, effect, boot, now, finished=False, announced=effect)
        self._append(begin_line(entry))
        return entry

    def done(self, entry: Entry, effect: Effect) -> Entry:
        """The change is made; `effect` is what is known now."""
        self._append(done_line(entry, effect))
        return entry._replace(effect=effect, finished=True)

    def undone(self, entry: Entry) -> None:
        """The change is taken back, or never happened."""
        self._append({"event": "undone", "id": entry.id})

    def tidy(self) -> None:
        """Keep only what can still be undone; without anything left, no file."""
        with contextlib.suppress(FileNotFoundError):
            names.unlink(self._new)
        data = self._read()
        if data is None:
            return
        entries = parse(data, str(self.path))
        if not entries:
            names.unlink(self.path)
        elif data.count(b"\n") > 2 * len(entries):
            self._rewrite(entries)

    @property
    def _new(self) -> Path:
        return self.path.with_name(f"{self.path.name}.new")

    # -- the file ------------------------------------------------------------------------------------------------

    def _rewrite(self, entries: Iterable[Entry]) -> None:
        data = b""
        for entry in entries:
            data += lines.sealed(encoded(begin_line(entry)), data)
            if entry.finished:
                data += lines.sealed(encoded(done_line(entry, entry.effect)), data)
        names.replace(self.path, data, 0o600, by=self._new.name)

    def _read(self) -> bytes | None:
        try:
            fd = names.opened(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error("cannot be opened", error) from None
        try:
            _trusted(fd, self.path)
            return self._content(fd)
        except OSError as error:
            raise self._error("cannot be read", error) from None
        finally:
            os.close(fd)

    def _content(self, fd: int) -> bytes:
        data = b""
        while chunk := os.read(fd, 1 << 16):
            data += chunk
            if len(data) > LIMIT:
                raise self._error(f"has more than {LIMIT} bytes")
        return data

    def _append(self, line: dict[str, Json]) -> None:
        """Write one line, synced; where that fails, the file is as before. Raises FixError, also for damage."""
        try:
            fd = names.opened(self.path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise self._error("cannot be written", error) from None
        try:
            _trusted(fd, self.path)
            data = self._content(fd)
            parse(data, str(self.path))
            end = lines.end(data)
            try:
                os.ftruncate(fd, end)
                os.lseek(fd, end, os.SEEK_SET)
                write.pour(fd, lines.sealed(encoded(line), data[:end]))
                os.fsync(fd)
                if end == 0:
                    names.sync(self.path.parent)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(fd, end)
                raise
        except OSError as error:
            raise self._error("cannot be written", error) from None
        finally:
            os.close(fd)

    def _error(self, what: str, error: OSError | None = None) -> FixError:
        text = f"the journal {self.path} {what}"
        if error is not None:
            text += f": {error.strerror}"
        return FixError(text, "nothing is changed without a journal, so that everything can be undone")


def _trusted(fd: int, path: Path) -> None:
    """Raise FixError for a file that another user could have written."""
    info = os.fstat(fd)
    problem = ""
    if not stat.S_ISREG(info.st_mode):
        problem = "is not a file"
    elif info.st_uid != os.geteuid():
        problem = f"belongs to uid {info.st_uid}"
    elif info.st_mode & 0o022:
        problem = f"is writable by others (mode {stat.S_IMODE(info.st_mode):04o})"
    elif info.st_nlink > 1:
        problem = "has a second name (a hard link)"
    if problem:
        raise FixError(
            f"the journal {path} {problem}: it is not used",
            "an undo does what the journal says; look at it and remove it if it is not yours",
        )
