"""Which packages are headers: the same word means the kernel's in one database and user space's in another."""

from __future__ import annotations

import pytest

from kdiag.knowledge.package_kinds import UAPI_PACKAGES, is_headers, is_meta, kernel_stem

HEADERS = {
    "dpkg": (
        "linux-headers-6.8.0-40-generic",
        "linux-hwe-6.8-headers-6.8.0-40",
        "linux-lowlatency-hwe-6.8-headers-6.8.0-40",
        "linux-aws-headers-5.15.0-1055",
        "linux-headers-6.1.0-44-common",
        "linux-headers-6.9.12+bpo-rt-amd64",
        "linux-headers-current-sunxi64",
        "linux-kbuild-6.1",
        "proxmox-headers-6.8.12-4-pve",
        "raspberrypi-kernel-headers",
    ),
    "rpm": (
        "kernel-devel",
        "kernel-uek-devel",
        "kernel6.12-devel",
        "kernel-default-devel",
        "linux-esx-devel",
    ),
    "apk": ("linux-lts-dev", "linux-virt-dev"),
    "pacman": ("linux-headers", "linux-zen-headers", "linux66-headers", "linux-cachyos-headers"),
    "xbps": ("linux6.12-headers", "rpi-kernel-headers"),
}
METAS = {
    "dpkg": (
        "linux-headers-generic",
        "linux-headers-generic-hwe-22.04",
        "linux-headers-aws-6.8",
        "linux-headers-cloud-amd64",
        "proxmox-default-headers",
        "proxmox-headers-6.8",
    ),
    "rpm": ("kernel-devel-matched",),
    "xbps": ("linux-headers", "linux-lts-headers"),
}
OTHERS = {
    "dpkg": ("linux-libc-dev", "linux-libc-dev-arm64-cross", "linux-image-6.8.0-40-generic", "libc6-dev"),
    "rpm": (
        "kernel-headers",
        "linux-glibc-devel",
        "kernel-srpm-macros",
        "kernel-core",
        "kernel-tools-libs-devel",
    ),
    "apk": ("linux-headers", "linux-pam-dev", "linux-lts"),
    "pacman": ("linux-api-headers", "linux", "linux-firmware"),
    "xbps": ("kernel-libc-headers", "linux6.12"),
}
KERNELS = {
    ("dpkg", "linux-image-6.8.0-40-generic"): "6.8.0-40-generic",
    ("dpkg", "linux-image-unsigned-6.8.0-40-generic"): "6.8.0-40-generic",
    ("dpkg", "proxmox-kernel-6.8.12-4-pve-signed"): "6.8.12-4-pve",
    ("dpkg", "linux-image-amd64"): None,
    ("dpkg", "linux-modules-extra-6.8.0-40-generic"): None,
    ("rpm", "kernel-core"): "kernel",
    ("rpm", "kernel-ml"): "kernel-ml",
    ("rpm", "kernel-ml-modules"): "kernel-ml",
    ("rpm", "kernel6.12"): "kernel6.12",
    ("rpm", "kernel-64k-core"): "kernel-64k",
    ("rpm", "kernel-cachyos-core"): "kernel-cachyos",
    ("rpm", "kernel-tools-libs"): None,
    ("rpm", "kernel-modules-extra"): None,
    ("apk", "linux-lts"): "linux-lts",
    ("apk", "linux-pam"): None,
    ("xbps", "linux6.12"): "linux6.12",
    ("pacman", "linux"): None,
}


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, names in HEADERS.items() for n in names])
def test_headers(kind: str, name: str) -> None:
    assert is_headers(kind, name)
    assert not is_meta(kind, name)


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, names in METAS.items() for n in names])
def test_metas_are_of_no_kernel(kind: str, name: str) -> None:
    assert is_headers(kind, name)
    assert is_meta(kind, name)


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, names in OTHERS.items() for n in names])
def test_what_only_sounds_so(kind: str, name: str) -> None:
    assert not is_headers(kind, name)


def test_headers_of_user_space_never_are() -> None:
    for name in UAPI_PACKAGES:
        assert not any(is_headers(kind, name) for kind in HEADERS)


@pytest.mark.parametrize(("package", "stem"), KERNELS.items())
def test_kernels(package: tuple[str, str], stem: str | None) -> None:
    assert kernel_stem(*package) == stem
