"""A machine played back from a directory: `recording.json` and the files below `root/`.

What the recording does not hold is `Unavailable("not recorded")`; it is never topped up from the live
machine. A person can write one by hand: a file below `root/` exists, `absent` names what does not (a name
ending in `/**` means everything below it), and all else is optional.
"""

from __future__ import annotations

import io
import json
import os
import stat as stat_bits
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kdiag.system.base import READ_LIMIT, CommandResult, Identity, ProbeResult, Stat, Uname, Unavailable

SCHEMA = "kdiag.recording/1"
#: recording.json of a real machine has some 20 kB.
INDEX_LIMIT = 16 * 1024 * 1024

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


class BadRecording(ValueError):
    """The directory is not a recording; the message names the file and the place."""


def _table(index: dict[str, Json], key: str, where: str) -> dict[str, Json]:
    value = index.get(key, {})
    if not isinstance(value, dict):
        raise BadRecording(f"{where}: `{key}` must be an object")
    return value


def _number(value: Json, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadRecording(f"{where} must be a whole number, not {value!r:.60}")
    return value


def _text(value: Json, where: str) -> str:
    if not isinstance(value, str):
        raise BadRecording(f"{where} must be a string, not {value!r:.60}")
    return value


def _list(value: Json, where: str) -> list[Json]:
    if not isinstance(value, list):
        raise BadRecording(f"{where} must be a list, not {value!r:.60}")
    return value


@dataclass(frozen=True, slots=True)
class Index:
    """recording.json, validated."""

    absent: frozenset[str]
    absent_below: tuple[str, ...]
    unavailable: dict[str, tuple[str, int | None]]
    stats: dict[str, Stat]
    listings: dict[str, tuple[str, ...]]
    filesystems: dict[str, int]
    commands: dict[tuple[str, ...], CommandResult | Unavailable]
    which: dict[str, str | None]
    probes: dict[str, ProbeResult]
    env: dict[str, str | None]
    uname: Uname | None
    identity: Identity | None
    system_root: str
    distribution: tuple[str, str, str] | None
    distribution_known: bool


def read_index(raw: bytes, where: str) -> Index:
    """Validate recording.json. Raises BadRecording with the place."""
    try:
        index = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadRecording(f"{where}: not JSON: {error}") from None
    if not isinstance(index, dict) or index.get("schema") != SCHEMA:
        found = index.get("schema") if isinstance(index, dict) else None
        raise BadRecording(f"{where}: `schema` must be {SCHEMA!r}, not {found!r}")
    absent = [_text(p, f"{where}: absent[]") for p in _list(index.get("absent", []), f"{where}: absent")]
    return Index(
        absent=frozenset(p for p in absent if not p.endswith("/**")),
        absent_below=tuple(p[:-2] for p in absent if p.endswith("/**")),
        unavailable={
            p: _unavailable(v, f"{where}: unavailable[{p!r}]")
            for p, v in _table(index, "unavailable", where).items()
        },
        stats={p: _stat(v, f"{where}: stats[{p!r}]") for p, v in _table(index, "stats", where).items()},
        listings={
            p: tuple(_text(n, f"{where}: listings[{p!r}][]") for n in _list(v, f"{where}: listings[{p!r}]"))
            for p, v in _table(index, "listings", where).items()
        },
        filesystems={
            p: _number(v, f"{where}: filesystems[{p!r}]")
            for p, v in _table(index, "filesystems", where).items()
        },
        commands=dict(
            _command(c, f"{where}: commands[{i}]")
            for i, c in enumerate(_list(index.get("commands", []), where))
        ),
        which={
            n: None if v is None else _text(v, f"{where}: which[{n!r}]")
            for n, v in _table(index, "which", where).items()
        },
        probes={n: _probe(v, f"{where}: probes[{n!r}]") for n, v in _table(index, "probes", where).items()},
        env={
            n: None if v is None else _text(v, f"{where}: env[{n!r}]")
            for n, v in _table(index, "env", where).items()
        },
        uname=_uname(index.get("uname"), where),
        identity=_identity(index.get("identity"), where),
        system_root=_text(index.get("root", "/"), f"{where}: root"),
        distribution=_distribution(index.get("distribution"), where),
        distribution_known="distribution" in index,
    )


def _unavailable(value: Json, where: str) -> tuple[str, int | None]:
    if not isinstance(value, dict):
        raise BadRecording(f"{where} must be an object with `reason`")
    number = value.get("errno")
    return _text(value.get("reason"), f"{where}.reason"), None if number is None else _number(
        number, f"{where}.errno"
    )


def _stat(value: Json, where: str) -> Stat:
    if not isinstance(value, dict):
        raise BadRecording(f"{where} must be an object")
    mode = _text(value.get("mode", "0644"), f"{where}.mode")
    target = value.get("target")
    try:
        bits = int(mode, 8)
    except ValueError:
        raise BadRecording(f"{where}.mode must be octal digits, not {mode!r:.40}") from None
    return Stat(
        _text(value.get("kind", "file"), f"{where}.kind"),
        bits,
        _number(value.get("uid", 0), f"{where}.uid"),
        _number(value.get("gid", 0), f"{where}.gid"),
        _number(value.get("size", 0), f"{where}.size"),
        None if target is None else _text(target, f"{where}.target"),
    )


def _command(value: Json, where: str) -> tuple[tuple[str, ...], CommandResult | Unavailable]:
    if not isinstance(value, dict):
        raise BadRecording(f"{where} must be an object")
    argv = tuple(_text(a, f"{where}.argv[]") for a in _list(value.get("argv"), f"{where}.argv"))
    if "unavailable" in value:
        return argv, Unavailable(_text(value["unavailable"], f"{where}.unavailable"))
    return argv, CommandResult(
        argv,
        _number(value.get("status", 0), f"{where}.status"),
        _text(value.get("stdout", ""), f"{where}.stdout"),
        _text(value.get("stderr", ""), f"{where}.stderr"),
    )


def _probe(value: Json, where: str) -> ProbeResult:
    if not isinstance(value, dict):
        raise BadRecording(f"{where} must be an object with `errno`")
    return ProbeResult(
        _number(value.get("errno"), f"{where}.errno"), _text(value.get("detail", ""), f"{where}.detail")
    )


def _uname(value: Json, where: str) -> Uname | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise BadRecording(f"{where}: uname must be an object")
    part = {
        k: _text(value.get(k, ""), f"{where}: uname.{k}")
        for k in ("sysname", "release", "version", "machine")
    }
    return Uname(part["sysname"] or "Linux", part["release"], part["version"], part["machine"])


def _identity(value: Json, where: str) -> Identity | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise BadRecording(f"{where}: identity must be an object")
    memlock = [
        _number(n, f"{where}: identity.memlock[]")
        for n in _list(value.get("memlock", [-1, -1]), f"{where}: identity.memlock")
    ]
    if len(memlock) != 2:
        raise BadRecording(f"{where}: identity.memlock must hold two numbers")
    uid = _number(value.get("uid", 0), f"{where}: identity.uid")
    return Identity(
        uid,
        _number(value.get("euid", uid), f"{where}: identity.euid"),
        tuple(
            _number(g, f"{where}: identity.groups[]")
            for g in _list(value.get("groups", []), f"{where}: identity.groups")
        ),
        (memlock[0], memlock[1]),
        _text(value.get("interpreter", ""), f"{where}: identity.interpreter"),
    )


def _distribution(value: Json, where: str) -> tuple[str, str, str] | None:
    if value is None:
        return None
    parts = [_text(v, f"{where}: distribution[]") for v in _list(value, f"{where}: distribution")]
    if len(parts) != 3:
        raise BadRecording(f"{where}: distribution must hold id, version and name")
    return parts[0], parts[1], parts[2]


class Recording:
    """A recorded machine as a `System`."""

    def __init__(self, directory: str | Path) -> None:
        self._directory = Path(directory)
        index = self._directory / "recording.json"
        try:
            if index.stat().st_size > INDEX_LIMIT:
                raise BadRecording(f"{index}: larger than {INDEX_LIMIT} bytes")
            raw = index.read_bytes()
        except OSError as error:
            raise BadRecording(f"{index}: {os.strerror(error.errno or 0)}") from None
        self._index = read_index(raw, str(index))

    @property
    def root(self) -> str:
        return self._index.system_root

    @property
    def live(self) -> bool:
        return False

    def _stored(self, path: str) -> Path | None:
        """The file that stands for `path`, if the recording holds one as a regular file of its own."""
        if not path.startswith("/") or "\0" in path or ".." in path.split("/"):
            return None
        base = self._directory / "root"
        stored = base / path.lstrip("/")
        try:
            # A recording may come from a stranger: no link in it may lead out of it.
            if stat_bits.S_ISREG(stored.lstat().st_mode) and stored.resolve().is_relative_to(base.resolve()):
                return stored
        except OSError:
            pass
        return None

    def _missing(self, path: str) -> None:
        """Return if `path` is known to be absent, raise Unavailable otherwise."""
        index = self._index
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
        stored = self._stored(path)
        if stored is None:
            self._missing(path)
            return None
        if stored.stat().st_size > limit:
            raise Unavailable(f"{path}: more than {limit} bytes")
        return stored.read_bytes()

    def head(self, path: str, size: int) -> bytes | None:
        data = self.read(path)
        return None if data is None else data[:size]

    def open(self, path: str) -> BinaryIO | None:
        data = self.read(path)
        return None if data is None else io.BytesIO(data)

    def stat(self, path: str) -> Stat | None:
        return self._any_stat(path, follow=True)

    def lstat(self, path: str) -> Stat | None:
        return self._any_stat(path, follow=False)

    def _any_stat(self, path: str, *, follow: bool) -> Stat | None:
        for key in (path + " ->", path) if follow else (path,):
            if key in self._index.stats:
                return self._index.stats[key]
            if key in self._index.unavailable:
                raise Unavailable(*self._index.unavailable[key])
            if key in self._index.absent:
                return None
        stored = self._stored(path)
        if stored is not None:
            return Stat("file", 0o644, 0, 0, stored.stat().st_size)
        if path in self._index.listings:
            return Stat("dir", 0o755, 0, 0, 0)
        self._missing(path)
        return None

    def listdir(self, path: str) -> tuple[str, ...] | None:
        if path in self._index.listings:
            return self._index.listings[path]
        self._missing(path)
        return None

    def filesystem(self, path: str) -> int | None:
        if path in self._index.filesystems:
            return self._index.filesystems[path]
        self._missing(path)
        return None

    def which(self, name: str) -> str | None:
        if name not in self._index.which:
            raise Unavailable(f"{name}: not recorded")
        return self._index.which[name]

    def start(self, argv: tuple[str, ...], timeout: float = 10.0) -> None:
        del argv, timeout

    def run(self, argv: tuple[str, ...], timeout: float = 10.0) -> CommandResult:
        del timeout
        outcome = self._index.commands.get(argv)
        if outcome is None:
            raise Unavailable(f"{' '.join(argv)}: not recorded")
        if isinstance(outcome, Unavailable):
            raise Unavailable(outcome.reason, outcome.errno)
        return outcome

    def probe(self, name: str) -> ProbeResult:
        if name not in self._index.probes:
            raise Unavailable(f"{name}: not recorded")
        return self._index.probes[name]

    def env(self, name: str) -> str | None:
        if name not in self._index.env:
            raise Unavailable(f"${name}: not recorded")
        return self._index.env[name]

    def distribution(self) -> tuple[str, str, str] | None:
        if not self._index.distribution_known:
            raise Unavailable("release files of the distribution: not recorded")
        return self._index.distribution

    def uname(self) -> Uname:
        if self._index.uname is None:
            raise Unavailable("uname: not recorded")
        return self._index.uname

    def identity(self) -> Identity:
        if self._index.identity is None:
            raise Unavailable("identity: not recorded")
        return self._index.identity
