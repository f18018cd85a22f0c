"""A system that notes every question and answer on the way through, and writes them down as a recording."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from kdiag.system.base import (
    READ_LIMIT,
    CommandResult,
    Identity,
    ProbeResult,
    Stat,
    System,
    Uname,
    Unavailable,
)
from kdiag.system.recording_files import Noted, merged
from kdiag.system.recording_index import SCHEMA, Json
from kdiag.trust import write

T = TypeVar("T")

#: The magic number of BTF in both byte orders, include/uapi/linux/btf.h.
_BTF = (b"\x9f\xeb", b"\xeb\x9f")


class Recorder:
    """Passes every question on to `system` and keeps the answer.

    files: by path, what was read of them (`heads`: only so many bytes); read_pieces: the same for files that were
    opened, (offset, bytes) each, with their sizes.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self.files: dict[str, bytes] = {}
        self.heads: dict[str, int] = {}
        self.read_pieces: dict[str, tuple[int, dict[int, bytes]]] = {}
        self.absent: set[str] = set()
        self.unavailable: dict[str, dict[str, Json]] = {}
        self.stats: dict[str, dict[str, Json]] = {}
        self.listings: dict[str, list[Json]] = {}
        self.filesystems: dict[str, Json] = {}
        self.commands: dict[tuple[str, ...], dict[str, Json]] = {}
        self.which_table: dict[str, Json] = {}
        self.probes: dict[str, Json] = {}
        self.env_table: dict[str, Json] = {}
        self.identity_table: dict[str, Json] | None = None
        self.uname_table: dict[str, Json] | None = None
        self.distribution_table: dict[str, Json] = {}

    @property
    def root(self) -> str:
        return self._system.root

    @property
    def live(self) -> bool:
        return self._system.live

    def _ask(self, key: str, question: Callable[[], T | None], name: str = "") -> T | None:
        """Ask about a path. `name` tells this question from others about the same path with other refusals."""
        try:
            answer = question()
        except Unavailable as gap:
            known = _gap(gap)
            if key in self.absent or self.unavailable.get(key, known) != known:
                key = f"{name} {key}"
            self.unavailable[key] = known
            raise
        if answer is None:
            self.absent.add(f"{name} {key}" if key in self.unavailable else key)
        return answer

    def _noted(self, key: str, question: Callable[[], T]) -> T:
        """Ask something that is not about a path; why there is no answer is kept under `key`."""
        try:
            return question()
        except Unavailable as gap:
            self.unavailable[key] = _gap(gap)
            raise

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes | None:
        answer = self._ask(path, lambda: self._system.read(path, limit), "read")
        if answer is not None:
            self.files[path] = answer
            self.heads.pop(path, None)
        return answer

    def head(self, path: str, size: int) -> bytes | None:
        answer = self._ask(path, lambda: self._system.head(path, size), "head")
        if answer is not None and size > self.heads.get(path, -1 if path not in self.files else size):
            self.files[path] = answer
            self.heads[path] = size
        return answer

    def open(self, path: str) -> BinaryIO | None:
        answer = self._ask(path, lambda: self._system.open(path), "open")
        if answer is None:
            return None
        size = answer.seek(0, io.SEEK_END)
        answer.seek(0)
        _, notes = self.read_pieces.setdefault(path, (size, {}))
        return cast("BinaryIO", Noted(cast("io.BufferedIOBase", answer), notes))

    def stat(self, path: str) -> Stat | None:
        # A link has two answers; the one behind it goes under a key of its own.
        answer = self._ask(path + " ->", lambda: self._system.stat(path))
        if answer is not None:
            self.stats[path + " ->"] = _stat(answer)
        return answer

    def lstat(self, path: str) -> Stat | None:
        answer = self._ask(path, lambda: self._system.lstat(path), "lstat")
        if answer is not None:
            self.stats[path] = _stat(answer)
        return answer

    def listdir(self, path: str) -> tuple[str, ...] | None:
        answer = self._ask(path, lambda: self._system.listdir(path), "listdir")
        if answer is not None:
            self.listings[path] = list(answer)
        return answer

    def filesystem(self, path: str) -> int | None:
        answer = self._ask(path, lambda: self._system.filesystem(path), "statfs")
        if answer is not None:
            self.filesystems[path] = answer
        return answer

    def which(self, name: str) -> str | None:
        answer = self._noted(f"which {name}", lambda: self._system.which(name))
        self.which_table[name] = answer
        return answer

    def start(self, argv: tuple[str, ...], timeout: float = 10.0) -> None:
        self._system.start(argv, timeout)

    def run(self, argv: tuple[str, ...], timeout: float = 10.0) -> CommandResult:
        try:
            answer = self._system.run(argv, timeout)
        except Unavailable as gap:
            self.commands[argv] = {"argv": list(argv), "unavailable": gap.reason, "errno": gap.errno}
            raise
        self.commands[argv] = {
            "argv": list(argv),
            "status": answer.status,
            "stdout": answer.stdout,
            "stderr": answer.stderr,
        }
        return answer

    def probe(self, name: str) -> ProbeResult:
        answer = self._noted(f"probe {name}", lambda: self._system.probe(name))
        self.probes[name] = {"errno": answer.errno, "detail": answer.detail}
        return answer

    def env(self, name: str) -> str | None:
        answer = self._noted(f"${name}", lambda: self._system.env(name))
        self.env_table[name] = answer
        return answer

    def distribution(self) -> tuple[str, str, str] | None:
        answer = self._noted("distribution", self._system.distribution)
        self.distribution_table = {"distribution": None if answer is None else list(answer)}
        return answer

    def uname(self) -> Uname:
        answer = self._noted("uname", self._system.uname)
        self.uname_table = {
            "sysname": answer.sysname,
            "release": answer.release,
            "version": answer.version,
            "machine": answer.machine,
        }
        return answer

    def identity(self) -> Identity:
        answer = self._noted("identity", self._system.identity)
        self.identity_table = {
            "uid": answer.uid,
            "euid": answer.euid,
            "groups": list(answer.groups),
            "memlock": list(answer.memlock),
            "interpreter": answer.interpreter,
        }
        return answer

    def index(self) -> dict[str, Json]:
        """recording.json as a value."""
        pieces: dict[str, Json] = {}
        for path, (size, notes) in sorted(self.read_pieces.items()):
            shared = self._shared(notes)
            ranges, _ = merged({at: data for at, data in notes.items() if at not in shared})
            pieces[path] = {
                "size": size,
                "ranges": [[*pair] for pair in ranges],
                "shared": [[at, twin] for at, twin in sorted(shared.items())],
            }
        return {
            "schema": SCHEMA,
            "root": self.root,
            **self.distribution_table,
            "uname": self.uname_table,
            "identity": self.identity_table,
            "env": dict(sorted(self.env_table.items())),
            "absent": [*sorted(self.absent)],
            "unavailable": dict(sorted(self.unavailable.items())),
            "stats": dict(sorted(self.stats.items())),
            "listings": dict(sorted(self.listings.items())),
            "filesystems": dict(sorted(self.filesystems.items())),
            "which": dict(sorted(self.which_table.items())),
            "probes": dict(sorted(self.probes.items())),
            "commands": [self.commands[k] for k in sorted(self.commands)],
            "heads": dict(sorted(self.heads.items())),
            "pieces": pieces,
        }

    def stored(self) -> dict[str, bytes]:
        """The files to store, by their names in the recording."""
        files = {f"root{path}": data for path, data in self.files.items()}
        for path, (_, notes) in self.read_pieces.items():
            shared = self._shared(notes)
            files[f"root{path}.pieces"] = merged({at: d for at, d in notes.items() if at not in shared})[1]
        return files

    def _shared(self, notes: dict[int, bytes]) -> dict[int, str]:
        """The readings that are BTF which is recorded already, with its path: it is stored once."""
        whole = {
            path: data for path, data in self.files.items() if data[:2] in _BTF and path not in self.heads
        }
        twins = ((at, path) for at, read in notes.items() for path, data in whole.items() if read == data)
        return dict(twins)

    def write(self, directory: str | Path) -> None:
        """Write the recording as it is, neither redacted nor packed, into an empty or new directory."""
        index = json.dumps(self.index(), indent=1) + "\n"
        write.tree(str(directory), {**self.stored(), "recording.json": index.encode()})


def _gap(gap: Unavailable) -> dict[str, Json]:
    return {"reason": gap.reason, "errno": gap.errno}


def _stat(info: Stat) -> dict[str, Json]:
    known: dict[str, Json] = {
        "kind": info.kind,
        "mode": f"{info.mode:04o}",
        "uid": info.uid,
        "gid": info.gid,
        "size": info.size,
    }
    if info.target is not None:
        known["target"] = info.target
    return known
