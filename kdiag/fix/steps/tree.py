"""Unpacking the kernel's own headers into the store, and removing such a tree."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import replace
from pathlib import Path

from kdiag.fix.effects import Unpacked
from kdiag.fix.errors import FixError
from kdiag.fix.world import World
from kdiag.machine.kheaders import ARCHIVE
from kdiag.parse.errors import ParseError
from kdiag.system import Unavailable

#: Four distributions' archives and modules have 3 to 6 MB.
_LIMIT = 64 * 1024 * 1024


def prepare(effect: Unpacked, world: World) -> Unpacked:
    """Name the tree, where the plan could not yet."""
    if effect.target:
        return effect
    return replace(effect, target=str(_target(_archive(effect, world), world)))


def there(effect: Unpacked, world: World) -> bool:
    """Whether the tree is there, and sound."""
    from kdiag.fix.store import validate

    target = Path(effect.target)
    return (
        bool(effect.target) and os.path.isdir(target) and validate(target, world.release, world.srcarch) == ""
    )


def make(effect: Unpacked, world: World) -> Unpacked:
    """Read the archive anew and unpack it. Raises FixError."""
    from kdiag.fix.extract import extract
    from kdiag.fix.store import validate

    archive = _archive(effect, world)
    target = Path(effect.target)
    if _target(archive, world) != target:
        raise FixError(f"{effect.origin} is not what it was when the plan was made", "plan again: kdiag fix")
    extract(archive, target, release=world.release, srcarch=world.srcarch, progress=world.progress)
    problem = validate(target, world.release, world.srcarch)
    if problem:
        raise FixError(f"the unpacked tree cannot be used: {problem}")
    return effect


def _target(archive: bytes, world: World) -> Path:
    from kdiag.fix.store import tree_name

    return world.places.headers / tree_name(world.release, archive)


def _archive(effect: Unpacked, world: World) -> bytes:
    """The archive, from where the kernel serves it or out of the module's file. Raises FixError."""
    from kdiag.fix.extract import archive_from_module

    try:
        data = world.system.read(effect.origin, _LIMIT)
    except Unavailable as gap:
        raise FixError(f"the archive cannot be read: {gap.reason}") from None
    if data is None:
        what = "the kernel does not serve it any more" if effect.origin == ARCHIVE else "the file is gone"
        raise FixError(f"{effect.origin}: {what}", "try again: kdiag fix")
    if effect.origin == ARCHIVE:
        return data
    try:
        return archive_from_module(data)
    except ParseError as error:
        raise FixError(f"{effect.origin}: {error}") from None


def unmake(effect: Unpacked) -> str:
    """Remove the tree, and the directories around it that are left empty. Raises FixError."""
    removed = remove(Path(effect.target))
    sweep(Path(effect.target).parent)
    return f"removed {effect.target}" if removed else f"{effect.target}: not there any more, or never was"


def remove(tree: Path) -> bool:
    """Take a tree of ours out of the store in one step, then delete it; False if there is none. Raises FixError.

    It is renamed first, so that a crash leaves no half of a tree under its name.
    """
    aside = tree.with_name(f".{tree.name}.removing")
    try:
        gone = _delete(aside)
        info = _lstat(tree)
        if info is None:
            return gone
        if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid():
            raise FixError(f"{tree} is not the tree that was made: it stays", "look at it and remove it")
        tree.rename(aside)
        _delete(aside)
    except OSError as error:
        place = error.filename if isinstance(error.filename, str) else str(tree)
        raise FixError(f"{place} cannot be removed: {os.strerror(error.errno or 0)}") from None
    return True


def _delete(directory: Path) -> bool:
    import shutil

    if _lstat(directory) is None:
        return False
    shutil.rmtree(directory)
    return True


def _lstat(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def sweep(directory: Path) -> None:
    """Remove a directory of the store, and kdiag's own above it, if they are empty."""
    for place in (directory, directory.parent):
        if place.name in ("headers", "btf", "kdiag"):
            with contextlib.suppress(OSError):
                place.rmdir()
