"""Suites' pythons on the host, to compile what their guests will import.

Unpacked packages have no bytecode (their scripts would make it), and compiling under emulation costs a guest five
seconds at each boot. A suite's own python is unpacked once and started through its own dynamic linker: no chroot, no
root. Bytecode does not depend on the architecture, so the host's architecture does for every guest.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import cache, mirror, tools
from .errors import LabError

#: Debian architecture -> dynamic linker, multi-arch triplet
LOADERS = {
    "amd64": ("lib64/ld-linux-x86-64.so.2", "x86_64-linux-gnu"),
    "arm64": ("lib/ld-linux-aarch64.so.1", "aarch64-linux-gnu"),
    "armhf": ("lib/ld-linux-armhf.so.3", "arm-linux-gnueabihf"),
    "i386": ("lib/ld-linux.so.2", "i386-linux-gnu"),
}
#: kdiag wants at least this python
OLDEST = (3, 10)
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Python:
    """An unpacked python: ``tree`` has usr/bin/python3 and its libraries; ``version`` is "3.13"."""

    tree: Path
    version: str


def new_enough(version: str) -> bool:
    """Can a python of this version ("3.9", "" for none) run kdiag?"""
    return bool(version) and tuple(int(part) for part in version.split(".")) >= OLDEST


def host_arch() -> str:
    """Debian's name of this machine's architecture."""
    machine = platform.machine()
    if machine not in _MACHINES:
        raise LabError(f"the lab does not run on {machine}", "x86_64 or aarch64")
    return _MACHINES[machine]


def get(suite: str, arch: str) -> Python:
    """A suite's python, unpacked; made if need be."""
    packages = ("python3", "python3-minimal")

    def make(place: Path) -> None:
        place.mkdir(parents=True)
        tar = place / "python.tar"
        unpack(suite, arch, packages, tar)
        keep = ["--exclude=./dev/*", "--exclude=./usr/share/*", "--exclude=./var/*", "--exclude=./etc/*"]
        tools.run(["tar", "-C", str(place), *keep, "-xf", str(tar)])
        tar.unlink()

    place = cache.obtain("tools", f"python-{suite}-{arch}", {"packages": packages, "revision": 2}, make)
    return Python(place, (place / "usr/bin/python3").readlink().name.removeprefix("python"))


def unpack(suite: str, arch: str, packages: Sequence[str], tar: Path, hooks: Sequence[str] = ()) -> None:
    """A tar of packages and what they depend on, unpacked without running their scripts."""
    tools.require(["mmdebstrap", "tar"], why="unpacking Debian packages")
    command = ["mmdebstrap", "--variant=extract", f"--architectures={arch}"]
    command += ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", f"--include={','.join(packages)}"]
    command += [f"--aptopt={line}" for line in mirror.options()]
    tools.run([*command, *hooks, suite, str(tar), mirror.source(suite)])


def compile_tree(python: Python, tree: Path, folders: Sequence[str]) -> None:
    """Compile the modules below folders of a tree; the bytecode names them as seen with the tree as ``/``.

    It is never checked against the source again ("unchecked-hash"): images do not change.
    """
    loader, triplet = LOADERS[host_arch()]
    top = python.tree
    command = [str(top / loader), "--library-path", str(top / "usr/lib" / triplet)]
    command += [str(top / f"usr/bin/python{python.version}"), "-I", "-m", "compileall", "-q", "-f"]
    command += ["--invalidation-mode", "unchecked-hash", "-s", str(tree), "-p", "/"]
    # a file that does not compile (tests of the standard library hold such on purpose) is no reason to stop
    tools.run(
        ["sh", "-c", '"$@" >/dev/null 2>&1 || true', "sh", *command, *(str(tree / name) for name in folders)]
    )
