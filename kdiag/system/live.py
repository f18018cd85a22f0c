"""This machine, now; or, with a root other than `/`, the files of another system mounted on it."""

from __future__ import annotations

import errno
import os
import stat as stat_bits
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeVar

from kdiag.parse.errors import ParseError
from kdiag.system.base import READ_LIMIT, CommandResult, Identity, ProbeResult, Stat, Uname, Unavailable
from kdiag.system.below import HOSTS, VARIABLE, is_root
from kdiag.trust.search import find

if TYPE_CHECKING:
    from kdiag.system.commands import Running

#: What only the running kernel provides; below another root these answers would be another machine's.
_KERNEL_DIRS = ("proc", "sys", "dev")

_ABSENT = (errno.ENOENT, errno.ENOTDIR)
_KINDS = {
    stat_bits.S_IFREG: "file",
    stat_bits.S_IFDIR: "dir",
    stat_bits.S_IFLNK: "link",
    stat_bits.S_IFIFO: "fifo",
    stat_bits.S_IFSOCK: "socket",
    stat_bits.S_IFCHR: "char",
    stat_bits.S_IFBLK: "block",
}
#: Room for a file of proc whose size is not known beforehand.
_CHUNK = 65536

T = TypeVar("T")


class _Files(Protocol):
    """How files are reached: by the caller's own `/`, or below another root (`rooted.Tree`)."""

    def open(self, path: str) -> int: ...
    def stat(self, path: str) -> os.stat_result: ...
    def lstat(self, path: str) -> tuple[os.stat_result, str | None]: ...
    def listdir(self, path: str) -> list[str]: ...
    def filesystem(self, path: str) -> int: ...


class _Here:
    """This machine's own files."""

    def open(self, path: str) -> int:
        # O_NONBLOCK: a FIFO planted where a file is expected must not hang us.
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)

    def stat(self, path: str) -> os.stat_result:
        return os.stat(path)

    def lstat(self, path: str) -> tuple[os.stat_result, str | None]:
        info = os.lstat(path)
        return info, os.readlink(path) if stat_bits.S_ISLNK(info.st_mode) else None

    def listdir(self, path: str) -> list[str]:
        return os.listdir(path)

    def filesystem(self, path: str) -> int:
        from kdiag.system.syscalls import statfs_magic

        return statfs_magic(path)


def _below(root: str) -> _Files:
    from kdiag.system.rooted import Tree

    return Tree(root)


def _is_host(directory: str) -> bool:
    """Whether the root of a system is mounted at a directory. In any other one links lead where they always do."""
    if not os.path.isdir(directory):
        return False
    from kdiag.parse.mountinfo import parse as parse_mountinfo

    try:
        with open("/proc/self/mountinfo", "rb") as file:
            mounts = parse_mountinfo(file.read())
    except (OSError, ParseError):
        return False
    files = _below(directory)

    def there(name: str) -> bool:
        try:
            files.stat(name)
        except (OSError, Unavailable):
            return False
        return True

    return mounts.at(directory) is not None and is_root(there)


