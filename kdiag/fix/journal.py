"""The journal: what was changed, written and synced before each change, so that all of it can be undone after
any crash.

JSON lines. `begin` comes before a change and says all that is needed to take it back; `done` after it;
`undone` when it was taken back, or turned out never to have happened. A last line without its newline is a
write that was cut short, and does not count.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from kdiag.fix.effects import BadEffect, Effect, Json, from_json, to_json
from kdiag.fix.errors import FixError

VERSION = 1
#: A fix writes about 1 kB; more than this is not ours.
LIMIT = 4 * 1024 * 1024
_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """A change that has not been undone. finished: whether it is known to have happened in full. boot: the
    boot it happened in.
    """

    id: str
    step: str
    effect: Effect
    boot: str
    at: str
    finished: bool


def token() -> str:
    """16 hex digits that nobody else has."""
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
        entry = Entry(token(), step, effect, boot, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), False)
        self._append(_begin_line(entry))
        return entry

    def done(self, entry: Entry, effect: Effect) -> Entry:
        """The change is made; `effect` is what is known now."""
        self._append({"event": "done", "id": entry.id, "effect": to_json(effect)})
        return replace(entry, effect=effect, finished=True)

    def undone(self, entry: Entry) -> None:
        """The change is taken back, or never happened."""
        self._append({"event": "undone", "id": entry.id})

    def tidy(self) -> None:
        """Keep only what can still be undone; without anything left, no file."""
        with contextlib.suppress(FileNotFoundError):
            self._new.unlink()
        data = self._read()
        if data is None:
            return
        entries = parse(data, str(self.path))
        if not entries:
            self.path.unlink()
        elif data.count(b"\n") > 2 * len(entries):
            self._rewrite(entries)

    @property
    def _new(self) -> Path:
        return self.path.with_name(f"{self.path.name}.new")

    # -- the file ------------------------------------------------------------------------------------------------

    def _rewrite(self, entries: Iterable[Entry]) -> None:
        lines: list[dict[str, Json]] = []
        for entry in entries:
            lines.append(_begin_line(entry))
            if entry.finished:
                lines.append({"event": "done", "id": entry.id, "effect": to_json(entry.effect)})
        fd = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            _write_all(fd, b"".join(map(_encoded, lines)))
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(self._new, self.path)
        _sync_directory(self.path.parent)

    def _read(self) -> bytes | None:
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error("cannot be opened", error) from None
        try:
            _trusted(fd, self.path)
            data = b""
            while chunk := os.read(fd, 1 << 16):
                data += chunk
                if len(data) > LIMIT:
                    raise self._error(f"has more than {LIMIT} bytes")
            return data
        except OSError as error:
            raise self._error("cannot be read", error) from None
        finally:
            os.close(fd)

    def _append(self, line: dict[str, Json]) -> None:
        """Write one line, synced; where that fails, the file is as before."""
        try:
            fd = os.open(
                self.path,
                os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC,
                0o600,
            )
        except OSError as error:
            raise self._error("cannot be written", error) from None
        try:
            _trusted(fd, self.path)
            end = _end_of_lines(fd)
            try:
                os.ftruncate(fd, end)
                os.lseek(fd, end, os.SEEK_SET)
                _write_all(fd, _encoded(line))
                os.fsync(fd)
                if end == 0:
                    _sync_directory(self.path.parent)
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
            text += f": {os.strerror(error.errno or 0)}"
        return FixError(text, "nothing is changed without a journal, so that everything can be undone")


def _begin_line(entry: Entry) -> dict[str, Json]:
    return {
        "event": "begin",
        "version": VERSION,
        "id": entry.id,
        "step": entry.step,
        "boot": entry.boot,
        "at": entry.at,
        "effect": to_json(entry.effect),
    }


def _encoded(line: dict[str, Json]) -> bytes:
    # ASCII only: paths that are not UTF-8 survive as escaped surrogates.
    return json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n"


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _end_of_lines(fd: int) -> int:
    """Where the last whole line ends."""
    size = os.fstat(fd).st_size
    position = size
    while position > 0:
        step = min(4096, position)
        chunk = os.pread(fd, step, position - step)
        found = chunk.rfind(b"\n")
        if found >= 0:
            return position - step + found + 1
        position -= step
    return 0


def _trusted(fd: int, path: Path) -> None:
    """Raise FixError for a file that somebody else could have written."""
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


# -- reading -----------------------------------------------------------------------------------------------------


def parse(data: bytes, where: str) -> tuple[Entry, ...]:
    """The entries of a journal that are not undone. Raises FixError with the number of the line that is
    wrong.
    """
    live: dict[str, Entry] = {}
    *lines, _torn = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        try:
            _take(json.loads(line), live)
        except (ValueError, RecursionError) as error:
            problem = str(error) if isinstance(error, BadEffect) else "not what kdiag writes"
            raise FixError(
                f"{where}: line {number}: {problem}",
                "the journal is damaged: undo by hand what it lists, then remove it",
            ) from None
    return tuple(live.values())


def _take(line: Json, live: dict[str, Entry]) -> None:
    if not isinstance(line, dict):
        raise BadEffect("not an object")
    event, name = line.get("event"), line.get("id")
    if not isinstance(name, str) or _ID.fullmatch(name) is None:
        raise BadEffect("no id")
    if event == "begin":
        if line.get("version") != VERSION:
            raise BadEffect("written by another version of kdiag, which can undo it")
        step, boot, at = line.get("step"), line.get("boot"), line.get("at")
        if not isinstance(step, str) or not isinstance(boot, str) or not isinstance(at, str) or name in live:
            raise BadEffect("not a beginning")
        live[name] = Entry(name, step, from_json(line.get("effect")), boot, at, False)
    elif event == "done" and name in live:
        effect = from_json(line.get("effect"))
        if effect.kind != live[name].effect.kind:
            raise BadEffect("the end of something else")
        live[name] = replace(live[name], effect=effect, finished=True)
    elif event == "undone" and name in live:
        del live[name]
    else:
        raise BadEffect("an event that kdiag does not write here")
