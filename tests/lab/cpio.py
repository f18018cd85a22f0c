"""Write a "newc" cpio archive, the format of an initramfs, without root and without the cpio program.

Format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel. Archives may be concatenated.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Node:
    """A file, directory or symbolic link to be put in; always owned by root."""

    data: bytes = b""
    mode: int = stat.S_IFREG | 0o644


def executable(data: bytes) -> Node:
    """A file that can be run."""
    return Node(data, stat.S_IFREG | 0o755)


def directory() -> Node:
    """A directory, 0755."""
    return Node(b"", stat.S_IFDIR | 0o755)


def link(target: str) -> Node:
    """A symbolic link."""
    return Node(target.encode(), stat.S_IFLNK | 0o777)


def from_tree(top: Path, prefix: str) -> dict[str, Node]:
    """Nodes for a file or every file below a directory, named with ``prefix`` in front."""
    if not top.is_dir():
        return {prefix: _node(top)}
    nodes = {prefix: directory()}
    for path in sorted(top.rglob("*")):
        nodes[f"{prefix}/{path.relative_to(top)}"] = _node(path)
    return nodes


def _node(path: Path) -> Node:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return link(str(path.readlink()))
    if stat.S_ISDIR(status.st_mode):
        return directory()
    return Node(path.read_bytes(), stat.S_IFREG | (0o755 if status.st_mode & 0o100 else 0o644))


def archive(nodes: Mapping[str, Node]) -> bytes:
    """The archive; parent directories that are not named are added, names are written in sorted order."""
    every = dict(nodes)
    for name in nodes:
        for parent in Path(name).parents:
            if str(parent) not in {".", "/"}:
                every.setdefault(str(parent), directory())
    out = bytearray()
    for number, name in enumerate(sorted(every), start=1):
        _append(out, number, name, every[name])
    _append(out, 0, "TRAILER!!!", Node(b"", 0))
    return bytes(out) + b"\0" * (-len(out) % 512)


def _append(out: bytearray, inode: int, name: str, node: Node) -> None:
    raw = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(node.mode) else 1
    fields = (inode, node.mode, 0, 0, links, 0, len(node.data), 0, 0, 0, 0, len(raw), 0)
    out += b"070701" + b"".join(b"%08X" % field for field in fields) + raw
    out += b"\0" * (-len(out) % 4)
    out += node.data
    out += b"\0" * (-len(out) % 4)