class Live:
    """The running machine as a `System`. With a foreign `root` only files are read: no kernel, no commands."""

    def __init__(self, root: str = "/", host: str = "") -> None:
        """host: where the root of this machine's host is, if not where $KDIAG_HOST says or at one of `HOSTS`."""
        self._root = os.path.abspath(root)
        host = host or os.environ.get(VARIABLE, "") if self._root == "/" else ""
        self._host = os.path.abspath(host) if host else ""
        self._hosts: dict[str, _Files] = {}
        self._files = _Here() if self._root == "/" else _below(self._root)
        self._running: dict[tuple[str, ...], Running] = {}

    @property
    def root(self) -> str:
        return self._root

    @property
    def live(self) -> bool:
        return self._root == "/"

    def _ask(self, path: str, question: Callable[[], T]) -> T | None:
        if not self.live and _first(path) in _KERNEL_DIRS:
            raise Unavailable(f"only a running kernel can tell, and {self._root} is files")
        try:
            return question()
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise Unavailable.from_os_error(path, error) from None
        except ValueError:
            raise Unavailable(f"{path!r}: not a path") from None

    def _side(self, path: str) -> tuple[_Files, str]:
        """How to reach a path, and its name there: below a host's root with that as `/`."""
        for directory in (self._host, *HOSTS) if self.live else ():
            if directory and path.startswith(f"{directory}/"):
                if directory not in self._hosts:
                    named = directory == self._host
                    self._hosts[directory] = (
                        _below(directory) if named or _is_host(directory) else self._files
                    )
                files = self._hosts[directory]
                return files, path if files is self._files else path.removeprefix(directory)
        return self._files, path

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes | None:
        if path == "/dev/kmsg" and self.live:
            from kdiag.system import kernel_log

            return kernel_log.read()
        return self._ask(path, lambda: _read_file(self._file(path), path, limit))

    def head(self, path: str, size: int) -> bytes | None:
        return self._ask(path, lambda: _read_head(self._file(path), size))

    def open(self, path: str) -> BinaryIO | None:
        return self._ask(path, lambda: os.fdopen(self._file(path), "rb"))

    def _file(self, path: str) -> int:
        its_files, name = self._side(path)
        fd = its_files.open(name)
        kind = _KINDS.get(stat_bits.S_IFMT(os.fstat(fd).st_mode), "unknown thing")
        if kind != "file":
            os.close(fd)
            raise Unavailable(f"{path}: a {kind}, not a file")
        return fd

    def stat(self, path: str) -> Stat | None:
        files, name = self._side(path)
        return self._ask(path, lambda: _stat(files.stat(name), None))

    def lstat(self, path: str) -> Stat | None:
        files, name = self._side(path)
        return self._ask(path, lambda: _stat(*files.lstat(name)))

    def listdir(self, path: str) -> tuple[str, ...] | None:
        files, name = self._side(path)
        return self._ask(path, lambda: tuple(sorted(files.listdir(name))))

    def filesystem(self, path: str) -> int | None:
        files, name = self._side(path)
        return self._ask(path, lambda: files.filesystem(name))

    def which(self, name: str) -> str | None:
        if self.live:
            return find(name, os.environ.get("PATH"))
        for directory in (
            "/usr/local/sbin",
            "/usr/local/bin",
            "/usr/sbin",
            "/usr/bin",
            "/sbin",
            "/bin",
            "/snap/bin",
        ):
            found = self.stat(f"{directory}/{name}")
            if found is not None and found.kind == "file" and found.mode & 0o111:
                return f"{directory}/{name}"
        return None

    def start(self, argv: tuple[str, ...], timeout: float = 10.0) -> None:
        from kdiag.system.commands import launch

        if self.live and argv not in self._running:
            self._running[argv] = launch(argv, timeout)

    def run(self, argv: tuple[str, ...], timeout: float = 10.0) -> CommandResult:
        if not self.live:
            raise Unavailable(f"{argv[0]}: commands of another root are not run")
        self.start(argv, timeout)
        return self._running.pop(argv).result()

    def probe(self, name: str) -> ProbeResult:
        from kdiag.system.probes import run_probe

        if not self.live:
            raise Unavailable(f"only a running kernel can tell, and {self._root} is files")
        return run_probe(name)

    def env(self, name: str) -> str | None:
        if not self.live:
            raise Unavailable(f"${name}: the environment of another root is not known")
        return self._host or None if name == VARIABLE else os.environ.get(name)

    def distribution(self) -> tuple[str, str, str] | None:
        from kdiag.parse.releasefile import names, parse

        unread: Unavailable | None = None
        for name in names(self.listdir("/etc") or ()):
            try:
                found = parse(name, self.head(f"/etc/{name}", 4096) or b"")
            except Unavailable as gap:
                unread = unread or gap
                continue
            if found is not None:
                return found
        if unread is not None:
            raise unread
        return None

    def uname(self) -> Uname:
        if not self.live:
            raise Unavailable(f"the running kernel is not the one of {self._root}")
        name = os.uname()
        return Uname(name.sysname, name.release, name.version, name.machine)

    def identity(self) -> Identity:
        import resource

        if not self.live:
            raise Unavailable(f"who would run tools in {self._root} is not known")
        soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        return Identity(os.getuid(), os.geteuid(), tuple(os.getgroups()), (soft, hard), sys.executable)


def _first(path: str) -> str:
    """The first name of a path."""
    return next((part for part in path.split("/") if part not in ("", ".", "..")), "")


def _read_file(fd: int, path: str, limit: int) -> bytes:
    """All of an open file, which is closed."""
    with os.fdopen(fd, "rb") as file:
        size = os.fstat(fd).st_size
        if size > limit:
            raise Unavailable(f"{path}: {size} bytes, more than the {limit} that a sane one has")
        # Files of proc and sysfs report a size of 0 or 4096, and sysfs gives a page at a time: read until the end,
        # whatever stat says. The first read makes the one buffer that most files need (5 MB of BTF are 1,300 pages).
        pieces = [_read(file, max(size, _CHUNK) + 1)]
        if len(pieces[0]) > max(size, _CHUNK):
            pieces.append(_read(file, limit + 1 - len(pieces[0])))
        if sum(map(len, pieces)) > limit:
            raise Unavailable(f"{path}: more than {limit} bytes")
        return b"".join(pieces)


def _read(file: BinaryIO, size: int) -> bytes:
    """So many bytes, or as many as there are. A file of proc that would wait (kmsg) cannot be read."""
    data: bytes | None = file.read(size)
    if data is None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return data


def _read_head(fd: int, size: int) -> bytes:
    try:
        return os.read(fd, size)
    finally:
        os.close(fd)


def _stat(info: os.stat_result, target: str | None) -> Stat:
    kind = _KINDS.get(stat_bits.S_IFMT(info.st_mode), "unknown")
    return Stat(kind, stat_bits.S_IMODE(info.st_mode), info.st_uid, info.st_gid, info.st_size, target)
