"""Directories that nobody but root and the caller could have put in place, reached race-free from `/`.

Whoever can write to a header tree, or swap one of its parents, decides what root's bpftrace compiles: CVE-2024-2313 and
CVE-2024-2314 were trees at guessable names in /tmp.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

#: A path with more links than this is a loop (include/linux/namei.h, MAXSYMLINKS).
_MAX_LINKS = 40


class Untrusted(Exception):
    """Somebody else has, or had, a hand in this path; the text says where."""


@contextlib.contextmanager
def directory(path: Path, *, make: int | None = None) -> Iterator[int]:
    """A descriptor of the directory `path`, every hop and link on the way to which was judged.

    make: the mode of directories that are made where they are missing; None makes none.
    Raises Untrusted, or OSError where the path cannot be walked.
    """
    fd = _walk(path, make)
    try:
        yield fd
    finally:
        os.close(fd)


def problem(info: os.stat_result, what: str) -> str:
    """Who else could change what `info` is about, "" if nobody. Others may make new names in a sticky directory, no more."""
    if info.st_uid not in (0, os.geteuid()):
        return f"{what} belongs to uid {info.st_uid}"
    if stat.S_ISLNK(info.st_mode) or (stat.S_ISDIR(info.st_mode) and info.st_mode & stat.S_ISVTX):
        return ""
    if info.st_mode & stat.S_IWOTH:
        return f"{what} is writable by everybody (mode {stat.S_IMODE(info.st_mode):04o})"
    if info.st_mode & stat.S_IWGRP and not _private_group(info):
        return f"{what} is writable by the group {info.st_gid} (mode {stat.S_IMODE(info.st_mode):04o})"
    return ""


def _private_group(info: os.stat_result) -> bool:
    """Whether the group is its owner's alone, as where every user has a group of the same number and umask is 002."""
    if not info.st_uid or info.st_gid != info.st_uid:
        return False
    import grp
    import pwd

    try:
        members = grp.getgrgid(info.st_gid).gr_mem
        return all(name == pwd.getpwuid(info.st_uid).pw_name for name in members)
    except KeyError:
        return False


def _walk(path: Path, make: int | None) -> int:
    """Open hop by hop; a link's target takes the place of its name."""
    if not path.is_absolute():
        raise Untrusted(f"{path} is not an absolute path")
    hops = [part for part in reversed(str(path).split("/")) if part]
    links = 0
    here, at = "", os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while hops:
            name = hops.pop()
            child = _open(name, at, make, last=not hops)
            place = f"{here}/{name}"
            try:
                info = os.fstat(child)
                if found := problem(info, place):
                    raise Untrusted(found)
                if stat.S_ISLNK(info.st_mode):
                    links += 1
                    if links > _MAX_LINKS:
                        raise Untrusted(f"{path}: a loop of links")
                    target = os.readlink("", dir_fd=child)
                    hops.extend(part for part in reversed(target.split("/")) if part)
                    if not target.startswith("/"):
                        continue
                    os.close(child)
                    child, place = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), ""
                child, at, here = at, child, place
            finally:
                os.close(child)
    except BaseException:
        os.close(at)
        raise
    return at


def _open(name: str, at: int, make: int | None, *, last: bool) -> int:
    """A descriptor of the name itself, made a directory if need be."""
    if make is not None:
        with contextlib.suppress(FileExistsError):
            _make(name, at, make)
    # A link cannot be opened for reading; the last directory has to be, for fsync, flock and listing.
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    child = os.open(name, flags, dir_fd=at)
    mode = os.fstat(child).st_mode
    if stat.S_ISLNK(mode) or (stat.S_ISDIR(mode) and not last):
        return child
    try:
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    finally:
        os.close(child)
