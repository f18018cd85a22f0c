"""Which groups have no user in them but the one whose file it is: what such a group may write to, no other user can."""

from __future__ import annotations

import errno
import grp
import os
import pwd


def private(info: os.stat_result) -> bool:
    """Whether the group is its owner's alone, as where every user has a group of the same number and umask is 002."""
    if not info.st_uid or info.st_gid != info.st_uid:
        return False
    try:
        members = grp.getgrgid(info.st_gid).gr_mem
        return all(name == pwd.getpwuid(info.st_uid).pw_name for name in members)
    except KeyError:
        return False


def empty(info: os.stat_result, fd: int | None) -> bool:
    """Whether no user but root is in the group, as in Debian's `staff`, which may write to /usr/local.

    Where there is an access control list the mode shows the most that any entry of it allows (acl(5)), so the group is
    not the answer: a list is looked for, by descriptor.
    """
    if fd is None or info.st_uid not in (0, os.geteuid()):
        return False
    try:
        os.getxattr(f"/proc/self/fd/{fd}", "system.posix_acl_access")
        return False
    except OSError as error:
        if error.errno not in (errno.ENODATA, errno.EOPNOTSUPP):
            return False
    try:
        members = set(grp.getgrgid(info.st_gid).gr_mem)
    except KeyError:
        return False
    # Accounts of root's group are old ways to shut the system down (`sync`, `halt`), not users.
    members |= (
        {user.pw_name for user in pwd.getpwall() if user.pw_gid == info.st_gid} if info.st_gid else set()
    )
    return members <= {"root"}
