"""What differs between architectures in the calls that Python does not wrap: numbers, widths, the order of bits.

An interpreter makes the calls of its own ABI, whatever uname(2) says: an x86_64 one emulated on an arm64 kernel makes
x86_64 calls. All functions are pure; the arguments are the interpreter's own where none are given.
"""

from __future__ import annotations

import os
import struct
import sys

#: bpf(2), perf_event_open(2) by the beginning of the multiarch name and the size of a pointer
#: (arch/*/kernel/syscalls/syscall*.tbl, arch/*/tools/syscall*.tbl; include/uapi/asm-generic/unistd.h).
_GENERIC = (280, 241)
_NUMBERS: tuple[tuple[tuple[str, ...], int, tuple[int, int]], ...] = (
    (("x86_64", "amd64"), 8, (321, 298)),
    # x32 has pointers of 4 bytes and other numbers, and no distribution ships a Python for it.
    (("x86_64", "amd64", "i386", "i486", "i586", "i686"), 4, (357, 336)),
    (("aarch64", "arm64"), 8, _GENERIC),
    (("aarch64", "arm"), 4, (386, 364)),
    (("powerpc", "ppc"), 8, (361, 319)),
    (("powerpc", "ppc"), 4, (361, 319)),
    (("s390",), 8, (351, 331)),
    (("s390",), 4, (351, 331)),
    (("riscv",), 8, _GENERIC),
    (("riscv",), 4, _GENERIC),
    (("loongarch",), 8, _GENERIC),
    (("mips64",), 8, (5315, 5292)),
)
#: mips has three ABIs, and two of them have pointers of 4 bytes: the multiarch name says which, uname(2) does not.
_MIPS32 = (("gnuabin32", (6319, 6296)), ("gnu", (4355, 4333)))


def call_numbers(name: str = "", pointer: int = struct.calcsize("P")) -> tuple[int, int] | None:
    """The numbers of bpf(2) and perf_event_open(2), None where this list has none: another call must not be made."""
    name = name or getattr(sys.implementation, "_multiarch", "") or os.uname().machine
    for beginnings, size, numbers in _NUMBERS:
        if size == pointer and name.startswith(beginnings):
            return numbers
    if name.startswith("mips") and pointer == 4:
        return next((numbers for ending, numbers in _MIPS32 if name.endswith(ending)), None)
    return None


def openat2_number(name: str = "", pointer: int = struct.calcsize("P")) -> int | None:
    """The number of openat2(2), None where no numbers are known.

    Calls that are as young have one number everywhere; those of mips count from 4000, 5000 or 6000.
    """
    numbers = call_numbers(name, pointer)
    return None if numbers is None else 437 + numbers[0] // 1000 * 1000


def statfs_type(block: bytes, byteorder: str = sys.byteorder, machine: str = "") -> int:
    """f_type, the first field of struct statfs: a long, an unsigned int on s390 (arch/s390/include/uapi/asm/statfs.h).

    The magics fit 32 bits, so on a little-endian machine the first half of the long is all of it.
    """
    mark = ">" if byteorder == "big" else "<"
    s390 = (machine or os.uname().machine).startswith("s390")
    wide = byteorder == "big" and not s390 and struct.calcsize("P") == 8
    value: int = struct.unpack_from(mark + ("Q" if wide else "I"), block)[0]
    return value & 0xFFFFFFFF


def instruction(  # noqa: PLR0913, PLR0917  the fields of struct bpf_insn
    code: int, dst: int, src: int, offset: int, immediate: int, byteorder: str = sys.byteorder
) -> bytes:
    """One BPF instruction. The two registers are bit fields of one byte, which the ABI fills from its own end."""
    registers = dst << 4 | src if byteorder == "big" else src << 4 | dst
    return struct.pack((">" if byteorder == "big" else "<") + "BBhi", code, registers, offset, immediate)


def perf_disabled(byteorder: str = sys.byteorder) -> int:
    """`disabled`, the first bit field of the flags of struct perf_event_attr, as a number of 64 bits."""
    return 1 << 63 if byteorder == "big" else 1
