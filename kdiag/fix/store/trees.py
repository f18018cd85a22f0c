"""Where prepared header trees are kept, which of them can be used, and which are leftovers.

A tree is `<base>/<release>-<first 12 hex digits of the archive's sha256>`. It appears whole, by a rename; before
that, and while it is removed, it has a hidden name of its own, so that whatever an interruption leaves behind is
recognised.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from kdiag import trust
from kdiag.fix.errors import FixError, from_os_error
from kdiag.parse import utsrelease
from kdiag.trust import write

SYSTEM_BASE = Path("/var/cache/kdiag/headers")

_RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_~-]{0,199}", re.ASCII)
_TREE = re.compile(r"(.+)-[0-9a-f]{12}", re.ASCII)
_UNFINISHED = re.compile(r"\.kdiag-(?:new|old)-[0-9a-f]{16}", re.ASCII)
#: A tree is locked within moments of being made; until then only this age protects it.
_UNLOCKED_SECONDS = 5.0
#: For file systems that cannot lock a directory.
_ABANDONED_SECONDS = 3600.0

#: In a tree that is not known to be on the disk: the id of the boot in which it was made.
UNSETTLED = ".kdiag-unsettled"

_NEEDED = (
    "include/linux/kconfig.h",
    "include/linux/types.h",
    "include/generated/autoconf.h",
    utsrelease.PATH,
)
#: The second is where kernels before 3.7 had it.
_VERSION = ("include/generated/uapi/linux/version.h", "include/linux/version.h")


def bases(euid: int, env: Mapping[str, str]) -> tuple[Path, ...]:
    """The directories in which prepared trees may be, root's first."""
    own = None if euid == 0 else _user_base(euid, env)
    return (SYSTEM_BASE,) if own is None else (SYSTEM_BASE, own)


def own_base(euid: int, env: Mapping[str, str]) -> Path:
    """The directory that this user makes trees in. Raises FixError for a user without a home."""
    if euid == 0:
        # Root's variables are not asked: under sudo they may be those of the user who called.
        return SYSTEM_BASE
    own = _user_base(euid, env)
    if own is None:
        raise FixError(
            f"uid {euid} has no home directory", "set HOME or XDG_CACHE_HOME to a directory of your own"
        )
    return own


def _user_base(euid: int, env: Mapping[str, str]) -> Path | None:
    """XDG Base Directory Specification: a relative XDG_CACHE_HOME counts as unset."""
    cache, home = env.get("XDG_CACHE_HOME", ""), env.get("HOME", "")
    if cache.startswith("/"):
        return Path(cache) / "kdiag" / "headers"
    if not home.startswith("/"):
        import pwd

        try:
            home = pwd.getpwuid(euid).pw_dir
        except KeyError:
            return None
    return Path(home) / ".cache" / "kdiag" / "headers"


def tree_name(release: str, archive: bytes) -> str:
    """The tree's name. Raises FixError for a release that is not a plain name."""
    import hashlib

    if not _RELEASE.fullmatch(release):
        raise FixError(f"{release!r:.100} is not a kernel release", "nothing was changed")
    return f"{release}-{hashlib.sha256(archive).hexdigest()[:12]}"


def validate(tree: Path, release: str, srcarch: str) -> str:
    """What is wrong with a tree for this release and architecture (`x86`), "" if nothing.

    It must be complete for clang, made for exactly this release, and no user but root and us may be able to change it.
    """
    try:
        with trust.directory(tree.parent) as parent:
            fd = os.open(
                tree.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent
            )
            try:
                return trust.problem(os.fstat(fd), str(tree)) or _content(fd, release, srcarch)
            finally:
                os.close(fd)
    except trust.Untrusted as error:
        return str(error)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            return f"{tree} is not a directory"
        return f"{tree}: {os.strerror(error.errno or 0)}"


def boot_id() -> bytes:
    """The kernel's name for the time since it was started, b"" if it is not known."""
    try:
        fd = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, 64).strip()
    finally:
        os.close(fd)


