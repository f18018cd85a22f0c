"""The exact names of kernel header packages: one small function per naming scheme, release in, names out.

Sources: the packages and package specifications named in kernels.json; Debian and Ubuntu archive names;
proxmox/pve-kernel debian/control.in; awslabs/amazon-eks-ami#2345 for Amazon's numbered names;
alpinelinux/aports main/linux-lts/APKBUILD. What was not verified is marked so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from kdiag.knowledge.builds import Build, version_of
from kdiag.knowledge.kernel_options import Confidence


class Names(NamedTuple):
    """What a scheme says about one release.

    version: the package version that belongs to the release where the name does not carry it; a trailing
    `*` stands for a rebuild number. parts_like: a pattern for other names that the parts may have. confidence:
    None to leave the scheme's own.
    """

    name: str | None
    parts: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()
    metas: tuple[str, ...] = ()
    version: str | None = None
    parts_like: str | None = None
    manager: str | None = None
    confidence: Confidence | None = None


def _debian(release: str) -> Names:
    found = re.fullmatch(r"(.+?)-((?:cloud-|rt-)?[a-z0-9]+(?:-(?:16k|64k|lpae|pae))?)", release)
    if found is None:
        return Names(f"linux-headers-{release}")
    abi, flavour = found[1], found[2]
    parts = [f"linux-headers-{abi}-common" + ("-rt" if flavour.startswith("rt-") else "")]
    if old := re.fullmatch(r"(\d+\.\d+)\.0-\d+", abi):
        parts.append(f"linux-kbuild-{old[1]}")
    elif "+deb" in abi:
        parts.append(f"linux-kbuild-{abi}")
    return Names(f"linux-headers-{release}", tuple(parts), metas=(f"linux-headers-{flavour}",))


def ubuntu(release: str, build: Build | None) -> Names:
    """linux-headers-RELEASE and its common half, which is called after the source package: `linux`, `linux-aws`, and
    for a newer kernel in an older release `linux-hwe-6.8`, `linux-aws-6.8`.
    """
    found = re.fullmatch(r"(\d+\.\d+\.\d+-(\d+))-(.+)", release)
    if found is None:
        return Names(f"linux-headers-{release}")
    abi, flavour = found[1], found[3]
    line = "{}.{}".format(*version_of(release))
    backported = build is not None and build.channel == "hwe"
    source = _ubuntu_source(flavour.removesuffix("-64k"), int(found[2]), version_of(release), backported)
    meta = f"linux-headers-{flavour}"
    metas: tuple[str, ...] = (meta,)
    if backported and build is not None and flavour in ("generic", "lowlatency"):
        metas = (f"{meta}-hwe-{build.series}",)
    elif source:
        metas = (meta, f"{meta}-{line}")
    return Names(
        f"linux-headers-{release}",
        (f"linux-{source}headers-{abi}",),
        metas=metas,
        parts_like=rf"linux-(?:[a-z0-9.-]+-)?headers-{re.escape(abi)}",
    )


def _ubuntu_source(flavour: str, count: int, line: tuple[int, int], backported: bool) -> str:
    """`hwe-6.8-`, `aws-`: what a source package is called after `linux-`; empty for the main one."""
    number = "{}.{}-".format(*line)
    newer = number if backported else ""
    if flavour == "generic" and count >= 1000:
        return f"riscv-{newer}"  # it has the flavour generic, too; the main source counts from 1
    if flavour == "lowlatency" and line >= (5, 15):  # it got a source of its own
        return f"lowlatency-hwe-{number}" if backported else "lowlatency-"
    if flavour in ("generic", "virtual", "lowlatency", "generic-lpae"):
        return f"hwe-{number}" if backported and line >= (5, 4) else ""
    if flavour == "oem" and line >= (5, 6):
        return f"oem-{number}"
    return f"{flavour}-{newer}" if line >= (5, 3) else f"{flavour}-"


def _proxmox(release: str) -> Names:
    new, old = f"proxmox-headers-{release}", f"pve-headers-{release}"
    series = "{}.{}".format(*version_of(release))
    # the packages were renamed in PVE 8; the new ones provide the old name
    if version_of(release) < (6, 5):
        return Names(old, alternatives=(new,), metas=("pve-headers", "proxmox-default-headers"))
    return Names(new, alternatives=(old,), metas=("proxmox-default-headers", f"proxmox-headers-{series}"))


def _raspberrypi(release: str) -> Names:
    if found := re.fullmatch(r"(\d[\w.]*(?:\+rpt|-rpi\d+))-rpi-([\w-]+)", release):
        abi, flavour = found[1], found[2]
        parts = [f"linux-headers-{abi}-common-rpi"]
        if "+rpt" in abi:
            parts.append(f"linux-kbuild-{abi}")
        return Names(f"linux-headers-{release}", tuple(parts), metas=(f"linux-headers-rpi-{flavour}",))
    return Names(
        "raspberrypi-kernel-headers"
    )  # up to bullseye: one package, its version follows the kernel's


def _armbian(release: str) -> Names:
    found = re.search(r"-((?:current|edge|legacy|vendor)-.+)", release)
    return Names(f"linux-headers-{found[1]}" if found else None)


def _rpm_devel(release: str) -> Names:
    """kernel-devel; a `+rt`, `+debug`, `+64k` at the end of the release moves into the name."""
    base, _, variant = release.partition("+")
    if not variant and re.search(r"\.rt\d+\.", base):
        variant = "rt"
    if ".centos.plus." in base:
        variant = "plus"
    package = f"kernel-{variant}-devel" if variant else "kernel-devel"
    manager = "yum" if ".el7" in release else None
    return Names(f"{package}-{base}", metas=(package, "kernel-devel-matched"), manager=manager)


def _oracle_uek(release: str) -> Names:
    manager = "yum" if ".el7uek" in release or ".el6uek" in release else None
    if "ueknext" in release:
        return Names(f"kernel-ueknext-devel-{release}", manager=manager, confidence="unverified")
    if release.endswith(".64k"):
        base = release.removesuffix(".64k")
        return Names(f"kernel-uek64k-devel-{base}", manager=manager, confidence="unverified")
    return Names(f"kernel-uek-devel-{release}", metas=("kernel-uek-devel",), manager=manager)


def _elrepo(release: str) -> Names:
    names = (f"kernel-ml-devel-{release}", f"kernel-lt-devel-{release}")
    return Names(None, alternatives=names, metas=("kernel-ml-devel", "kernel-lt-devel"))


def _amazon_numbered(release: str) -> Names:
    line = "kernel{}.{}-devel".format(*version_of(release))
    return Names(f"{line}-{release}", alternatives=(f"kernel-devel-{release}",), metas=(line,))


def _mageia(release: str) -> Names:
    """6.6.22-desktop-1.mga9 is of kernel-desktop 6.6.22-1.mga9."""
    found = re.fullmatch(r"([\d.]+)-([a-z]+(?:-\w+)??)-(\d+\.mga\d+)", release)
    return Names(f"kernel-{found[2]}-devel-{found[1]}-{found[3]}" if found else None)


def _photon(release: str) -> Names:
    found = re.fullmatch(r"(.+\.ph\d+)-(\w+)", release)
    package = f"linux-{found[2]}-devel" if found else "linux-devel"
    return Names(f"{package}-{found[1] if found else release}", metas=(package,))


def _suse(release: str) -> Names:
    base, _, flavour = release.rpartition("-")
    return Names(f"kernel-{flavour}-devel", ("kernel-devel", "kernel-macros"), version=f"{base}.*")


def _arch(release: str) -> Names:
    """6.8.1-arch1-1 belongs to linux-headers 6.8.1.arch1-1; a new series is 6.8 there and 6.8.0 here."""
    if found := re.fullmatch(r"([\d.]+)-((?:arch|zen|hardened)\d+)-([\d.]+?)(?:-(zen|hardened))?", release):
        number = re.sub(r"^(\d+\.\d+)\.0$", r"\1", found[1])
        name = f"linux-{found[4]}-headers" if found[4] else "linux-headers"
        return Names(name, version=f"{number}.{found[2]}-{found[3]}")
    if found := re.fullmatch(r"([\d.]+-[\d.]+)-lts", release):
        return Names("linux-lts-headers", version=found[1])
    return Names("linux-headers")


def _arch_like(pattern: str, template: str) -> Callable[[str], Names]:
    def names(release: str) -> Names:
        found = re.fullmatch(pattern, release)
        if found is None:
            return Names(None)
        return Names(template.format(*found.groups()), version=found.groupdict().get("version"))

    return names


def _manjaro(release: str) -> Names:
    version = re.match(r"[\d.]+-[\d.]*\d", release)
    major, minor = version_of(release)
    return Names(f"linux{major}{minor}-headers", version=version[0] if version else None)


def _steamos(release: str) -> Names:
    found = re.search(r"-(neptune(?:-\w+)*)$", release)
    name = f"linux-{found[1]}-headers" if found else None
    return Names(name, alternatives=("linux-neptune-headers",))


def _alpine(release: str) -> Names:
    """localversion is -<pkgrel>-<flavour>: 6.6.100-0-lts is linux-lts 6.6.100-r0."""
    found = re.fullmatch(r"([\d.]+)-(\d+)-(\w+)", release)
    if found is None:
        return Names(None)
    return Names(f"linux-{found[3]}-dev", version=f"{found[1]}-r{found[2]}")


def _void(release: str) -> Names:
    series = "linux{}.{}-headers".format(*version_of(release))
    return Names(series, metas=("linux-headers", "linux-lts-headers"), version=release)


#: Scheme of packages.json -> its names, where a template does not do.
NAMES: Mapping[str, Callable[[str], Names]] = {
    "debian": _debian,
    "proxmox": _proxmox,
    "raspberrypi": _raspberrypi,
    "armbian": _armbian,
    "fedora": _rpm_devel,
    "rhel-devel": _rpm_devel,
    "rhel-devel-unsure": _rpm_devel,
    "rpm-kernel-devel": _rpm_devel,
    "rpm-third-party": _rpm_devel,
    "oracle-uek": _oracle_uek,
    "elrepo": _elrepo,
    "amazonlinux-2023-numbered": _amazon_numbered,
    "mageia": _mageia,
    "photon": _photon,
    "suse": _suse,
    "arch": _arch,
    "arch-arm": _arch_like(r"(?P<version>[\d.]+-\d+)-(aarch64|rpi)-ARCH", "linux-{1}-headers"),
    "cachyos": _arch_like(r"(?P<version>[\d.]+-[\d.]+)-(cachyos[\w-]*)", "linux-{1}-headers"),
    "manjaro": _manjaro,
    "steamos": _steamos,
    "alpine": _alpine,
    "void": _void,
}
