"""Small readings that several facts share: one line, one number, one mounted kernel file."""

from __future__ import annotations

import errno
import re

from kdiag.system import System, Unavailable

#: What every /proc shows, also one that was mounted with subset=pid (Documentation/filesystems/proc.rst).
_OF_PROCESSES = re.compile(r"/proc/(self|thread-self|\d+)(/|$)")


def read_text(system: System, path: str, limit: int = 1024 * 1024) -> str | None:
    """A small text file without surrounding white space, None if absent; undecodable bytes are replaced."""
    data = system.read(path, limit)
    if data is None:
        need_proc(system, path)
        return None
    return data.decode("utf-8", "replace").strip("\0\n\t ")


def need_proc(system: System, path: str) -> None:
    """Raises Unavailable where a file of /proc is absent because this /proc does not show the kernel: then nothing
    follows from its absence. /proc/version is in every other one (fs/proc/version.c is always built). Its errno is
    ENOENT where this /proc shows no tool here more.
    """
    if not path.startswith("/proc/") or path == "/proc/version" or _OF_PROCESSES.match(path):
        return
    if system.stat("/proc/version") is None:
        if exists(system, "/proc/self/status"):
            words = f"{path} is not there, and /proc shows processes only (subset=pid)"
            raise Unavailable(words, errno.ENOENT)
        raise Unavailable(f"{path} is not there, and /proc is not mounted")


def read_number(system: System, path: str) -> int | None:
    """A file that holds one whole number, None if absent. Anything else in it is Unavailable."""
    text = read_text(system, path, 4096)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise Unavailable(f"{path}: holds {text!r:.60}, not a number") from None


def exists(system: System, path: str) -> bool:
    """Whether something is at `path` (links followed)."""
    return system.stat(path) is not None