def _unsettled(fd: int) -> str:
    """Whether the machine went down before all of the tree was on the disk (see `kdiag.fix.store.extract`)."""
    try:
        at = os.open(UNSETTLED, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
    except FileNotFoundError:
        return ""
    try:
        boot = os.read(at, 64)
    finally:
        os.close(at)
    return "" if boot and boot == boot_id() else "the machine went down before it was on the disk"


def _content(fd: int, release: str, srcarch: str) -> str:
    if found := _unsettled(fd):
        return found
    for name in _NEEDED:
        if found := _file(fd, name):
            return found
    if all(_file(fd, name) for name in _VERSION):
        return _file(fd, _VERSION[0])
    own = f"arch/{srcarch}/include"
    for name in ("arch", f"arch/{srcarch}", own, f"{own}/generated"):
        try:
            info = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except OSError:
            archs = _names(fd, "arch")
            whose = "" if srcarch in archs else f": it is for {', '.join(archs) or 'no architecture'}"
            return f"there is no {name} in it{whose}"
        if not stat.S_ISDIR(info.st_mode) or (found := trust.problem(info, name)):
            return found or f"{name} is not a directory"
    of = _release(fd)
    return "" if of == release else f"it is of {of or 'an unknown release'}, not of {release}"


def _file(fd: int, name: str) -> str:
    """What is wrong with a file of the tree that is needed, "" if nothing. Empty: lost in a crash of the machine."""
    try:
        info = os.stat(name, dir_fd=fd, follow_symlinks=False)
    except OSError:
        return f"there is no {name} in it"
    if not stat.S_ISREG(info.st_mode) or not info.st_size:
        return f"{name} is {'empty' if stat.S_ISREG(info.st_mode) else 'not a file'}"
    return trust.problem(info, name)


def _names(fd: int, name: str) -> list[str]:
    try:
        at = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    except OSError:
        return []
    try:
        return sorted(os.listdir(at))[:5]
    finally:
        os.close(at)


def _release(fd: int) -> str:
    at = os.open(utsrelease.PATH, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    try:
        return utsrelease.release(os.read(at, utsrelease.LIMIT)) or ""
    finally:
        os.close(at)


def find(release: str, srcarch: str, bases: Sequence[Path]) -> Path | None:
    """A sound tree for this release, from the first base that has one, and there the newest."""
    for base in bases:
        found: list[tuple[int, Path]] = []
        for name in _listed(base):
            match = _TREE.fullmatch(name)
            if match and match[1] == release:
                with contextlib.suppress(OSError):
                    found.append((os.lstat(base / name).st_mtime_ns, base / name))
        for _, tree in sorted(found, reverse=True):
            if not validate(tree, release, srcarch):
                return tree
    return None


def stale(base: Path, alive: Collection[str]) -> list[Path]:
    """Our trees of releases that are not `alive` any more, and what interrupted runs left behind.

    Never what is being made at this moment.
    """
    gone = []
    for name in _listed(base):
        match = _TREE.fullmatch(name)
        if match and match[1] not in alive and _own_directory(base / name) is not None:
            gone.append(base / name)
    return gone + leftovers(base)


def leftovers(base: Path) -> list[Path]:
    """What interrupted runs of ours left behind in `base`."""
    return [base / name for name in _listed(base) if _UNFINISHED.fullmatch(name) and _abandoned(base / name)]


def _abandoned(path: Path) -> bool:
    """Whether no process works on an unfinished tree of ours, as far as lock and age tell."""
    info = _own_directory(path)
    busy = info is None or held(path)
    age = time.time() - info.st_mtime if info is not None else 0.0
    return not busy and age > (_ABANDONED_SECONDS if busy is None else _UNLOCKED_SECONDS)


def held(path: Path) -> bool | None:
    """Whether a process works on an unfinished tree: its lock (flock) dies with the process. True also where it cannot
    be opened; None where the file system cannot lock a directory.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(fd)
    return False


def remove(tree: Path) -> None:
    """Remove a tree or a leftover of ours; one that is not there is fine.

    It gets a hidden name first: what is half removed must not be found. Raises FixError for anything that is not
    ours, and if it fails.
    """
    if not (_TREE.fullmatch(tree.name) or _UNFINISHED.fullmatch(tree.name)):
        raise FixError(f"{tree} is not a header tree of kdiag: it stays")
    try:
        with trust.directory(tree.parent) as base:
            info = os.stat(tree.name, dir_fd=base, follow_symlinks=False)
            if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid():
                raise FixError(f"{tree} is not a directory of ours (uid {info.st_uid}): it stays")
            erase(base, tree.name)
    except FileNotFoundError:
        return
    except trust.Untrusted as error:
        raise FixError(f"{tree} stays: {error}") from None
    except OSError as error:
        raise from_os_error(error, tree.parent) from None


def erase(base: int, name: str) -> None:
    """Remove the directory `name` in the one that is open as `base`, under a hidden name. Raises OSError."""
    hidden = name if _UNFINISHED.fullmatch(name) else unfinished_name("old")
    if hidden != name:
        os.rename(name, hidden, src_dir_fd=base, dst_dir_fd=base)
    with contextlib.suppress(FileNotFoundError):
        write.erase(base, hidden)


def unfinished_name(kind: str) -> str:
    """A hidden name for an unfinished tree (`new`) or one being removed (`old`)."""
    return f".kdiag-{kind}-{os.urandom(8).hex()}"


def _own_directory(path: Path) -> os.stat_result | None:
    try:
        info = os.lstat(path)
    except OSError:
        return None
    return info if stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid() else None


def _listed(base: Path) -> list[str]:
    try:
        return sorted(os.listdir(base))
    except OSError:
        return []
