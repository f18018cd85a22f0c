"""Disk images from directory trees: ext4 without a journal, read-only in the guest.

ext4 and not squashfs because every kernel of the lab can read it (Debian's as a module, built ones compiled in).
Features that need a checksum driver are off, so that ext4's module works with few companions.
"""

from __future__ import annotations

import os
from pathlib import Path

from . import tools

_FEATURES = "^has_journal,^metadata_csum,^metadata_csum_seed,^64bit,^resize_inode,^orphan_file"
_UUID = "6b646961-672d-6c61-6220-696d61676521"  # any fixed one: equal trees give equal images


def needs(tree: Path) -> tuple[int, int]:
    """(bytes, inodes) an image needs for a tree, with room for metadata."""
    blocks, inodes = 0, 64
    for base, directories, files in os.walk(tree):
        inodes += len(directories) + len(files)
        blocks += len(directories)
        for name in files:
            blocks += -(-os.lstat(os.path.join(base, name)).st_size // 4096)
    return (blocks + inodes // 8 + blocks // 64 + 1024) * 4096, inodes + inodes // 16


def from_tree(tree: Path, image: Path, memory: Path | None = None) -> None:
    """Make an ext4 image of a tree; ``memory`` as in ``tools.as_root``."""
    tools.require(["mkfs.ext4"], why="making an image")
    size, inodes = needs(tree)
    with image.open("wb") as file:
        file.truncate(size)
    options = ["-q", "-F", "-b", "4096", "-m", "0", "-N", str(inodes), "-O", _FEATURES, "-U", _UUID]
    command = ["mkfs.ext4", *options, "-E", "lazy_itable_init=1,root_owner=0:0", "-d", str(tree), str(image)]
    tools.run(tools.as_root(command, memory))
