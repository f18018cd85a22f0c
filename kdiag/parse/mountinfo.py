"""/proc/<pid>/mountinfo: what is mounted where, as the process sees it. Format: proc_pid_mountinfo(5).

Mounts hide each other: a mount point can carry several, and a mount over a parent directory hides those
below. `Mounts.covering` walks the tree of mounts as the kernel walks a path, so that it finds the visible
one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from kdiag.parse.errors import ParseError

#: A line is at most a few pages; a file of this size means something else is being read.
_LARGEST = 64 * 1024 * 1024

_NUMBER = re.compile(rb"\d{1,10}")
_DEVICE = re.compile(rb"(\d{1,10}):(\d{1,10})")
#: The kernel escapes space, tab, newline, backslash and (in some fields) #, as three octal digits.
_OCTAL = re.compile(rb"\\([0-3][0-7]{2})")


class Mount(NamedTuple):
    """One line. Paths are decoded, their escapes undone; bytes that are not UTF-8 become surrogate escapes.

    root: the directory of the file system that is mounted (`/` but for bind mounts). optional: the fields
    `shared:N`, `master:N`, `propagate_from:N`, `unbindable`. source: `none` or anything at all; may be
    empty.
    """

    id: int
    parent: int
    device: tuple[int, int]
    root: str
    mount_point: str
    options: tuple[str, ...]
    optional: tuple[str, ...]
    fstype: str
    source: str
    super_options: tuple[str, ...]

    @property
    def read_only(self) -> bool:
        """Whether writing through this mount is refused, by the mount or by its file system."""
        return "ro" in self.options or "ro" in self.super_options


class Mounts:
    """The mounts of one process, in the file's order."""

    def __init__(self, entries: tuple[Mount, ...]) -> None:
        self.entries = entries
        self._children: dict[int, list[Mount]] = {}
        ids = {mount.id for mount in entries}
        for mount in self.entries:
            # the parent of the topmost mount is outside of what this process sees, or the mount itself
            parent = mount.parent if mount.parent in ids and mount.parent != mount.id else -1
            self._children.setdefault(parent, []).append(mount)

    def __iter__(self) -> Iterator[Mount]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def of_type(self, *fstypes: str) -> tuple[Mount, ...]:
        """The mounts of these types (`fuse.sshfs` is one type, `fuse` another), hidden ones included."""
        return tuple(mount for mount in self.entries if mount.fstype in fstypes)

    def covering(self, path: str) -> Mount | None:
        """The mount that `path` is on: the visible one. None if no listed mount covers it (in a chroot).

        `path` is absolute and free of `.`, `..` and symbolic links: no file system is asked.
        """
        current: Mount | None = None
        seen: set[int] = set()
        while True:
            below = self._children.get(-1 if current is None else current.id, ())
            # walking down the path, the first mount point met is the one that is entered
            step = min(
                (mount for mount in below if _is_under(path, mount.mount_point) and mount.id not in seen),
                key=lambda mount: len(mount.mount_point.rstrip("/")),
                default=None,
            )
            if step is None:
                return current
            seen.add(step.id)
            current = step

    def at(self, path: str) -> Mount | None:
        """The visible mount whose mount point is `path`; None if there is none, or something hides it."""
        mount = self.covering(path)
        return mount if mount is not None and _same(mount.mount_point, path) else None


def parse(data: bytes) -> Mounts:
    """The mounts of a mountinfo file. Raises ParseError, its `offset` being the line number."""
    if len(data) > _LARGEST:
        raise ParseError(f"mountinfo of {len(data)} bytes is not credible")
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return Mounts(tuple(_mount(line, number) for number, line in enumerate(lines, 1)))


def _mount(line: bytes, number: int) -> Mount:
    # single spaces: an empty source makes two of them in a row
    fields = line.split(b" ")
    try:
        dash = fields.index(b"-", 6)
    except ValueError:
        raise ParseError("mountinfo: no separator after the optional fields, line", number) from None
    device = _DEVICE.fullmatch(fields[2])
    if device is None or not _NUMBER.fullmatch(fields[0]) or not _NUMBER.fullmatch(fields[1]):
        raise ParseError("mountinfo: ids and device are not numbers, line", number)
    if len(fields) < dash + 3 or not fields[dash + 1] or not fields[4].startswith(b"/"):
        raise ParseError("mountinfo: mount point or file system type is missing, line", number)
    return Mount(
        id=int(fields[0]),
        parent=int(fields[1]),
        device=(int(device[1]), int(device[2])),
        root=_text(fields[3]),
        mount_point=_text(fields[4]),
        options=_options(fields[5]),
        optional=tuple(_text(part) for part in fields[6:dash] if part),
        fstype=_text(fields[dash + 1]),
        source=_text(fields[dash + 2]),
        super_options=_options(b" ".join(fields[dash + 3 :])),
    )


def _text(raw: bytes) -> str:
    if b"\\" in raw:
        raw = _OCTAL.sub(lambda match: bytes((int(match[1], 8),)), raw)
    return raw.decode("utf-8", "surrogateescape")


def _options(raw: bytes) -> tuple[str, ...]:
    return tuple(_text(part) for part in raw.split(b",") if part)


def _same(one: str, other: str) -> bool:
    return (one.rstrip("/") or "/") == (other.rstrip("/") or "/")


def _is_under(path: str, directory: str) -> bool:
    directory = directory.rstrip("/")
    return path == directory or path.startswith(directory + "/")
