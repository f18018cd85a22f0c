"""/lib/modules/RELEASE/build, for every tool that looks there, under sudo as well: put where nothing is, and
taken away again.
"""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

from kdiag.fix.context import Context
from kdiag.fix.effects import Linked, without_identity
from kdiag.fix.entries import Entry
from kdiag.fix.errors import FixError
from kdiag.fix.store.places import Places
from kdiag.trust import names


def link_path(places: Places, release: str) -> str:
    """Where the link goes."""
    return str(places.modules / release / "build")


def in_the_way(path: str) -> str:
    """What is at the link's place, in words; empty if nothing is. A dangling link counts: it was made on purpose."""
    try:
        info = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        return f"{path}: {os.strerror(error.errno or 0)}"
    if stat.S_ISLNK(info.st_mode):
        dangling = "" if os.path.exists(path) else ", which is not there"
        return f"{path} is a link to {os.readlink(path)}{dangling}"
    return f"{path} is a {'directory' if stat.S_ISDIR(info.st_mode) else 'file'}"


def prepare(effect: Linked, context: Context) -> Linked:
    """Note which directories are missing. Raises FixError if something is in the way."""
    del context
    problem = in_the_way(effect.path)
    if problem:
        raise FixError(f"no link is made: {problem}", "kdiag replaces nothing; `kdiag env` needs no link")
    parent = os.path.dirname(effect.path)
    lacking = tuple(d for d in (os.path.dirname(parent), parent) if not os.path.isdir(d))
    return replace(effect, made=lacking)


def there(effect: Linked, _world: Context | None = None) -> bool:
    """Whether the link points where it should."""
    try:
        return os.readlink(effect.path) == effect.target
    except OSError:
        return False


def make(effect: Linked, _world: Context, _content: bytes | None = None) -> Linked:
    """Make the directories and the link. Raises FixError."""
    try:
        for directory in map(without_identity, effect.made):
            names.mkdir(Path(directory), 0o755)
        names.symlink(effect.target, Path(effect.path))
    except OSError as error:
        raise FixError(
            f"{effect.path} cannot be made: {error.strerror}",
            "`kdiag env` and `kdiag run` need no link",
        ) from None
    return effect


def unmake(effect: Linked, _world: Context, _entry: Entry) -> str:
    """Remove the link if it points where we pointed it. Raises FixError."""
    said = f"the link {effect.path}: not there any more, or never was"
    try:
        if there(effect):
            names.unlink(Path(effect.path))
            said = f"removed the link {effect.path}"
        elif os.path.lexists(effect.path):
            said = f"{in_the_way(effect.path)}: not ours, it stays"
    except OSError as error:
        raise FixError(f"{effect.path} cannot be removed: {error.strerror}") from None
    return said
