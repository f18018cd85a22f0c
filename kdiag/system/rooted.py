"""Paths below another root: links are followed as the examined system would, never out of its tree."""

from __future__ import annotations

import errno
import os

#: The kernel's own limit on links in one path (include/linux/namei.h, MAXSYMLINKS).
MAX_LINKS = 40


def resolve(root: str, path: str, *, follow_last: bool = True) -> str:
    """The host path of `path` as seen with `root` as `/`, with every link resolved inside the root.

    A missing component is kept as it is, so that the caller's own system call reports it.
    Raises OSError(ELOOP) after 40 links, as the kernel does.
    """
    if root == "/":
        return path
    pending = [part for part in path.split("/") if part not in ("", ".")][::-1]
    done: list[str] = []
    links = 0
    while pending:
        part = pending.pop()
        if part == "..":
            if done:
                done.pop()
            continue
        candidate = os.path.join(root, *done, part)
        if pending or follow_last:
            try:
                target = os.readlink(candidate)
            except OSError:
                target = None
            if target is not None:
                links += 1
                if links > MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                if target.startswith("/"):
                    done.clear()
                pending.extend([p for p in target.split("/") if p not in ("", ".")][::-1])
                continue
        done.append(part)
    return os.path.join(root, *done)
