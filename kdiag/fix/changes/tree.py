"""Unpacking the kernel's own headers into the store, and removing such a tree."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

from kdiag.fix.context import Context
from kdiag.fix.effects import Unpacked
from kdiag.fix.entries import Entry
from kdiag.fix.errors import FixError
from kdiag.fix.store.extract import archive_from_module, extract
from kdiag.fix.store.made import missing
from kdiag.fix.store.trees import held, remove, tree_name, validate
from kdiag.machine.kheaders import ARCHIVE
from kdiag.parse.errors import ParseError
from kdiag.system import Unavailable

#: Four distributions' archives and modules have 3 to 6 MB.
_LIMIT = 64 * 1024 * 1024


def prepare(effect: Unpacked, context: Context) -> Unpacked:
    """Name the tree, where the plan could not yet; note which directories are missing."""
    target = effect.target or str(_target(_archive(effect, context), context))
    return replace(effect, target=target, made=missing(Path(target).parent))


def there(effect: Unpacked, context: Context) -> bool:
    """Whether the tree is there, and sound."""
    target = Path(effect.target)
    return (
        bool(effect.target)
        and os.path.isdir(target)
        and validate(target, context.release, context.srcarch) == ""
    )


def make(effect: Unpacked, context: Context, _content: bytes | None = None) -> Unpacked:
    """Read the archive anew and unpack it. Raises FixError."""
    archive = _archive(effect, context)
    target = Path(effect.target)
    if _target(archive, context) != target:
        raise FixError(f"{effect.origin} is not what it was when the plan was made", "plan again: kdiag fix")
    extract(archive, target, release=context.release, srcarch=context.srcarch, progress=context.progress)
    problem = validate(target, context.release, context.srcarch)
    if problem:
        raise FixError(f"the unpacked tree cannot be used: {problem}")
    return effect


def _target(archive: bytes, context: Context) -> Path:
    return context.places.headers / tree_name(context.release, archive)


def _archive(effect: Unpacked, context: Context) -> bytes:
    """The archive, from where the kernel provides it or out of the module's file. Raises FixError."""
    try:
        data = context.system.read(effect.origin, _LIMIT)
    except Unavailable as gap:
        raise FixError(f"the archive cannot be read: {gap.reason}") from None
    if data is None:
        what = "the kernel does not provide it any more" if effect.origin == ARCHIVE else "the file is gone"
        raise FixError(f"{effect.origin}: {what}", "try again: kdiag fix")
    if effect.origin == ARCHIVE:
        return data
    try:
        return archive_from_module(data)
    except ParseError as error:
        raise FixError(f"{effect.origin}: {error}") from None


def unmake(effect: Unpacked, _world: Context, entry: Entry) -> str:
    """Remove the tree, and what an interrupted run left of it.
    Raises FixError if something else is in its place, unless the tree was never finished.
    """
    target = Path(effect.target)
    there = os.path.lexists(target) and (entry.finished or _own(target))
    if there:
        remove(target)
    unfinished = clean(target.parent)
    if there:
        return f"removed {target}"
    return (
        f"removed what there was of {target}" if unfinished else f"{target}: not there any more, or never was"
    )


def _own(path: Path) -> bool:
    """Whether it can be a tree that we made; else it was in the way when we came."""
    info = path.lstat()
    return stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid()


def clean(base: Path) -> int:
    """Remove what interrupted runs left in the store; says how much. Only for the holder of the lock: no
    other process makes trees then.
    """
    try:
        names = os.listdir(base)
    except OSError:
        return 0
    found = [
        name
        for name in names
        if name.startswith((".kdiag-new-", ".kdiag-old-")) and not held(base / name) and _own(base / name)
    ]
    for name in found:
        remove(base / name)
    return len(found)
