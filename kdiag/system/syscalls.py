"""Raw system calls that Python does not wrap: bpf(2), perf_event_open(2), openat2(2), statfs(2)."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from functools import cache

from kdiag.system import abi
from kdiag.system.base import Unavailable


def _number(index: int) -> int:
    """The number of bpf(2) (0) or perf_event_open(2) (1). Raises Unavailable where none is known for this machine."""
    numbers = abi.call_numbers()
    if numbers is None:
        raise Unavailable(f"no system call numbers are known for {os.uname().machine}")
    return numbers[index]


@cache
def _libc() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    return library


def _call(number: int, *args: ctypes.c_long | ctypes.c_void_p | ctypes.c_ulong | ctypes.c_char_p) -> int:
    """The call's result, or minus its errno."""
    ctypes.set_errno(0)
    result = int(_libc().syscall(ctypes.c_long(number), *args))
    return -ctypes.get_errno() if result == -1 else result


def address_of(buffer: bytearray | ctypes.Array[ctypes.c_char]) -> int:
    """The address of a buffer that the caller keeps alive."""
    if isinstance(buffer, bytearray):
        return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))
    return ctypes.addressof(buffer)


def bpf(command: int, attr: bytes, size: int = 128) -> int:
    """bpf(2): a file descriptor or 0, or minus errno. `attr` is padded with zeros to `size` bytes."""
    block = ctypes.create_string_buffer(attr.ljust(size, b"\0"), size)
    return bpf_at(command, block)


def bpf_at(command: int, block: ctypes.Array[ctypes.c_char]) -> int:
    """bpf(2) on a block that the kernel writes its answer into."""
    return _call(
        _number(0),
        ctypes.c_long(command),
        ctypes.c_void_p(ctypes.addressof(block)),
        ctypes.c_ulong(len(block)),
    )


def perf_event_open(attr: bytes, pid: int, cpu: int, flags: int = 8) -> int:
    """perf_event_open(2), by default with PERF_FLAG_FD_CLOEXEC: a file descriptor, or minus errno."""
    block = ctypes.create_string_buffer(attr.ljust(128, b"\0"), 128)
    return _call(
        _number(1),
        ctypes.c_void_p(ctypes.addressof(block)),
        ctypes.c_long(pid),
        ctypes.c_long(cpu),
        ctypes.c_long(-1),
        ctypes.c_ulong(flags),
    )


def openat2(directory: int, path: str, flags: int, resolve: int) -> int:
    """openat2(2) without creating anything: a file descriptor, or minus errno. resolve: RESOLVE_* bits.

    Raises ValueError for a path with a NUL.
    """
    number = abi.openat2_number()
    if number is None:
        return -errno.ENOSYS
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError("embedded null byte")
    # The kernel refuses O_LARGEFILE beside O_PATH, and needs it elsewhere where a long has 32 bits.
    flags |= 0 if flags & os.O_PATH else os.O_LARGEFILE
    how = ctypes.create_string_buffer(struct.pack("=QQQ", flags, 0, resolve), 24)  # struct open_how
    return _call(
        number,
        ctypes.c_long(directory),
        ctypes.c_char_p(name),
        ctypes.c_void_p(ctypes.addressof(how)),
        ctypes.c_ulong(len(how)),
    )


def statfs_magic(path: str) -> int:
    """f_type of statfs(2). Raises OSError."""
    block = ctypes.create_string_buffer(256)
    return _magic(_libc().statfs(os.fsencode(path), block), block)


def fstatfs_magic(descriptor: int) -> int:
    """f_type of fstatfs(2). Raises OSError."""
    block = ctypes.create_string_buffer(256)
    return _magic(_libc().fstatfs(ctypes.c_int(descriptor), block), block)


def _magic(result: int, block: ctypes.Array[ctypes.c_char]) -> int:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return abi.statfs_type(block.raw)
