"""Kernel images: architecture and release read from the bytes; directories of kernels."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from . import kernels
from .errors import LabError

READY = Path(__file__).resolve().parents[3] / "shared/kernels/6.12-ikheaders-m"


def _bzimage(release: str) -> bytes:
    image = bytearray(0x1000)
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", image, 0x20E, 0x400)
    text = f"{release} (lab@lab) #1 SMP".encode() + b"\0"
    image[0x600 : 0x600 + len(text)] = text
    return bytes(image)


def _arm64(release: str) -> bytes:
    return bytes(0x38) + b"ARM\x64" + bytes(0x400) + f"Linux version {release} (lab@lab)".encode()


@pytest.mark.parametrize(("make", "arch"), [(_bzimage, "amd64"), (_arm64, "arm64")])
def test_release_and_architecture(make: object, arch: str) -> None:
    assert callable(make)
    image = make("6.12.107+deb13-cloud-amd64")
    assert kernels.arch_of(image) == arch
    assert kernels.release_of(image) == "6.12.107+deb13-cloud-amd64"


def test_something_else_is_an_error() -> None:
    with pytest.raises(LabError):
        kernels.release_of(b"\x7fELF" + bytes(0x300))
    with pytest.raises(LabError):
        kernels.release_of(_bzimage("x")[:0x20E])


def test_a_directory(tmp_path: Path) -> None:
    (tmp_path / "bzImage").write_bytes(_bzimage("6.1.0"))
    (tmp_path / "modules/6.1.0").mkdir(parents=True)
    (tmp_path / "kheaders.ko").write_bytes(b"")
    kernel = kernels.from_directory(tmp_path, "mine")
    assert (kernel.name, kernel.release, kernel.arch) == ("mine", "6.1.0", "amd64")
    assert kernel.modules == tmp_path / "modules/6.1.0"
    assert kernel.kheaders == tmp_path / "kheaders.ko"
    assert kernel.config is None and kernel.layer is None and kernel.headers == ()


def test_no_kernel_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(LabError) as caught:
        kernels.from_directory(tmp_path)
    assert "bzImage" in caught.value.hint
    with pytest.raises(LabError):
        kernels.from_directory(tmp_path / "absent")


@pytest.mark.skipif(not READY.exists(), reason="the ready-made kernel is not here")
def test_the_ready_kernel() -> None:
    kernel = kernels.from_directory(READY)
    assert kernel.release == "6.12.107-kdiaglab"
    assert kernel.kheaders is not None
