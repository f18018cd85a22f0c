"""Keeping bare BTF as a file of the store, for BPFTRACE_BTF to point to."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from dataclasses import replace
from pathlib import Path

from kdiag import trust
from kdiag.fix.context import Context
from kdiag.fix.effects import Written
from kdiag.fix.entries import Entry
from kdiag.fix.errors import FixError, from_os_error
from kdiag.fix.store.made import missing
from kdiag.trust import names, write


def prepare(effect: Written, _world: Context) -> Written:
    """Note which directories are missing."""
    return replace(effect, made=missing(Path(effect.target).parent))


def there(effect: Written, _world: Context | None = None) -> bool:
    """Whether the very file is there, and no other user could have written it."""
    try:
        fd = names.opened(Path(effect.target), os.O_RDONLY)
    except OSError:
        return False
    with os.fdopen(fd, "rb") as file:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid() or info.st_mode & 0o022:
            return False
        return hashlib.sha256(file.read()).hexdigest() == effect.sha256


def make(effect: Written, _world: Context, content: bytes | None = None) -> Written:
    """Write the file beside its place and rename it. Raises FixError."""
    target = Path(effect.target)
    try:
        with trust.directory(target.parent, make=0o755) as place:
            write.replace(place, target.name, content or b"", 0o644, by=_part(target).name)
    except trust.Untrusted as error:
        raise FixError(f"{target} is not written: {error}", "make it a directory of yours alone") from None
    except OSError as error:
        raise from_os_error(error, target.parent) from None
    if not there(effect):
        raise FixError(f"{target} does not hold what was written")
    return effect


def unmake(effect: Written, _world: Context, entry: Entry) -> str:
    """Remove the file if it is what was written. Raises FixError if not, unless it was never finished."""
    target = Path(effect.target)
    try:
        with contextlib.suppress(FileNotFoundError):
            names.unlink(_part(target))
        said = f"{target}: not there any more, or never was"
        if os.path.lexists(target) and (entry.finished or there(effect)):
            if not there(effect):
                raise FixError(f"{target} is not what was written: it stays", "look at it and remove it")
            names.unlink(target)
            said = f"removed {target}"
    except OSError as error:
        raise from_os_error(error, target.parent) from None
    return said


def _part(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")
