"""The files of a tree that is `/` to the examined system, never anything outside of it.

The tree belongs to another machine, and another user of this one may be changing it meanwhile: a name is not first
resolved and then opened, it is opened with the tree as root. openat2(2) with RESOLVE_IN_ROOT does it in the kernel
(5.6); elsewhere the same is done here, hop by hop with a descriptor for each. The descriptor of the tree's top is
opened once: a link put in its place later has no effect.
"""

from __future__ import annotations

import errno
import os
import stat as stat_bits

from kdiag.system import syscalls
from kdiag.system.base import Unavailable
from kdiag.trust.owner import Untrusted
from kdiag.trust.walk import place

#: The kernel's own limit on links in one path (include/linux/namei.h, MAXSYMLINKS).
MAX_LINKS = 40

# include/uapi/linux/openat2.h
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_IN_ROOT = 0x10
#: EAGAIN: something was renamed while the kernel passed a `..`, and it cannot tell whether it is still inside.
_TRIES = 20
#: No openat2 in this kernel, or not with these flags, or a container's seccomp filter that does not know it.
_NO_OPENAT2 = frozenset({errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.E2BIG, errno.EAGAIN})

_LOOK = os.O_PATH | os.O_CLOEXEC
#: O_NONBLOCK: a FIFO planted where a file is expected must not hang us.
READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
#: File systems that the running kernel fills, wherever below the root they are mounted: proc, sysfs, debugfs, tracefs,
#: securityfs, bpf, cgroup, cgroup2 (include/uapi/linux/magic.h). What they say is about this machine.
_KERNEL_MAGICS = frozenset(
    {0x9FA0, 0x62656572, 0x64626720, 0x74726163, 0x73636673, 0xCAFE4A11, 0x27E0EB, 0x63677270}
)


class Tree:
    """The files below `root`. Methods raise OSError as the system calls do, Unavailable for the kernel's own files."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._top: int | None = None

    @property
    def top(self) -> int:
        """The descriptor of the root, the same one from the first question to the end of the process."""
        if self._top is None:
            self._top = open_root(self.root)
        return self._top

    def open(self, path: str) -> int:
        """A descriptor to read a regular file. Of anything else one that only looks: opening a device may move it."""
        looked = self._look(path)
        if not stat_bits.S_ISREG(os.fstat(looked).st_mode):
            return looked
        os.close(looked)
        return self._at(path, READ)

    def stat(self, path: str) -> os.stat_result:
        """stat(2)."""
        fd = self._look(path)
        try:
            return os.fstat(fd)
        finally:
            os.close(fd)

    def lstat(self, path: str) -> tuple[os.stat_result, str | None]:
        """lstat(2), and the target of a link."""
        fd = self._look(path, os.O_NOFOLLOW)
        try:
            info = os.fstat(fd)
            return info, os.readlink("", dir_fd=fd) if stat_bits.S_ISLNK(info.st_mode) else None
        finally:
            os.close(fd)

    def listdir(self, path: str) -> list[str]:
        """The names in a directory."""
        os.close(self._look(path))
        fd = self._at(path, READ | os.O_DIRECTORY)
        try:
            return os.listdir(fd)
        finally:
            os.close(fd)

    def filesystem(self, path: str) -> int:
        """f_type of statfs(2)."""
        fd = self._look(path)
        try:
            return syscalls.fstatfs_magic(fd)
        finally:
            os.close(fd)

    def _look(self, path: str, flags: int = 0) -> int:
        """A descriptor for looking only. Raises Unavailable for what only a running kernel can tell."""
        fd = self._at(path, _LOOK | flags)
        if _of_the_kernel(fd):
            os.close(fd)
            raise Unavailable(f"{path}: of the running kernel, and {self.root} is files")
        return fd

    def _at(self, path: str, flags: int) -> int:
        return open_below(self.top, path, flags)


def open_root(path: str) -> int:
    """The directory that is to be the root. Raises Untrusted where another user's link decides which one it is.

    Below /proc a link is not what it reads (`/proc/PID/root` leads into a container): there it is the caller's word.
    """
    top = os.open(path, _LOOK | os.O_DIRECTORY)
    try:
        if path.startswith("/proc/"):
            return top
        with place(path) as judged:
            if judged.info is None or not os.path.samestat(judged.info, os.fstat(top)):
                raise Untrusted(f"{path} does not lead where its links point")
    except BaseException:
        os.close(top)
        raise
    return top


def open_below(top: int, path: str, flags: int) -> int:
    """open(2) of an existing `path` with the directory `top` as `/`: links, `..` and all stay inside."""
    for _ in range(_TRIES):
        result = syscalls.openat2(top, path, flags, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
        if result >= 0:
            return result
        if result != -errno.EAGAIN:
            break
    if -result not in _NO_OPENAT2:
        raise OSError(-result, os.strerror(-result), path)
    return walk_below(top, path, flags)


def walk_below(top: int, path: str, flags: int) -> int:
    """The same without openat2(2).

    Each directory on the way stays open, and `..` is the one before: what another user moves meanwhile, even out of
    the tree, leads nowhere else.
    """
    if not path:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    way = [os.open(".", _LOOK, dir_fd=top)]
    try:
        return _walk(way, _parts(path), flags)
    finally:
        for fd in way:
            os.close(fd)


def _walk(way: list[int], pending: list[str], flags: int) -> int:
    """Open what `pending` (last name first) leads to; `way` has all that is open, from the top to here."""
    links = 0
    while pending:
        name = pending.pop()
        if name in (".", ".."):
            if not stat_bits.S_ISDIR(os.fstat(way[-1]).st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            if name == ".." and len(way) > 1:
                os.close(way.pop())
            continue
        way.append(os.open(name, _LOOK | os.O_NOFOLLOW, dir_fd=way[-1]))
        mode = os.fstat(way[-1]).st_mode
        if stat_bits.S_ISLNK(mode) and (pending or not flags & os.O_NOFOLLOW):
            links += 1
            # A link of proc leads to what it stands for, not to the path that it shows.
            if links > MAX_LINKS or _of_the_kernel(way[-1]):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            target = os.readlink("", dir_fd=way[-1])
            os.close(way.pop())
            while target.startswith("/") and len(way) > 1:
                os.close(way.pop())
            pending += _parts(target)
        elif not pending and not stat_bits.S_ISDIR(mode):
            return _opened(name, way[-2], way[-1], flags)
    return os.open(".", flags & ~os.O_NOFOLLOW, dir_fd=way[-1])


def _opened(name: str, parent: int, child: int, flags: int) -> int:
    """The last hop, no directory, opened for real; ESTALE if it is another one by now."""
    fd = os.open(name, flags | os.O_NOFOLLOW, dir_fd=parent)
    if not os.path.sameopenfile(fd, child):
        os.close(fd)
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
    return fd


def _parts(path: str) -> list[str]:
    """The hops of a path, last one first; `.` stands for "must be a directory", as the end of `etc/` does."""
    first, *others = path.split("/")
    return [part or "." for part in reversed([first, *others] if first else others)]


def _of_the_kernel(fd: int) -> bool:
    try:
        return syscalls.fstatfs_magic(fd) in _KERNEL_MAGICS
    except OSError:  # EBADF: before Linux 3.12 not of a descriptor that only looks (open(2), O_PATH)
        return False
