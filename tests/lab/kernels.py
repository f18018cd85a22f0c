"""Kernels to boot: a directory with a kernel image, its config and perhaps modules.

In it: ``bzImage`` (or ``Image``, ``vmlinuz``), ``config``, and what there is of ``kheaders.ko``, ``modules/REL``
(to boot with), ``layer.ext4`` (to put over the root) and ``headers/*.deb``. The cache's kernels have the same form.
"""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel that can be booted.

    ``modules``: ``lib/modules/REL`` with modules.dep and at least the modules needed to see the disks; None for a
    kernel that needs none. ``layer``: disk image of what its packages install (modules, ``/boot``), if any.
    ``kheaders``: the module file that ``CONFIG_IKHEADERS=m`` makes; it is kept out of the layer, since whether it is
    installed is one of the lab's questions. ``headers``: Debian packages with its headers.
    """

    name: str
    release: str
    arch: str
    image: Path
    config: Path | None
    modules: Path | None = None
    layer: Path | None = None
    kheaders: Path | None = None
    headers: tuple[Path, ...] = ()


def from_directory(place: Path, name: str = "") -> Kernel:
    """The kernel in a directory; LabError when there is none."""
    if not place.is_dir():
        raise LabError(
            f"no kernel directory {place}",
            "give a directory with bzImage and config, or a name from `kernels`",
        )
    image = _first(place, ("bzImage", "vmlinuz", "Image"))
    if image is None:
        raise LabError(f"no kernel image in {place}", "expected bzImage, Image or vmlinuz")
    head = image.read_bytes()
    release = _told(place) or release_of(head)
    modules = place / "modules" / release
    return Kernel(
        name=name or place.name,
        release=release,
        arch=arch_of(head[:0x240]),
        image=image,
        config=_first(place, ("config",)),
        modules=modules if modules.is_dir() else None,
        layer=_first(place, ("layer.ext4",)),
        kheaders=_first(place, ("kheaders.ko",)),
        headers=tuple(sorted(place.glob("headers/*.deb"))),
    )


def _told(place: Path) -> str:
    """The release as it was noted when the kernel was fetched, "" for a kernel that nobody noted."""
    try:
        return str(json.loads((place / "kernel.json").read_text())["release"])
    except FileNotFoundError:
        return ""


def _first(place: Path, patterns: tuple[str, ...]) -> Path | None:
    for pattern in patterns:
        for path in sorted(place.glob(pattern)):
            return path
    return None


def arch_of(head: bytes) -> str:
    """Debian's name of the architecture that a kernel image is for, from its first bytes.

    x86: "HdrS" at 0x202 (Documentation/arch/x86/boot.rst). arm64: "ARM\\x64" at 0x38
    (Documentation/arch/arm64/booting.rst); a compressed EFI image says "zimg" at 4. 32-bit ARM: 0x016f2818 at 0x24
    (Documentation/arch/arm/booting.rst).
    """
    if head[0x202:0x206] == b"HdrS":
        # since protocol 2.12 xloadflags tells, bit 0, whether it can be entered in 64-bit mode
        told = int.from_bytes(head[0x206:0x208], "little") >= 0x20C
        return "i386" if told and not head[0x236] & 1 else "amd64"
    if head[0x24:0x28] == b"\x18\x28\x6f\x01":
        return "armhf"
    if head[0x38:0x3C] == b"ARM\x64" or head[4:8] == b"zimg":
        return "arm64"
    raise LabError("not a kernel image that the lab knows", "bzImage of x86, Image of arm64, zImage of ARM")


def release_of(image: bytes) -> str:
    """The release a kernel image was built as: what ``uname -r`` will say."""
    if arch_of(image[:0x240]) in ("amd64", "i386"):
        # kernel_version: offset of a string, less 0x200 (boot.rst)
        if len(image) < 0x210:
            raise LabError("the kernel image is cut short")
        (offset,) = struct.unpack_from("<H", image, 0x20E)
        text = image[0x200 + offset : 0x200 + offset + 128].split(b"\0")[0]
        return text.split(b" ")[0].decode("ascii", "replace")
    found = re.search(rb"Linux version (\S+) ", image)
    if found is None:
        raise LabError("the kernel image does not tell its release")
    return found[1].decode("ascii", "replace")
