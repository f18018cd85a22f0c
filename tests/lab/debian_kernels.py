"""Debian's own kernels and their header packages."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from . import cache, debs, image, kernels, layers, mirror, tools
from .catalogue import Source, catalogue
from .errors import LabError
from .guest import boot_modules, read_index
from .kernels import Kernel

_REVISION = 3


#: Debian's kernels by name
SOURCES: Mapping[str, Source] = catalogue().sources


def get(name: str) -> Kernel:
    """The kernel of that name, fetched if need be."""
    source = SOURCES[name]
    place = cache.obtain("kernels", name, recipe(source), lambda path: _make(path, source))
    return kernels.from_directory(place, name)


def recipe(source: Source) -> dict[str, object]:
    """What decides the entry; which exact version the suite had is noted in its kernel.json."""
    facts = asdict(source)
    del facts["matrix"]
    return {"revision": _REVISION, **facts}


def _make(place: Path, source: Source) -> None:
    tools.require(["apt-get", "dpkg-deb", "depmod", "mkfs.ext4"], why="fetching a kernel")
    place.mkdir(parents=True)
    tree, packed = place / "tree", place / "packed"
    tree.mkdir()
    with tempfile.TemporaryDirectory(prefix="kdiag-lab-apt-") as scratch:
        apt = mirror.private_apt(Path(scratch), [source.suite], source.arch)
        release = _release(apt, source)
        parts = debs.closure(apt, f"linux-image-{release}", r"linux-(base|binary|modules)-\d.*")
        fetched = debs.download(apt, parts, packed)
        headers = debs.closure(apt, f"linux-headers-{release}", r"linux-(headers|kbuild)-\d.*")
        debs.download(apt, headers, place / "headers")
    for deb in fetched:
        debs.unpack(deb, tree)
    (tree / ".dpkg-status").write_text(debs.status(fetched))
    cache.remove(packed)
    layers.merge_usr(tree)
    _like_postinst(tree, release)
    layers.depmod(tree, release)
    _keep_boot_files(place, tree, release)
    image.from_tree(tree, place / "layer.ext4")
    cache.remove(tree)
    facts = {**asdict(source), "release": release, "packages": [deb.name for deb in fetched]}
    (place / "kernel.json").write_text(json.dumps(facts, indent=1))


def _release(apt: mirror.Apt, source: Source) -> str:
    # apt reads POSIX expressions: no \\d. 5.10.0-32-cloud-amd64, 6.12.107+deb13-cloud-amd64
    ending = rf"[0-9.]+(-[0-9]+)?([+][a-z0-9.]+)?-{re.escape(source.flavour)}"
    pattern = f"linux-image-{source.version.replace('.', '[.]')}[.]{ending}"
    name = debs.newest(debs.search(apt, pattern))
    if name is None:
        have = debs.newest(debs.search(apt, f"linux-image-{ending}"))
        raise LabError(
            f"{source.suite} has no {source.version} kernel any more; its newest is {have}",
            "change its version in tests/lab/lab.toml",
        )
    return name.removeprefix("linux-image-")


def _like_postinst(tree: Path, release: str) -> None:
    """What installing does beyond unpacking: from 7.x the packages ship nothing in /boot, installing copies it.

    Source: /usr/share/kernel/postinst.d/00-legacy-boot of linux-base 4.17; it leaves System.map where it is.
    """
    shipped, boot = tree / "usr/lib/modules" / release, tree / "boot"
    boot.mkdir(exist_ok=True)
    for name in ("vmlinuz", "config"):
        if (shipped / name).exists() and not (boot / f"{name}-{release}").exists():
            shutil.copyfile(shipped / name, boot / f"{name}-{release}")


def _keep_boot_files(place: Path, tree: Path, release: str) -> None:
    """Copy what the host needs to boot: image, config, the modules to see the disks with their index."""
    boot = tree / "boot"
    shutil.copyfile(boot / f"vmlinuz-{release}", place / "vmlinuz")
    shutil.copyfile(boot / f"config-{release}", place / "config")
    top, kept = tree / "usr/lib/modules" / release, place / "modules" / release
    kept.mkdir(parents=True)
    shutil.copyfile(top / "modules.dep", kept / "modules.dep")
    for module in boot_modules(read_index(top)):
        target = kept / module.relative_to(top)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(module, target)
