"""tar.gz archives that are the same bytes for the same files, whoever packs them and when."""

from __future__ import annotations

import gzip
import sys
import tarfile
from pathlib import Path

import pyz


def pack(directory: Path, target: Path) -> None:
    """Pack what is in a directory: in the order of the names, as root's, of the one time of the release."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mtime = pyz.epoch()
        if not member.issym():
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        return member

    with (
        open(target, "wb") as out,
        gzip.GzipFile("", "wb", 9, out, mtime=pyz.epoch()) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in sorted(directory.rglob("*")):
            tar.add(path, str(path.relative_to(directory)), recursive=False, filter=plain)


def unpack(source: Path, directory: Path) -> None:
    """Unpack an archive of our own making."""
    with tarfile.open(source) as tar:
        if sys.version_info >= (3, 12):
            tar.extractall(directory, filter="data")
        else:
            tar.extractall(directory)  # noqa: S202  made by this very script
