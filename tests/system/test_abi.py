"""Other architectures' numbers, widths and bit orders; ctypes lays the structures out as their compilers do."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

import pytest

from kdiag.system import Unavailable, abi, probes, syscalls


class _LittleInstruction(ctypes.LittleEndianStructure):
    _fields_ = (
        ("code", ctypes.c_uint8),
        ("dst", ctypes.c_uint8, 4),
        ("src", ctypes.c_uint8, 4),
        ("off", ctypes.c_int16),
        ("imm", ctypes.c_int32),
    )


class _BigInstruction(ctypes.BigEndianStructure):
    _fields_ = _LittleInstruction._fields_


class _LittleFlags(ctypes.LittleEndianStructure):
    _fields_ = (
        ("disabled", ctypes.c_uint64, 1),
        ("inherit", ctypes.c_uint64, 1),
        ("rest", ctypes.c_uint64, 62),
    )


class _BigFlags(ctypes.BigEndianStructure):
    _fields_ = _LittleFlags._fields_


@pytest.mark.parametrize(("order", "kind"), [("little", _LittleInstruction), ("big", _BigInstruction)])
@pytest.mark.parametrize("fields", [(0xBF, 1, 10, 0, 0), (0x07, 1, 0, 0, -8), (0x7B, 10, 3, -16, 0x01020304)])
def test_instructions(order: str, kind: type[ctypes.Structure], fields: tuple[int, ...]) -> None:
    assert abi.instruction(*fields, byteorder=order) == bytes(kind(*fields))


@pytest.mark.parametrize(("order", "kind"), [("little", _LittleFlags), ("big", _BigFlags)])
def test_the_event_is_never_enabled(order: str, kind: type[ctypes.Structure]) -> None:
    word = struct.pack(">Q" if order == "big" else "<Q", abi.perf_disabled(order))
    flags = kind.from_buffer_copy(word)
    assert (flags.disabled, flags.inherit, flags.rest) == (1, 0, 0)


def test_the_type_of_a_file_system() -> None:
    magic = 0x74726163
    little = struct.pack("<qq", magic, 4096)
    assert abi.statfs_type(little, "little", "x86_64") == magic
    # s390's struct statfs begins with two unsigned ints: the block size lies where others have half of the type.
    assert abi.statfs_type(struct.pack(">IIQ", magic, 4096, 9), "big", "s390x") == magic
    if struct.calcsize("P") == 8:
        assert abi.statfs_type(struct.pack(">qq", magic, 4096), "big", "ppc64") == magic
        assert abi.statfs_type(struct.pack(">qq", 0xCAFE4A11, 4096), "big", "sparc64") == 0xCAFE4A11


def test_the_type_of_a_file_system_here() -> None:
    by_stat = os.popen("stat -f -c %t /proc").read().strip()
    assert syscalls.statfs_magic("/proc") == int(by_stat, 16)


@pytest.mark.parametrize(
    ("name", "pointer", "numbers"),
    [
        ("x86_64-linux-gnu", 8, (321, 298)),
        ("x86_64", 4, (357, 336)),
        ("i386-linux-gnu", 4, (357, 336)),
        ("aarch64-linux-musl", 8, (280, 241)),
        ("aarch64", 4, (386, 364)),
        ("arm-linux-gnueabihf", 4, (386, 364)),
        ("powerpc64le-linux-gnu", 8, (361, 319)),
        ("s390x-linux-gnu", 8, (351, 331)),
        ("riscv64-linux-gnu", 8, (280, 241)),
        ("loongarch64-linux-gnu", 8, (280, 241)),
        ("mips64el-linux-gnuabi64", 8, (5315, 5292)),
        ("mips64el-linux-gnuabin32", 4, (6319, 6296)),
        ("mipsel-linux-gnu", 4, (4355, 4333)),
    ],
)
def test_call_numbers(name: str, pointer: int, numbers: tuple[int, int]) -> None:
    assert abi.call_numbers(name, pointer) == numbers
    # arch/mips/kernel/syscalls: 64, N32 and O32 begin at 5000, 6000 and 4000
    mips = {"mips64el-linux-gnuabi64": 5437, "mips64el-linux-gnuabin32": 6437, "mipsel-linux-gnu": 4437}
    assert abi.openat2_number(name, pointer) == mips.get(name, 437)


@pytest.mark.parametrize(
    ("name", "pointer"), [("mips64", 4), ("sparc64-linux-gnu", 8), ("alpha", 8), ("hppa", 4), ("ia64", 8)]
)
def test_no_number_is_guessed(name: str, pointer: int) -> None:
    assert abi.call_numbers(name, pointer) is None
    assert abi.openat2_number(name, pointer) is None


def test_without_a_number_no_call_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that the table does not know, another system call would be made: nothing is asked."""
    made: list[object] = []
    monkeypatch.setattr(abi, "call_numbers", lambda: None)
    monkeypatch.setattr(syscalls, "_libc", lambda: made.append("a call"))
    for name in ("bpf:map", "perf:profile", "bpf:prog:kprobe", "bpf:kprobe-multi"):
        with pytest.raises(Unavailable, match="no system call numbers"):
            probes.run_probe(name)
    assert not made


@pytest.mark.parametrize(
    ("release", "version", "signature", "code"),
    [
        ("4.19.0-27-amd64", "#1 SMP Debian 4.19.316-1 (2024-06-25)", "", 0x0413FF),
        ("4.9.0-19-amd64", "#1 SMP Debian 4.9.320-2 (2022-06-30)", "", 0x0409FF),
        (
            "4.15.0-213-generic",
            "#224-Ubuntu SMP Mon Jun 19",
            "Ubuntu 4.15.0-213.224-generic 4.15.18\n",
            0x040F12,
        ),
        ("4.14.355-275.570.amzn2.x86_64", "#1 SMP Fri Jan 3", "", 0x040EFF),
        ("3.10.0-1160.el7.x86_64", "#1 SMP Mon Oct 19", "", 0x030A00),
        ("4.4.0-19041-Microsoft", "#1-Microsoft", "", 0x040400),
        ("5.10-rc3", "#1 SMP", "", 0x050A00),
        ("something", "", "", 0),
    ],
)
def test_version_code(release: str, version: str, signature: str, code: int) -> None:
    assert probes.version_code(release, version, signature) == code


def test_version_code_here() -> None:
    """The header that a distribution ships for compiling against this kernel says the same number."""
    path = Path(f"/lib/modules/{os.uname().release}/build/include/generated/uapi/linux/version.h")
    if not path.exists():
        pytest.skip("the running kernel's headers are not here")
    line = next(line for line in path.read_text().splitlines() if "LINUX_VERSION_CODE" in line)
    assert probes._kernel_version_code() == int(line.split()[-1])
