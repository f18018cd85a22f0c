"""Keeping bare BTF as a file of the store, for BPFTRACE_BTF to point to."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path

from kdiag.fix.effects import Written
from kdiag.fix.errors import FixError
from kdiag.fix.steps.tree import sweep


def there(effect: Written) -> bool:
    """Whether the very file is there, and nobody else could have written it."""
    try:
        fd = os.open(effect.target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    with os.fdopen(fd, "rb") as file:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid() or info.st_mode & 0o022:
            return False
        return hashlib.sha256(file.read()).hexdigest() == effect.sha256


def make(effect: Written, content: bytes) -> Written:
    """Write the file beside its place and rename it. Raises FixError."""
    target = Path(effect.target)
    part = _part(target)
    try:
        make_directory(target.parent)
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, 0o644)
            file.write(content)
            file.flush()
            os.fsync(fd)
        os.replace(part, target)
    except OSError as error:
        raise FixError(f"{target} cannot be written: {os.strerror(error.errno or 0)}") from None
    if not there(effect):
        raise FixError(f"{target} does not hold what was written")
    return effect


def unmake(effect: Written) -> str:
    """Remove the file if it is still what was written. Raises FixError."""
    target = Path(effect.target)
    try:
        with contextlib.suppress(FileNotFoundError):
            _part(target).unlink()
        if not os.path.lexists(target):
            sweep(target.parent)
            return f"{target}: not there any more, or never was"
        if not there(effect):
            raise FixError(f"{target} is not what was written: it stays", "look at it and remove it")
        target.unlink()
    except OSError as error:
        raise FixError(f"{target} cannot be removed: {os.strerror(error.errno or 0)}") from None
    sweep(target.parent)
    return f"removed {target}"


def make_directory(directory: Path) -> None:
    """Make a directory of the store, readable by all and writable by us. Raises FixError, OSError."""
    for place in (directory.parent, directory):
        if place.name == "kdiag":
            place.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            place.mkdir(mode=0o755)
        info = place.lstat()
        if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid() or info.st_mode & 0o022:
            raise FixError(
                f"{place} could be changed by others (uid {info.st_uid}, mode {stat.S_IMODE(info.st_mode):04o})",
                "make it a directory of yours alone, or remove it",
            )


def _part(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")
