"""Layers: what is stacked on a root as further disks. Each is an image made from a tree, later ones cover earlier ones.

Trees are merged-/usr: ``lib/x`` is moved to ``usr/lib/x``, or the overlay would hide the root's ``/lib`` link.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from . import cache, debs, image, mirror, tools
from .errors import LabError
from .kernels import Kernel

_REVISION = 1


def from_directory(tree: Path, name: str = "") -> Path:
    """The image of a directory's content; made again only when the content differs."""
    content = fingerprint(tree)

    def fill(place: Path) -> None:
        shutil.copytree(tree, place, symlinks=True, dirs_exist_ok=True)

    return made(name or tree.name, {"content": content}, fill)


def made(name: str, recipe: Mapping[str, object], fill: Callable[[Path], None]) -> Path:
    """The image of the tree that ``fill(directory)`` makes."""

    def make(path: Path) -> None:
        tree = path.with_name(f"{path.name}.tree")
        cache.remove(tree)
        tree.mkdir()
        try:
            fill(tree)
            merge_usr(tree)
            image.from_tree(tree, path)
        finally:
            cache.remove(tree)

    return cache.obtain("layers", name, {"revision": _REVISION, **recipe}, make, ".ext4")


def merge_usr(tree: Path) -> None:
    """Move ``/lib``, ``/bin``, ``/sbin`` and ``/lib64`` under ``/usr``."""
    for name in ("lib", "bin", "sbin", "lib64"):
        top = tree / name
        if top.is_dir() and not top.is_symlink():
            shutil.copytree(top, tree / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(top)


def fingerprint(tree: Path) -> str:
    """A digest of names, kinds, permissions and contents below a directory (or of one file)."""
    total = hashlib.sha256()
    for path in [tree] if tree.is_file() else sorted(tree.rglob("*")):
        if "__pycache__" in path.parts:
            continue
        status = path.lstat()
        total.update(f"{path.relative_to(tree)}\0{status.st_mode:o}\0".encode())
        if path.is_symlink():
            total.update(os.fsencode(path.readlink()))
        elif path.is_file():
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def kheaders(kernel: Kernel) -> Path:
    """The headers state "module can be loaded": kheaders.ko in its place, with the indexes that depmod makes."""
    module = kernel.kheaders
    if module is None:
        raise LabError(f"kernel {kernel.name} has no kheaders module")
    tools.require(["depmod"], why="installing a module")

    def fill(tree: Path) -> None:
        others = tree / "lib/modules" / kernel.release
        if kernel.modules is not None:  # the index must name the kernel's other modules, too
            shutil.copytree(kernel.modules, others)
        place = others / "kernel/kernel/kheaders.ko"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(module, place)
        depmod(tree, kernel.release)

    return made(
        f"kheaders-{kernel.release}", {"module": fingerprint(module), "release": kernel.release}, fill
    )


def extracted(kernel: Kernel) -> Path:
    """The headers state "extracted by hand": the archive of kheaders.ko under ``/opt/kheaders/REL``."""
    module = kernel.kheaders
    if module is None:
        raise LabError(f"kernel {kernel.name} has no kheaders module")

    def fill(tree: Path) -> None:
        place = tree / "opt/kheaders" / kernel.release
        place.mkdir(parents=True)
        archive = tree / "kheaders.tar"
        archive.write_bytes(headers_archive(module.read_bytes()))
        tools.run(["tar", "-C", str(place), "-xf", str(archive)])
        archive.unlink()

    return made(
        f"kheaders-extracted-{kernel.release}",
        {"module": fingerprint(module), "release": kernel.release},
        fill,
    )


def headers_archive(module: bytes) -> bytes:
    """The tar that a kheaders.ko carries, decompressed. It is the only xz stream in the file (kernel/kheaders.c)."""
    start = module.find(b"\xfd7zXZ\x00")
    if start < 0:
        raise LabError("no xz archive in the kheaders module")
    return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(module[start:])


#: the halves of Debian's split header packages, as the lab names the layers
HEADERS = {
    "headers": r"linux-(headers|kbuild)-.*",
    "headers-arch": r"linux-headers-(?!.*-common(-|$)).*-[a-z0-9]+",
    "headers-common": r"linux-headers-.*-common(-[a-z0-9]+)?",
}


def headers(kernel: Kernel, which: str) -> Path:
    """Debian's header packages of a kernel, or a half of them: a key of ``HEADERS``."""
    chosen = [deb for deb in kernel.headers if re.fullmatch(HEADERS[which], deb.name.split("_")[0])]
    if not chosen:
        raise LabError(f"kernel {kernel.name} has no header packages")

    def fill(tree: Path) -> None:
        for deb in chosen:
            debs.unpack(deb, tree)
        (tree / ".dpkg-status").write_text(debs.status(chosen))

    return made(f"{which}-{kernel.release}", {"debs": {deb.name: fingerprint(deb) for deb in chosen}}, fill)


def packages(suite: str, arch: str, names: Sequence[str]) -> Path:
    """Packages of a suite, unpacked and noted as installed; without what they depend on."""

    def fill(tree: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="kdiag-lab-apt-") as scratch:
            apt = mirror.private_apt(Path(scratch), [suite], arch)
            fetched = debs.download(apt, names, Path(scratch) / "debs")
            for deb in fetched:
                debs.unpack(deb, tree)
            (tree / ".dpkg-status").write_text(debs.status(fetched))

    return made(f"packages-{suite}-{arch}", {"suite": suite, "packages": sorted(names)}, fill)


def depmod(tree: Path, release: str) -> None:
    """Make modules.dep and its companions below ``tree``; the lists that a build leaves may be missing."""
    bridge = tree / "lib"
    if not bridge.exists():  # depmod looks for lib/modules only
        bridge.symlink_to("usr/lib")
    top = tree / "lib/modules" / release
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        if not (top / name).exists():
            (top / name).touch()
    tools.run(["depmod", "-b", str(tree), release])
    if bridge.is_symlink():
        bridge.unlink()
