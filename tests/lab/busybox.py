"""The guest's first programs: Debian's static busybox, of the guest's architecture, fetched by apt."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from . import cache, debs, mirror, tools

_SUITE = "trixie"


def get(arch: str) -> Path:
    """The statically linked busybox for a Debian architecture."""

    def make(path: Path) -> None:
        tools.require(["apt-get", "dpkg-deb"], why="fetching busybox")
        with tempfile.TemporaryDirectory(prefix="kdiag-lab-apt-") as name:
            scratch = Path(name)
            apt = mirror.private_apt(scratch, [_SUITE], arch)
            for deb in debs.download(apt, ["busybox-static"], scratch / "debs"):
                debs.unpack(deb, scratch / "tree")
            shutil.copyfile(next(scratch.glob("tree/**/bin/busybox")), path)

    return cache.obtain("tools", f"busybox-{arch}", {"suite": _SUITE, "arch": arch}, make)
