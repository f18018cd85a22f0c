"""Whose something is, and who else could change it: the one judgement, of what is open already."""

from __future__ import annotations

import errno
import os
import stat

#: The first user namespace's uid_map: all ids are themselves.
_EVERYBODY = (0, 0, (1 << 32) - 1)


class Untrusted(OSError):
    """Another user has, or had, a hand in this path; the text says where. An OSError, so that it is reported as one."""

    def __init__(self, text: str) -> None:
        super().__init__(errno.EPERM, text)

    def __str__(self) -> str:
        return self.strerror or ""


def problem(info: os.stat_result, what: str, fd: int | None = None) -> str:
    """Who else could change what `info` is about, "" if no other user. fd: it is open as that, if it is.

    In a sticky directory others may make new names, but neither change nor remove what is there. Everybody may write
    to /dev/null: the mode of a device says who may use it, not who decides what it is.
    """
    known = (0, os.geteuid())
    if info.st_uid not in known and info.st_uid != unmapped_owner() and not _device_of_the_host(info):
        return f"{what} belongs to uid {info.st_uid}"
    if stat.S_ISLNK(info.st_mode) or stat.S_ISCHR(info.st_mode) or _sticky(info):
        return ""
    if info.st_mode & stat.S_IWOTH:
        return f"{what} is writable by every user (mode {stat.S_IMODE(info.st_mode):04o})"
    if info.st_mode & stat.S_IWGRP and not _harmless_group(info, fd):
        return f"{what} is writable by the group {info.st_gid} (mode {stat.S_IMODE(info.st_mode):04o})"
    return ""


def entry_problem(info: os.stat_result, parent: os.stat_result, what: str, fd: int | None = None) -> str:
    """The same of a name in a directory that is `parent`, which was judged itself.

    Where every user may make names, they may give a second one to a file or link of root's (link(2); only where
    fs.protected_hardlinks is 0), and real root's files cannot be told from another user's if neither has an id here.
    """
    if found := problem(info, what, fd):
        return found
    if _sticky(parent) and parent.st_mode & 0o022:
        if not stat.S_ISDIR(info.st_mode) and info.st_nlink > 1:
            return f"{what} has a second name (a hard link), and any user may make one there"
        if info.st_uid not in (0, os.geteuid()):
            return f"{what} belongs to uid {info.st_uid}, which stands for all users without an id here"
    return ""


def unmapped_owner() -> int | None:
    """The id that the owner of `/` has, where our user namespace maps no id to it (user_namespaces(7)).

    There (`unshare --map-root-user`) real root's files seem to belong to the overflow id: they are as good as `/`
    itself, whose owner no process inside can be.
    """
    owner = os.stat("/").st_uid
    if owner == 0:
        return None
    ranges = _mapped()
    return None if not ranges or any(first <= owner < first + count for first, _, count in ranges) else owner


def _device_of_the_host(info: os.stat_result) -> bool:
    """Whether it is a device in a user namespace, where nobody can make one (mknod(2)): rootless containers get
    /dev/null from their host, whose root has no id inside.
    """
    return stat.S_ISCHR(info.st_mode) and _mapped() not in ([], [_EVERYBODY])


def _mapped() -> list[tuple[int, ...]]:
    try:
        with open("/proc/self/uid_map") as file:
            return [tuple(map(int, line.split())) for line in file]
    except (OSError, ValueError):
        return []


def _sticky(info: os.stat_result) -> bool:
    return stat.S_ISDIR(info.st_mode) and bool(info.st_mode & stat.S_ISVTX)


def _harmless_group(info: os.stat_result, fd: int | None) -> bool:
    """Whether no other user is in its group. Few files are writable by one: who is in it is imported for them only."""
    from kdiag.trust import groups

    return groups.private(info) or groups.empty(info, fd)
