"""A machine played back: `recording.json` and the files below `root/`, in a directory or in memory.

What the recording does not hold is `Unavailable("not recorded")`; it is never topped up from the live
machine. A person can write one by hand: a file below `root/` exists, `absent` names what does not (a name
ending in `/**` means everything below it), and all else is optional.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO, cast

from kdiag.parse.compression import decompress
from kdiag.parse.errors import ParseError
from kdiag.system.base import READ_LIMIT, CommandResult, Identity, ProbeResult, Stat, Uname, Unavailable
from kdiag.system.recording_files import Directory, Partial, Store
from kdiag.system.recording_index import (
    FILE_LIMIT,
    INDEX_LIMIT,
    SCHEMA,
    BadRecording,
    Index,
    Json,
    read_index,
)

__all__ = ["INDEX_LIMIT", "SCHEMA", "BadRecording", "Index", "Json", "Recording", "read_index"]

#: Links behind one path, include/linux/namei.h, MAXSYMLINKS.
_MAX_LINKS = 40


class Recording:
    """A recorded machine as a `System`. Raises BadRecording if it is none."""

    def __init__(self, directory: str | Path | Store) -> None:
        self._store = Directory(directory) if isinstance(directory, str | Path) else directory
        name = f"{self._store.where}/recording.json"
        size = self._store.size("recording.json")
        if size is None:
            raise BadRecording(f"{name}: there is no such file, so this is not a recording")
        if size > INDEX_LIMIT:
            raise BadRecording(f"{name}: larger than {INDEX_LIMIT} bytes")
        self._index = read_index(self._store.read("recording.json"), name)
        self._unpacked = self._unpack(name)

    def _unpack(self, where: str) -> dict[str, bytes]:
        """The files that are stored compressed. At once, so that damage is told before anything is judged."""
        if sum(self._index.packed.values()) > FILE_LIMIT:
            raise BadRecording(f"{where}: packed: more than {FILE_LIMIT} bytes in all")
        unpacked: dict[str, bytes] = {}
        for path, size in self._index.packed.items():
            name = f"root{path}.xz"
            if self._store.size(name) is None:
                raise BadRecording(f"{where}: packed[{path!a:.80}]: there is no file {name!a:.80}")
            try:
                unpacked[path] = decompress(self._store.read(name), limit=size)
            except ParseError as error:
                raise BadRecording(f"{self._store.where}/{name}: {error}") from None
            if len(unpacked[path]) != size:
                raise BadRecording(
                    f"{self._store.where}/{name}: unpacks to {len(unpacked[path])} bytes, not {size}"
                )
        return unpacked

    @property
    def root(self) -> str:
        return self._index.system_root

    @property
    def live(self) -> bool:
        return False

    @property
    def reduced(self) -> frozenset[str]:
        """The files of which only a part was recorded."""
        return self._index.reduced

    @property
    def collector(self) -> str:
        """The version of the collector that made it, "" if none did."""
        return self._index.collector

    def _size(self, path: str) -> int | None:
        """Bytes of the file that stands for `path`, None if the recording holds none."""
        if path in self._unpacked:
            return len(self._unpacked[path])
        return self._store.size(f"root{path}") if path.startswith("/") else None

    def _data(self, path: str) -> bytes:
        if path in self._unpacked:
            return self._unpacked[path]
        if (self._size(path) or 0) > FILE_LIMIT:
            raise Unavailable(f"{path}: more than the {FILE_LIMIT} bytes that a recording may hold")
        return self._store.read(f"root{path}")

    def _missing(self, path: str, question: str = "") -> None:
        """Return if `path` is known to be absent, raise Unavailable otherwise."""
        index = self._index
        own = f"{question} {path}"
        if own in index.unavailable:
            raise Unavailable(*index.unavailable[own])
        if own in index.absent:
            return
        if path in index.unavailable:
            raise Unavailable(*index.unavailable[path])
        if path in index.absent or any(path.startswith(below) for below in index.absent_below):
            return
        parent, _, name = path.rpartition("/")
        while parent:
            if parent in index.absent:
                return
            if parent in index.listings:
                if name not in index.listings[parent]:
                    return
                break
            parent, _, name = parent.rpartition("/")
        raise Unavailable(f"{path}: not recorded")

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes | None:
        size = self._size(path)
        if size is None or path in self._index.heads:
            self._missing_or_head(path)
            return None
        if size > limit:
            raise Unavailable(f"{path}: more than {limit} bytes")
        return self._data(path)

    def _missing_or_head(self, path: str) -> None:
        if path in self._index.heads and path not in self._index.unavailable:
            raise Unavailable(f"{path}: only its first {self._index.heads[path]} bytes were recorded")
        self._missing(path, "read")

    def head(self, path: str, size: int) -> bytes | None:
        stored = self._size(path)
        if stored is None:
            self._missing(path, "head")
            return None
        kept = self._index.heads.get(path)
        # Fewer bytes than were asked for then: the file has no more.
        if kept is not None and size > kept <= stored:
            raise Unavailable(f"{path}: only its first {kept} bytes were recorded")
        return self._data(path)[:size]

    def open(self, path: str) -> BinaryIO | None:
        pieces = self._index.pieces.get(path)
        if pieces is None:
            data = self.read(path)
            return None if data is None else io.BytesIO(data)
        name = f"root{path}.pieces"
        length = sum(size for _, size in pieces.ranges)
        if self._store.size(name) != length:
            raise Unavailable(f"{path}: its recorded pieces are not the {length} bytes that they should be")
        stored, at = self._store.read(name), 0
        ranges: list[tuple[int, bytes]] = []
        for offset, size in pieces.ranges:
            ranges.append((offset, stored[at : at + size]))
            at += size
        for offset, twin in pieces.shared:
            if self._size(twin) is None:
                raise Unavailable(f"{path}: not recorded, nor is {twin}, which is a part of it")
            ranges.append((offset, self._data(twin)))
        return cast("BinaryIO", Partial(path, pieces.size, ranges))

    def stat(self, path: str) -> Stat | None:
        return self._stat(path, _MAX_LINKS)

    def _stat(self, path: str, links: int) -> Stat | None:
        """What stat(2) said, or else what lies behind the link that lstat(2) saw."""
        index, key = self._index, f"{path} ->"
        if key in index.stats:
            return index.stats[key]
        if key in index.unavailable:
            raise Unavailable(*index.unavailable[key])
        if key in index.absent:
            return None
        known = index.stats.get(path)
        if known is None or known.kind != "link":
            return self.lstat(path)
        if not known.target or not links:
            raise Unavailable(f"{path}: what its link leads to was not recorded")
        return self._stat(_joined(path.rpartition("/")[0], known.target), links - 1)

    def lstat(self, path: str) -> Stat | None:
        if path in self._index.stats:
            return self._index.stats[path]
        known = path in self._index.unavailable or path in self._index.absent
        size = None if known else self._size(path)
        if size is not None and path not in self._index.heads:
            return Stat("file", 0o644, 0, 0, size)
        if path in self._index.listings and not known:
            return Stat("dir", 0o755, 0, 0, 0)
        self._missing(path, "lstat")
        return None

    def listdir(self, path: str) -> tuple[str, ...] | None:
        if path in self._index.listings:
            return self._index.listings[path]
        self._missing(path, "listdir")
        return None

    def filesystem(self, path: str) -> int | None:
        if path in self._index.filesystems:
            return self._index.filesystems[path]
        self._missing(path, "statfs")
        return None

    def _not_recorded(self, key: str, name: str) -> Unavailable:
        """Why there is no answer that is not about a path."""
        return Unavailable(*self._index.unavailable.get(key, (f"{name}: not recorded", None)))

    def which(self, name: str) -> str | None:
        if name not in self._index.which:
            raise self._not_recorded(f"which {name}", name)
        return self._index.which[name]

    def start(self, argv: tuple[str, ...], timeout: float = 10.0) -> None:
        del argv, timeout

    def run(self, argv: tuple[str, ...], timeout: float = 10.0) -> CommandResult:
        del timeout
        outcome = self._index.commands.get(argv)
        if outcome is None:
            why = "the collector runs no programs" if self.collector else "not recorded"
            raise Unavailable(f"{' '.join(argv)}: {why}")
        if isinstance(outcome, Unavailable):
            raise Unavailable(outcome.reason, outcome.errno)
        return outcome

    def probe(self, name: str) -> ProbeResult:
        if name not in self._index.probes:
            if self.collector:
                raise Unavailable(f"{name}: a system call, which the collector cannot make")
            raise self._not_recorded(f"probe {name}", name)
        return self._index.probes[name]

    def env(self, name: str) -> str | None:
        if name not in self._index.env:
            raise self._not_recorded(f"${name}", f"${name}")
        return self._index.env[name]

    def distribution(self) -> tuple[str, str, str] | None:
        if not self._index.distribution_known:
            raise self._not_recorded("distribution", "release files of the distribution")
        return self._index.distribution

    def uname(self) -> Uname:
        if self._index.uname is None:
            raise self._not_recorded("uname", "uname")
        return self._index.uname

    def identity(self) -> Identity:
        if self._index.identity is None:
            raise self._not_recorded("identity", "identity")
        return self._index.identity


def _joined(directory: str, target: str) -> str:
    """Where a link in `directory` leads, by its text alone: the links above it were followed before."""
    done: list[str] = []
    for part in (target if target.startswith("/") else f"{directory}/{target}").split("/"):
        if part == "..":
            done = done[:-1]
        elif part not in ("", "."):
            done.append(part)
    return "/" + "/".join(done)
