"""recording.json: what it may say, and the way from its text to typed values.

All keys but `schema` are optional, so that a person can write one by hand. Every value is checked here, once:
a recording is untrusted, and what is wrong is named with its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from kdiag.system.base import CommandResult, Identity, ProbeResult, Stat, Uname, Unavailable
from kdiag.words import found_instead

SCHEMA = "kdiag.recording/1"
#: recording.json of a real machine has some 40 kB.
INDEX_LIMIT = 16 * 1024 * 1024
#: The most that one stored file may hold, unpacked, and all packed ones together.
FILE_LIMIT = 256 * 1024 * 1024

_KINDS = frozenset({"file", "dir", "link", "fifo", "socket", "char", "block", "unknown"})

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
T = TypeVar("T")


class BadRecording(ValueError):
    """Not a recording, or not a sound one; the message names the file and the place."""


class Pieces(NamedTuple):
    """A file of which only some ranges are stored. size: of the whole; ranges: (offset, length), ascending;
    shared: (offset, path) where another recorded file is what stands there: a vmlinux holds the BTF of sysfs.
    """

    size: int
    ranges: tuple[tuple[int, int], ...]
    shared: tuple[tuple[int, str], ...] = ()


class Index(NamedTuple):
    """recording.json, validated.

    unavailable: reason and errno by path, by `read PATH` where one question had an answer of its own, and by
    `$NAME`, `which NAME`, `probe NAME`, `uname`, `identity`, `distribution`. heads: files of which only the
    first bytes are stored. packed: files stored xz-compressed as `PATH.xz`, with their own size. reduced: files
    of which a part was kept. collector: the version of the shell program that made it, "" for `kdiag record`.
    """

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
    heads: dict[str, int]
    packed: dict[str, int]
    pieces: dict[str, Pieces]
    reduced: frozenset[str] = frozenset()
    collector: str = ""


def read_index(raw: bytes, where: str) -> Index:
    """Validate recording.json. Raises BadRecording with the place."""
    index = _parsed(raw, where)
    absent = [
        text(p, f"{where}: absent[{i}]")
        for i, p in enumerate(_list(index.get("absent", []), f"{where}: absent"))
    ]

    def each(key: str, read: Callable[[Json, str], T]) -> dict[str, T]:
        values = index.get(key, {})
        if not isinstance(values, dict):
            raise BadRecording(f"{where}: `{key}` must be an object, not {found_instead(values)}")
        return {name: read(value, f"{where}: {key}[{name!a:.80}]") for name, value in values.items()}

    commands = _list(index.get("commands", []), f"{where}: commands")
    return Index(
        absent=frozenset(p for p in absent if not p.endswith("/**")),
        absent_below=tuple(p[:-2] for p in absent if p.endswith("/**")),
        unavailable=each("unavailable", _unavailable),
        stats=each("stats", _stat),
        listings=each("listings", _texts),
        filesystems=each("filesystems", _size),
        commands=dict(_command(c, f"{where}: commands[{i}]") for i, c in enumerate(commands)),
        which=each("which", _text_or_none),
        probes=each("probes", _probe),
        env=each("env", _text_or_none),
        uname=_uname(index.get("uname"), f"{where}: uname"),
        identity=_identity(index.get("identity"), f"{where}: identity"),
        system_root=text(index.get("root", "/"), f"{where}: root"),
        distribution=_distribution(index.get("distribution"), f"{where}: distribution"),
        distribution_known="distribution" in index,
        heads=each("heads", _size),
        packed=each("packed", _file_size),
        pieces=each("pieces", _pieces),
        reduced=frozenset(each("reduced", text)),
        collector=text(index.get("collector", ""), f"{where}: collector"),
    )


def _parsed(raw: bytes, where: str) -> dict[str, Json]:
    if len(raw) > INDEX_LIMIT:
        raise BadRecording(f"{where}: larger than {INDEX_LIMIT} bytes")
    try:
        index = json.loads(raw, parse_int=_digits, parse_constant=_no_constant)
    except RecursionError:
        raise BadRecording(f"{where}: nested too deeply") from None
    except UnicodeDecodeError as error:
        raise BadRecording(f"{where}: not UTF-8 at byte {error.start}") from None
    except ValueError as error:
        raise BadRecording(f"{where}: not JSON: {error}") from None
    schema = index.get("schema") if isinstance(index, dict) else None
    if isinstance(index, dict) and schema == SCHEMA:
        return index
    newer = re.fullmatch(r"kdiag\.recording/([0-9]{1,6})", schema) if isinstance(schema, str) else None
    if newer and int(newer[1]) > int(SCHEMA.rpartition("/")[2]):
        raise BadRecording(
            f"{where}: schema {newer[0]} is newer than this kdiag, which reads {SCHEMA}: update kdiag"
        )
    raise BadRecording(f"{where}: `schema` must be {SCHEMA!r}, not {found_instead(schema)}")


def _digits(number: str) -> int:
    # Converting millions of digits takes Python hours.
    if len(number) > 40:
        raise ValueError(f"a number of {len(number)} digits")
    return int(number)


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def number(value: Json, where: str, low: int = -(2**63), high: int = 2**64 - 1) -> int:
    """A whole number within bounds. Raises BadRecording."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadRecording(f"{where} must be a whole number, not {found_instead(value)}")
    if not low <= value <= high:
        raise BadRecording(f"{where} must be between {low} and {high}, not {value}")
    return value


def text(value: Json, where: str) -> str:
    """A string. Raises BadRecording."""
    if not isinstance(value, str):
        raise BadRecording(f"{where} must be a string, not {found_instead(value)}")
    return value


def _text_or_none(value: Json, where: str) -> str | None:
    return None if value is None else text(value, where)


