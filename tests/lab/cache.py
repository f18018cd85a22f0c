"""A content-addressed cache, safe against interruption and against two labs at once.

An entry is a file or a directory named ``<kind>/<name>-<digest>``; the digest is of the recipe that makes it, so
a changed recipe is a new entry and an old one is never wrong, only unused. An entry is made under ``tmp/``, flushed
to disk and renamed: what has its final name is complete. A lock file per entry keeps two processes from making the
same thing. The least recently used entries go when the size limit is passed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError
from .tools import say

DEFAULT_LIMIT = 24 * 2**30
Recipe = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in the cache: size in bytes on disk, last use in seconds of the epoch."""

    kind: str
    path: Path
    size: int
    used: float


def home() -> Path:
    """The cache's directory: $KDIAG_LAB_CACHE, or kdiag-lab under the user's cache directory."""
    chosen = os.environ.get("KDIAG_LAB_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "kdiag-lab"


def limit() -> int:
    """The size limit in bytes: $KDIAG_LAB_CACHE_LIMIT (a number with K, M or G), or 24 GiB."""
    text = os.environ.get("KDIAG_LAB_CACHE_LIMIT", "")
    return parse_size(text) if text else DEFAULT_LIMIT


def parse_size(text: str) -> int:
    """``"500M"`` -> bytes; LabError for anything that is not a number with an optional K, M, G, T."""
    units = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
    number, unit = text.strip().upper().removesuffix("IB").removesuffix("B"), 1
    if number and number[-1] in units:
        number, unit = number[:-1], units[number[-1]]
    try:
        value = float(number)
    except ValueError:
        raise LabError(f"not a size: {text!r}", "write it as 800M or 12G") from None
    if not 0 <= value < float("inf"):
        raise LabError(f"not a size: {text!r}", "write it as 800M or 12G")
    return int(value * unit)


def digest(recipe: Recipe) -> str:
    """16 hexadecimal digits that stand for a recipe; equal recipes have equal digests in any order of keys."""
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def path_of(kind: str, name: str, recipe: Recipe, suffix: str = "") -> Path:
    """Where an entry is, whether or not it has been made."""
    return home() / kind / f"{name}-{digest(recipe)}{suffix}"


def obtain(kind: str, name: str, recipe: Recipe, make: Callable[[Path], None], suffix: str = "") -> Path:
    """The entry's path, made first if need be.

    ``make(path)`` creates a file or a directory at the (temporary) path it is given. If it raises, nothing is left
    under the final name and the error goes on.
    """
    final = path_of(kind, name, recipe, suffix)
    if _use(final):
        return final
    with locked(f"{kind}-{final.name}"):
        if _use(final):  # another process made it while we waited
            return final
        room = home() / "tmp" / f"{kind}-{final.name}"
        remove(room)  # we hold the lock, so a leftover is from a process that died
        room.mkdir(parents=True)
        work = room / str(os.getpid())  # what that process started may live on, and must not write into ours
        started = time.monotonic()
        say(f"making {kind}/{name} ...")
        try:
            make(work)
            _settle(work, final)
        finally:
            remove(room)
        say(f"made {kind}/{name} in {time.monotonic() - started:.1f} s ({size_of(final) / 2**20:.0f} MiB)")
    trim(limit(), keep={final})
    return final


def _settle(work: Path, final: Path) -> None:
    """Flush what was made, then give it its final name, so that the name never stands for half a thing."""
    final.parent.mkdir(parents=True, exist_ok=True)
    if work.is_dir():
        subprocess.run(["sync", "-f", str(work)], check=True)
    else:
        _fsync(work)
    work.rename(final)
    _fsync(final.parent)
    os.utime(final)


def _fsync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _use(path: Path) -> bool:
    """Is it there? Then note the use: the modification time of the entry itself is its last use."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def locked(name: str) -> Iterator[int]:
    """Hold the lock of that name; says so when it has to wait.

    Gives the lock's file descriptor: a child that inherits it holds the lock, too. The kernel drops the lock when the
    last process that has it is gone.
    """
    place = home() / "locks"
    place.mkdir(parents=True, exist_ok=True)
    fd = os.open(place / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another lab that makes {name}")
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        os.close(fd)


def entries() -> list[Entry]:
    """Everything in the cache, the least recently used first."""
    found = []
    for kind in sorted(_subdirectories(home())):
        if kind.name in {"tmp", "locks"}:
            continue
        for path in kind.iterdir():
            found.append(Entry(kind.name, path, size_of(path), path.lstat().st_mtime))
    return sorted(found, key=lambda entry: (entry.used, str(entry.path)))


def _subdirectories(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (child for child in path.iterdir() if child.is_dir())


def size_of(path: Path) -> int:
    """Bytes a file or a tree takes on disk (sparse files count what they hold)."""
    try:
        total = path.lstat().st_blocks * 512
    except FileNotFoundError:
        return 0
    if path.is_dir() and not path.is_symlink():
        for base, directories, files in os.walk(path):
            for name in (*directories, *files):
                try:
                    total += os.lstat(os.path.join(base, name)).st_blocks * 512
                except FileNotFoundError:
                    continue
    return total


def trim(most: int, keep: frozenset[Path] | set[Path] = frozenset()) -> list[Path]:
    """Remove least recently used entries until at most ``most`` bytes are used; returns what went.

    An entry used within the last hour stays: a guest may have it open, or another lab is about to.
    """
    known = entries()
    total = sum(entry.size for entry in known)
    gone = []
    for entry in known:
        if total <= most:
            break
        if entry.path in keep or time.time() - entry.used < 3600 or not _remove_unless_locked(entry):
            continue
        total -= entry.size
        gone.append(entry.path)
        say(f"cache over its limit: removed {entry.kind}/{entry.path.name}")
    return gone


def clean(kind: str = "") -> int:
    """Remove everything, or one kind; returns the bytes freed. What is being made now is left alone."""
    freed = sum(
        entry.size for entry in entries() if kind in {"", entry.kind} and _remove_unless_locked(entry)
    )
    if not kind:
        leftovers = home() / "tmp"
        for path in leftovers.iterdir() if leftovers.is_dir() else ():
            freed += size_of(path) if _remove_unless_locked(Entry("tmp", path, 0, 0.0)) else 0
    return freed


def _remove_unless_locked(entry: Entry) -> bool:
    """Remove an entry; False when somebody is making it (a leftover in tmp/ bears its lock's name)."""
    name = entry.path.name if entry.kind == "tmp" else f"{entry.kind}-{entry.path.name}"
    lock = home() / "locks" / f"{name}.lock"
    if lock.exists():
        with lock.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            remove(entry.path)
    else:
        remove(entry.path)
    return True


def remove(path: Path) -> None:
    """Remove a file or a tree, read-only directories included; nothing there is fine."""
    if path.is_dir() and not path.is_symlink():
        for base, directories, _ in os.walk(path):
            for name in directories:
                child = os.path.join(base, name)
                if not os.path.islink(child):
                    os.chmod(child, 0o700)
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
