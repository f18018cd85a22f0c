"""Unpacking the kernel's headers archive into a tree that appears whole or not at all.

All is written into a private directory beside the target, validated there, and only then renamed. Bringing it to the
disk takes longer than all the rest, so it happens behind the caller's back, before the process ends; until then a mark
in the tree holds the running boot's id. Within this boot the tree is whole in any case; found in a later one, the mark
says that the machine went down too early, and the tree is made anew. A later fix in the same boot settles a tree whose
maker was killed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from kdiag import trust
from kdiag.fix.errors import FixError, from_os_error
from kdiag.fix.store import trees as store
from kdiag.fix.store.unpack import write
from kdiag.parse.compression import decompress
from kdiag.parse.errors import ParseError
from kdiag.parse.kheaders import from_module, peek

#: The tar inside; 6.12's has 34 MB, today's largest about 60.
SIZE_LIMIT = 256 << 20
_HINT = "nothing was changed"


def extract(
    archive: bytes,
    target: Path,
    *,
    release: str,
    srcarch: str,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Unpack the tar.xz `archive` to `target`, a name in one of the store's bases, and return it.

    A sound tree that is there already is kept. progress: called with the bytes of the tar done so far, and
    their number in all. Raises FixError: for an archive that is damaged, hostile, or for another kernel; where
    something that is not ours is in the way; where the system refuses. Then, and on an interrupt, nothing is
    left behind.
    """
    base = target.parent
    try:
        size = _unpacked_size(archive)
        with trust.directory(base, make=0o755 if os.geteuid() == 0 else 0o700) as fd:
            if _there(fd, target, release, srcarch):
                return target
            _sweep(base)
            _need_room(base, size)
            with _umask(), _private(fd, base) as (name, new):
                marked = _mark(new)
                write(archive, size, new, progress)
                if problem := store.validate(base / name, release, srcarch):
                    raise FixError(f"the headers archive cannot be used: {problem}", _HINT)
                if not marked:
                    _sync_file_system(new)
                os.fchmod(new, 0o755)
                if _publish(fd, name, target, release, srcarch) and marked:
                    _settle(new)
    except trust.Untrusted as error:
        raise FixError(
            f"{base} cannot be used for headers: {error}", "root's bpftrace compiles them"
        ) from None
    except ParseError as error:
        raise FixError(f"the headers archive is not used: {error}", _HINT) from None
    except OSError as error:
        raise from_os_error(error, base) from None
    return target


def settle(tree: Path) -> None:
    """Bring a sound tree of ours to the disk whose maker did not come to it: killed, it would have left a tree that is
    good only until the next reboot. In a thread, as after unpacking; where it fails, the mark stays.
    """
    with contextlib.suppress(OSError):
        fd = os.open(tree, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.fstat(fd).st_uid == os.geteuid():
                _settle(fd)
        finally:
            os.close(fd)


def archive_from_module(data: bytes) -> bytes:
    """The archive inside the bytes of kheaders.ko, which may be compressed. Raises FixError."""
    try:
        return from_module(decompress(data, limit=SIZE_LIMIT))
    except ParseError as error:
        raise FixError(f"the kheaders module is not used: {error}", _HINT) from None


def _unpacked_size(archive: bytes) -> int:
    """As the archive itself says, in its checked index; the decompressor is held to it. Raises ParseError."""
    size = peek(archive).uncompressed
    if size > SIZE_LIMIT:
        raise ParseError(f"it would unpack to {size} bytes, headers have less than {SIZE_LIMIT}")
    return size


def _there(base: int, target: Path, release: str, srcarch: str) -> bool:
    """Whether a sound tree is at the target. One of ours that is not is put away. Raises FixError for anything else."""
    try:
        info = os.stat(target.name, dir_fd=base, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(info.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(info.st_mode) else "not a directory"
        raise FixError(f"{target} is in the way: it is {kind}", "look at it and move it away")
    if not (problem := store.validate(target, release, srcarch)):
        return True
    if info.st_uid != os.geteuid():
        raise FixError(
            f"{target} is in the way: it belongs to uid {info.st_uid}", "look at it and move it away"
        )
    if not set(os.listdir(target)) <= {"arch", "include", store.UNSETTLED}:
        raise FixError(f"{target} is in the way: {problem}", "it is not what kdiag made: move it away")
    store.erase(base, target.name)
    return False


def _sweep(base: Path) -> None:
    """Remove what interrupted runs left; what cannot be removed can wait."""
    for path in store.leftovers(base):
        with contextlib.suppress(FixError):
            store.remove(path)


def _need_room(base: Path, size: int) -> None:
    """Do not fill a disk that others need, only to find that it is too small."""
    info = os.statvfs(base)
    if info.f_bavail * info.f_frsize < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextlib.contextmanager
def _private(base: int, place: Path) -> Iterator[tuple[str, int]]:
    """A new directory of our own in `base`: its name and a descriptor, locked. Removed unless it was renamed.

    Its lock, which dies with us, is how others distinguish it from what a killed process left.
    """
    name = store.unfinished_name("new")
    try:
        os.mkdir(name, 0o700, dir_fd=base)
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=base)
        try:
            with contextlib.suppress(OSError):  # NFS cannot lock a directory; then its age decides
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A set-group-ID bit taken over from the base would pass on to all directories below.
            os.fchmod(fd, 0o700)
            os.fchown(fd, -1, os.getegid())
            yield name, fd
        finally:
            os.close(fd)
    except OSError as error:
        # Full disks are described as they are now, before anything is removed.
        raise from_os_error(error, place) from None
    finally:
        if os.path.lexists(place / name):
            with contextlib.suppress(OSError):
                store.erase(base, name)


@contextlib.contextmanager
def _umask() -> Iterator[None]:
    """Headers are for all users to read, whatever the caller's umask; one call instead of seven thousand fchmod."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def _publish(base: int, name: str, target: Path, release: str, srcarch: str) -> bool:
    """Give the finished tree its name; False if another process was faster with a sound one."""
    try:
        os.rename(name, target.name, src_dir_fd=base, dst_dir_fd=base)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR):
            raise
        if _there(base, target, release, srcarch):
            return False
        os.rename(name, target.name, src_dir_fd=base, dst_dir_fd=base)
    return True


def _mark(new: int) -> bool:
    """Note in the new tree in which boot it was made; False where that is not known."""
    boot = store.boot_id()
    if boot:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(store.UNSETTLED, flags, 0o644, dir_fd=new)
        try:
            os.write(fd, boot)
        finally:
            os.close(fd)
    return bool(boot)


def _settle(tree: int) -> None:
    """Bring the tree to the disk and take the mark away, in a thread that the process does not end without.

    Where it fails, or the process is killed, the mark stays: then the tree is good until the next reboot.
    """
    from threading import Thread

    fd = os.dup(tree)

    def work() -> None:
        try:
            with contextlib.suppress(OSError):
                _sync_file_system(fd)
                os.unlink(store.UNSETTLED, dir_fd=fd)
        finally:
            os.close(fd)

    Thread(target=work, name="settle").start()


def _sync_file_system(fd: int) -> None:
    """syncfs(2) is one call for all; seven thousand fsync(2) take minutes on a slow disk. Raises OSError."""
    try:
        import ctypes

        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except (ImportError, OSError, AttributeError):
        os.sync()
        return
    if syncfs(fd) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