def _list(value: Json, where: str) -> list[Json]:
    if not isinstance(value, list):
        raise BadRecording(f"{where} must be a list, not {found_instead(value)}")
    return value


def _texts(value: Json, where: str) -> tuple[str, ...]:
    return tuple(text(item, f"{where}[{i}]") for i, item in enumerate(_list(value, where)))


def _object(value: Json, where: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise BadRecording(f"{where} must be an object, not {found_instead(value)}")
    return value


def _size(value: Json, where: str) -> int:
    return number(value, where, 0)


def _file_size(value: Json, where: str) -> int:
    return number(value, where, 0, FILE_LIMIT)


def _errno(value: Json, where: str) -> int:
    return number(value, where, 0, 4095)  # include/linux/err.h, MAX_ERRNO


def _unavailable(value: Json, where: str) -> tuple[str, int | None]:
    gap = _object(value, where)
    code = gap.get("errno")
    return text(gap.get("reason"), f"{where}.reason"), None if code is None else _errno(
        code, f"{where}.errno"
    )


def _stat(value: Json, where: str) -> Stat:
    info = _object(value, where)
    mode = text(info.get("mode", "0644"), f"{where}.mode")
    if not re.fullmatch("[0-7]{1,6}", mode):
        raise BadRecording(f"{where}.mode must be octal digits, not {found_instead(mode)}")
    kind = text(info.get("kind", "file"), f"{where}.kind")
    if kind not in _KINDS:
        raise BadRecording(
            f"{where}.kind must be one of {', '.join(sorted(_KINDS))}, not {found_instead(kind)}"
        )
    return Stat(
        kind,
        int(mode, 8),
        number(info.get("uid", 0), f"{where}.uid", 0, 2**32 - 1),
        number(info.get("gid", 0), f"{where}.gid", 0, 2**32 - 1),
        number(info.get("size", 0), f"{where}.size", 0, 2**63 - 1),
        _text_or_none(info.get("target"), f"{where}.target"),
    )


def _command(value: Json, where: str) -> tuple[tuple[str, ...], CommandResult | Unavailable]:
    command = _object(value, where)
    argv = _texts(command.get("argv"), f"{where}.argv")
    if not argv:
        raise BadRecording(f"{where}.argv must name a command, not be empty")
    if "unavailable" in command:
        code = command.get("errno")
        return argv, Unavailable(
            text(command["unavailable"], f"{where}.unavailable"),
            None if code is None else _errno(code, f"{where}.errno"),
        )
    return argv, CommandResult(
        argv,
        number(command.get("status", 0), f"{where}.status", -255, 255),
        text(command.get("stdout", ""), f"{where}.stdout"),
        text(command.get("stderr", ""), f"{where}.stderr"),
    )


def _probe(value: Json, where: str) -> ProbeResult:
    outcome = _object(value, where)
    return ProbeResult(
        _errno(outcome.get("errno"), f"{where}.errno"), text(outcome.get("detail", ""), f"{where}.detail")
    )


def _uname(value: Json, where: str) -> Uname | None:
    if value is None:
        return None
    name = _object(value, where)
    sysname, release, version, machine = (
        text(name.get(part, ""), f"{where}.{part}") for part in ("sysname", "release", "version", "machine")
    )
    return Uname(sysname or "Linux", release, version, machine)


def _identity(value: Json, where: str) -> Identity | None:
    if value is None:
        return None
    who = _object(value, where)
    memlock = [
        number(n, f"{where}.memlock[{i}]", -1)
        for i, n in enumerate(_list(who.get("memlock", [-1, -1]), f"{where}.memlock"))
    ]
    if len(memlock) != 2:
        raise BadRecording(f"{where}.memlock must hold two numbers, not {len(memlock)}")
    uid = number(who.get("uid", 0), f"{where}.uid", 0, 2**32 - 1)
    groups = _list(who.get("groups", []), f"{where}.groups")
    return Identity(
        uid,
        number(who.get("euid", uid), f"{where}.euid", 0, 2**32 - 1),
        tuple(number(g, f"{where}.groups[{i}]", 0, 2**32 - 1) for i, g in enumerate(groups)),
        (memlock[0], memlock[1]),
        text(who.get("interpreter", ""), f"{where}.interpreter"),
    )


def _distribution(value: Json, where: str) -> tuple[str, str, str] | None:
    if value is None:
        return None
    parts = _texts(value, where)
    if len(parts) != 3:
        raise BadRecording(f"{where} must hold id, version and name, not {len(parts)} strings")
    return parts[0], parts[1], parts[2]


def _pieces(value: Json, where: str) -> Pieces:
    known = _object(value, where)
    size = number(known.get("size"), f"{where}.size", 0, 2**63 - 1)
    ranges: list[tuple[int, int]] = []
    end = 0
    for i, pair in enumerate(_list(known.get("ranges"), f"{where}.ranges")):
        spot = f"{where}.ranges[{i}]"
        numbers = [number(n, spot, 0, 2**63 - 1) for n in _list(pair, spot)]
        if len(numbers) != 2 or numbers[0] < end or numbers[0] + numbers[1] > size:
            raise BadRecording(f"{spot} must be [offset, length], ascending, within {size} bytes")
        end = numbers[0] + numbers[1]
        ranges.append((numbers[0], numbers[1]))
    shared: list[tuple[int, str]] = []
    for i, pair in enumerate(_list(known.get("shared", []), f"{where}.shared")):
        spot = f"{where}.shared[{i}]"
        entry = _list(pair, spot)
        if len(entry) != 2:
            raise BadRecording(f"{spot} must be [offset, path]")
        shared.append((number(entry[0], spot, 0, size), text(entry[1], spot)))
    return Pieces(size, tuple(ranges), tuple(shared))
