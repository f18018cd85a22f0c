"""A path followed link by link, as the examined system would follow it."""

from __future__ import annotations

from typing import NamedTuple

from kdiag.system import System, Unavailable

#: A chain of links longer than this is a loop (include/linux/namei.h, MAXSYMLINKS).
_MAX_HOPS = 40


class Chain(NamedTuple):
    """A path followed link by link. end: where it arrives; broken: the first path that does not exist, None
    if whole.
    """

    path: str
    hops: tuple[tuple[str, str], ...]
    end: str
    broken: str | None
    is_dir: bool

    def describe(self) -> str:
        """What is behind the path: `-> target -> target`, `absent`, with the first broken hop if there is
        one.
        """
        text = " ".join(f"-> {target}" for _, target in self.hops)
        if self.broken is not None:
            return f"{text} (absent: {self.broken})" if self.hops else "absent"
        end = "a directory" if self.is_dir else "not a directory"
        return f"{text} ({end})" if self.hops else end


def follow(system: System, path: str) -> Chain:
    """Follow `path` through its links. Raises Unavailable where a hop cannot be looked at."""
    hops: list[tuple[str, str]] = []
    current = path.rstrip("/") or "/"
    for _ in range(_MAX_HOPS):
        info = system.lstat(current)
        if info is None:
            return Chain(path, tuple(hops), current, _first_missing(system, current), is_dir=False)
        if info.kind != "link":
            return Chain(path, tuple(hops), current, None, is_dir=info.kind == "dir")
        target = info.target or ""
        hops.append((current, target))
        current = _joined(system, current.rpartition("/")[0], target)
    raise Unavailable(f"{path}: a loop of links")


def _joined(system: System, directory: str, target: str) -> str:
    """Where a link in `directory` leads. `..` goes up from where the directory really is: on merged-/usr systems
    /lib/modules/R is /usr/lib/modules/R, and Debian's build link is ../../../src/linux-headers-R.
    """
    done: list[str] = []
    pending = (
        target.split("/")[::-1]
        if target.startswith("/")
        else [*target.split("/")[::-1], *directory.split("/")[::-1]]
    )
    links = 0
    while pending:
        part = pending.pop()
        if part == "..":
            if done:
                done.pop()
        elif part not in ("", "."):
            done.append(part)
            link = _link(system, "/" + "/".join(done)) if ".." in pending else None
            if link is not None:
                links += 1
                if links > _MAX_HOPS:
                    raise Unavailable(f"{directory}: a loop of links")
                done = [] if link.startswith("/") else done[:-1]
                pending += link.split("/")[::-1]
    return "/" + "/".join(done)


def _link(system: System, path: str) -> str | None:
    """The target of a link, None for anything else, also for what cannot be looked at."""
    try:
        info = system.lstat(path)
    except Unavailable:
        return None
    return info.target if info is not None and info.kind == "link" else None


def _first_missing(system: System, path: str) -> str:
    """The topmost part of `path` that does not exist."""
    missing = path
    parent = path.rpartition("/")[0]
    while parent:
        try:
            if system.stat(parent) is not None:
                return missing
        except Unavailable:
            return missing
        missing, parent = parent, parent.rpartition("/")[0]
    return missing
