"""Which packages hold kernel headers, which hold a kernel, and which only sound so, by the kind of their database.

The same name means different things: `linux-headers` is the kernel's on Arch and user space's on Alpine, and
`linux-pam-dev` is Linux-PAM's. Sources: the archives of the distributions and the package specifications that
kernels.json names.
"""

from __future__ import annotations

import re

#: Packages of UAPI headers: for compiling programs, not enough for bpftrace and bcc, whatever their names promise.
UAPI_PACKAGES = frozenset(
    {
        "linux-libc-dev",
        "kernel-headers",
        "linux-glibc-devel",
        "linux-api-headers",
        "kernel-libc-headers",
        "glibc-kernheaders",
        "proxmox-kernel-libc-dev",
        "sys-kernel/linux-headers",
        "linuxHeaders",
    }
)

#: Kind of database -> names of packages with kernel headers, or with a part of them.
_HEADERS = {
    "dpkg": r"linux-(?:[a-z0-9.+-]+-)?headers(?:-.+)?|linux-kbuild-.+|(?:proxmox|pve)-headers(?:-.+)?|"
    r"proxmox-default-headers|.+-kernel-headers",
    "rpm": r"kernel(?:[\d.]*|-[\w.-]+)-(?:devel|macros)(?:-matched)?|kernel-(?:devel|macros)|vzkernel-devel|"
    r"linux(?:-\w+)?-devel",
    "apk": r"linux-[\w.-]+-dev",
    "pacman": r"linux[\w.-]*-headers",
    "xbps": r"(?:linux[\w.-]*|\w+-kernel)-headers",
}
#: Those that only depend on the newest real one: they belong to no kernel.
_METAS = {
    "dpkg": r"(?:linux|pve|proxmox)-(?:\w+-)*headers(?:-(?!\d+\.\d+\.\d|(?:current|edge|legacy|vendor)-).*)?|"
    r"proxmox-headers-\d+\.\d+",
    "rpm": r".*-matched",
    "xbps": r"linux-(?:lts-|mainline-)?headers",
}
#: Named as if, and something else.
_OTHERS = {
    "dpkg": r"linux-headers-generic-hwe.*|linux-libc.*",
    "apk": r"linux-pam-dev|linux-headers",
    "rpm": r"kernel-srpm-macros|kernel-rpm-macros|kernel-cross-headers|kernel-.+-libs-devel",
    "pacman": r"linux-api-headers",
}
#: Kind of database -> names of packages with a kernel or its modules; the group is what its flavour is called by.
_KERNELS = {
    "dpkg": r"linux-(?:image|modules|binary|base)-(?:unsigned-)?(\d.*?)(?:-unsigned|-dbg)?|"
    r"(?:proxmox|pve)-kernel-(\d.*?)(?:-signed)?",
    "rpm": r"(kernel(?:-[a-z0-9]\w*|[\d.]+)*?)(?:-(?:core|modules|modules-core))?",
    "apk": r"(linux-[\w.-]+)",
    "xbps": r"(linux[\d.]+|\w+-kernel|linux-\w+)",
}
_NO_KERNELS = re.compile(
    r".*-(?:devel|headers|doc|debuginfo|tools|libs|extra|internal|matched|firmware|macros|dev|pam|srpm|rpm|install).*"
)


def is_headers(kind: str, name: str) -> bool:
    """Whether a package is of kernel headers or a part of them, of any kernel or of none (meta packages)."""
    if name in UAPI_PACKAGES or not _fits(_HEADERS, kind, name):
        return False
    return is_meta(kind, name) or not _fits(_OTHERS, kind, name)


def is_meta(kind: str, name: str) -> bool:
    """Whether a package has no headers of its own and only brings the newest along."""
    return _fits(_METAS, kind, name)


def kernel_stem(kind: str, name: str) -> str | None:
    """What the packages of one kernel have in common, for the package that holds it; None for all others.

    dpkg: its release (`6.8.0-40-generic`). rpm, apk, xbps: the name of the flavour (`kernel-ml`, `linux-lts`).
    """
    pattern = _KERNELS.get(kind)
    if pattern is None or (kind != "dpkg" and _NO_KERNELS.fullmatch(name)):
        return None
    found = re.fullmatch(pattern, name)
    return next((group for group in found.groups() if group), None) if found else None


def _fits(table: dict[str, str], kind: str, name: str) -> bool:
    pattern = table.get(kind)
    return pattern is not None and re.fullmatch(pattern, name) is not None
