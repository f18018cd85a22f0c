"""Directories that nobody but root and the caller could have put in place, reached race-free from `/`.

Whoever can write to a header tree, or swap one of its parents, decides what root's bpftrace compiles: CVE-2024-2313
and CVE-2024-2314 were trees at guessable names in /tmp.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

#: A path with more links than this is a loop (include/linux/namei.h, MAXSYMLINKS).
_MAX_LINKS = 40
#: Recordings are played back on systems that have none of these; there nothing is walked.
_HOP = getattr(os, "O_PATH", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


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
    """Who else could change what `info` is about, "" if nobody.

    In a sticky directory others may make new names, but neither change nor remove what is there.
    """
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
    hops = _hops(str(path))
    links = 0
    here, at = "", os.open("/", _HOP)
    try:
        while hops:
            name = hops.pop()
            child, place = _open(name, at, make), f"{here}/{name}"
            try:
                info = os.fstat(child)
                if found := problem(info, place):
                    raise Untrusted(found)
                if not stat.S_ISLNK(info.st_mode):
                    child, at, here = at, child, place
                    continue
                links += 1
                if links > _MAX_LINKS:
                    raise Untrusted(f"{path}: a loop of links")
                target = os.readlink("", dir_fd=child)
                hops += _hops(target)
                if target.startswith("/"):
                    here, at, child = "", os.open("/", _HOP), at
            finally:
                os.close(child)
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=at)
    finally:
        os.close(at)


def _hops(path: str) -> list[str]:
    """The names of a path, last one first."""
    return [name for name in reversed(path.split("/")) if name]


def _open(name: str, at: int, make: int | None) -> int:
    """A descriptor of the name itself, be it a link; made a directory if it is missing and `make` says so."""
    try:
        return os.open(name, _HOP, dir_fd=at)
    except FileNotFoundError:
        if make is None:
            raise
    with contextlib.suppress(FileExistsError):  # somebody was faster
        os.mkdir(name, make, dir_fd=at)
        os.chmod(name, make, dir_fd=at)  # whatever the umask says
    return os.open(name, _HOP, dir_fd=at)
