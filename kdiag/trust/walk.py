"""From a path to an open directory, hop by hop, each hop judged: whose it is, and who else could change it.

Two ways to go. `directory` is strict: only root and the caller can have put anything on the way in its place.
A user who can write to a header tree, or swap one of its parents, decides what root's bpftrace compiles: CVE-2024-2313
and CVE-2024-2314 were trees at guessable names in /tmp. `place` is for what a user asks to be written (`-o`): it goes
through other users' directories, as root has to for `sudo kdiag check -o report.json`, but follows no link that
another user could have put there: it ends in the directory that the path names, and nowhere else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from kdiag.trust.linux import flags
from kdiag.trust.owner import Untrusted, entry_problem, problem

#: A path with more links than this is a loop (include/linux/namei.h, MAXSYMLINKS).
_MAX_LINKS = 40
_HOP = flags("PATH", "NOFOLLOW", "CLOEXEC")
#: What these lead to is no name, but a descriptor that is open already (proc_pid_fd(5)).
_DESCRIPTOR = re.compile(r"/+(?:dev/+fd|proc/+self/+fd)/+(\d{1,9})|/+dev/+std(in|out|err)", re.ASCII)


class Place(NamedTuple):
    """Where a path leads: a name in an open directory, and what is there (never a link), None if nothing is.

    at: an O_PATH descriptor. parent: of it. name: "" where the path is that directory itself. shared: who else could
    change something on the way, "" if no other user. number: the descriptor of ours that a path such as /dev/stdout
    means, else None; then the rest says nothing.
    """

    at: int
    parent: os.stat_result | None = None
    name: str = ""
    info: os.stat_result | None = None
    shared: str = ""
    number: int | None = None


@contextlib.contextmanager
def directory(path: Path, *, make: int | None = None) -> Iterator[int]:
    """A descriptor of the directory `path`, every hop and link on the way to which was judged.

    make: the mode of directories that are made where they are missing; None makes none.
    Raises Untrusted, or OSError where the path cannot be walked.
    """
    if not path.is_absolute():
        raise Untrusted(f"{path} is not an absolute path")
    with _walking(str(path), strict=True) as walk:
        walk.to_the_end(make)
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=walk.at)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def place(path: str, *, strict: bool = False) -> Iterator[Place]:
    """Where a path leads. strict: as `directory`, for the name as well. Raises Untrusted, or OSError."""
    number = descriptor(path)
    if number is not None:
        yield Place(-1, number=number)
        return
    with _walking(path, strict=strict) as walk:
        yield walk.to_the_last()


def descriptor(path: str) -> int | None:
    """The number of the descriptor that a path such as /dev/fd/63 means, None for other paths."""
    match = _DESCRIPTOR.fullmatch(path)
    if match is None:
        return None
    return int(match[1]) if match[1] else ("in", "out", "err").index(match[2])


@contextlib.contextmanager
def _walking(path: str, *, strict: bool) -> Iterator[_Walk]:
    if not path:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    walk = _Walk(path, strict=strict)
    try:
        yield walk
    finally:
        os.close(walk.at)


class _Walk:
    """A walk on its way: the directory it is in, open as `at`, and the hops that are left, last one first.

    A link's target takes the place of its name. `..` must lead to the directory that we came from: another user may
    move the one that we are in.
    """

    def __init__(self, path: str, *, strict: bool) -> None:
        self.path, self.strict = path, strict
        self.hops, self.links, self.shared = _hops(path), 0, ""
        self.number: int | None = None
        self.at = -1
        self.start("/" if path.startswith("/") else ".")

    def start(self, name: str) -> None:
        """Begin at the root, or in the working directory."""
        self.enter(os.open(name, _HOP), name)
        self.trail: list[tuple[int, int]] = []
        self.judge(problem(self.info, name, self.at))

    def enter(self, fd: int, name: str) -> None:
        if self.at >= 0:
            os.close(self.at)
        self.at, self.name, self.info = fd, name, os.fstat(fd)

    def judge(self, found: str) -> None:
        if found and self.strict:
            raise Untrusted(found)
        self.shared = self.shared or found

    def to_the_end(self, make: int | None) -> None:
        """Enter all that is left."""
        while self.hops:
            name = self.hops.pop()
            self.step(name, None if name == ".." else _open(name, self.at, make))

    def to_the_last(self) -> Place:
        """Enter all but the last name, and see what is there."""
        while self.hops:
            name = self.hops.pop()
            try:
                child = None if name == ".." else os.open(name, _HOP, dir_fd=self.at)
            except FileNotFoundError:
                if self.hops:
                    raise
                return Place(self.at, self.info, name, None, self.shared)
            if child is not None and not self.hops and not stat.S_ISLNK(os.fstat(child).st_mode):
                info = os.fstat(child)
                try:
                    self.judge(
                        "" if not self.strict else entry_problem(info, self.info, self.below(name), child)
                    )
                finally:
                    os.close(child)
                return Place(self.at, self.info, name, info, self.shared)
            self.step(name, child)
            if self.number is not None:
                return Place(-1, number=self.number)
        return Place(self.at, self.info, "", self.info, self.shared)

    def step(self, name: str, child: int | None) -> None:
        """One hop on: up (None), into a directory, or to where a link points. Takes the descriptor."""
        if child is None:
            self.up()
            return
        info, where, before = os.fstat(child), self.below(name), self.info
        if stat.S_ISLNK(info.st_mode):
            try:
                self.follow(child, info, where)
            finally:
                os.close(child)
            return
        self.trail.append((before.st_dev, before.st_ino))
        self.enter(child, where)
        self.judge(entry_problem(info, before, where, child))

    def up(self) -> None:
        fd = os.open("..", _HOP, dir_fd=self.at)
        self.enter(fd, f"{self.name}/.." if self.name.startswith(".") else os.path.dirname(self.name))
        if self.trail and self.trail.pop() != (self.info.st_dev, self.info.st_ino):
            raise Untrusted(f"{self.path}: another user moved a directory meanwhile")
        self.judge(problem(self.info, self.name, self.at))

    def follow(self, child: int, info: os.stat_result, where: str) -> None:
        self.links += 1
        if self.links > _MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if found := entry_problem(info, self.info, where):
            raise Untrusted(found.replace(where, f"{where} is a symbolic link and", 1))
        if found := problem(self.info, self.name, self.at):
            raise Untrusted(f"{where} is a symbolic link that another user could have put there: {found}")
        target = os.readlink("", dir_fd=child)
        self.hops += _hops(target)
        if target.startswith("/"):
            self.number = descriptor("/" + "/".join(reversed(self.hops)))
            self.start("/")

    def below(self, name: str) -> str:
        return name if self.name == "." else f"{self.name.rstrip('/')}/{name}"


def _hops(path: str) -> list[str]:
    """The names of a path, last one first."""
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]


def _open(name: str, at: int, make: int | None) -> int:
    """A descriptor of the name itself, be it a link; made a directory if it is missing and `make` says so."""
    try:
        return os.open(name, _HOP, dir_fd=at)
    except FileNotFoundError:
        if make is None:
            raise
    with contextlib.suppress(FileExistsError):  # another kdiag was faster
        os.mkdir(name, make, dir_fd=at)
        os.chmod(name, make, dir_fd=at)  # whatever the umask says
    return os.open(name, _HOP, dir_fd=at)
