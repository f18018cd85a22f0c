"""Harmless system calls whose errno shows what this process may do and what this kernel can.

Each probe has a name (`bpf:map`, `bpf:prog:kprobe`, `perf:profile`, ...), so that a recording can hold its
outcome. Nothing that a probe makes outlives it: every descriptor is closed before the answer is given, and
no program is ever attached to code that runs (fentry attaches to `bpf_fentry_test1`, which the kernel calls
in self-tests only). Constants: include/uapi/linux/bpf.h.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import struct
from collections.abc import Callable
from functools import cache

from kdiag.parse.utsrelease import version_code
from kdiag.system import syscalls
from kdiag.system.abi import instruction
from kdiag.system.base import ProbeResult, Unavailable
from kdiag.system.perf_probes import outcome, perf_probe

_OBJ_GET_INFO_BY_FD, _BTF_GET_FD_BY_ID = 15, 19
#: vmlinux is the first object that a kernel makes of its own BTF; others come with programs and modules.
_MOST_IDS = 256
_PROG_TEST_RUN = 10
_MAP_CREATE, _PROG_LOAD, _RAW_TRACEPOINT_OPEN, _BTF_GET_NEXT_ID, _LINK_CREATE = 0, 5, 17, 23, 28
_PROGRAM_TYPES = {
    "socket_filter": 1,
    "kprobe": 2,
    "tracepoint": 5,
    "perf_event": 7,
    "raw_tracepoint": 17,
    "tracing": 26,
}
_TRACE_FENTRY, _TRACE_ITER, _TRACE_KPROBE_MULTI = 24, 28, 42
_TRACE_UPROBE_MULTI, _TRACE_KPROBE_SESSION, _TRACE_UPROBE_SESSION = 48, 56, 57
_RING_BUFFER = 27

#: mov64 r0, 0; exit
_EXIT = instruction(0x95, 0, 0, 0, 0)
_RETURN_ZERO = instruction(0xB7, 0, 0, 0, 0) + _EXIT


def _call_helper(number: int) -> bytes:
    """A program that calls one helper and returns its result."""
    return instruction(0x85, 0, 0, 0, number) + _EXIT


class _Loaded:
    """The buffers of one BPF_PROG_LOAD, alive as long as the call."""

    def __init__(self, kind: int, code: bytes, attach_type: int = 0, btf_id: int = 0) -> None:
        self.code = ctypes.create_string_buffer(code, len(code))
        self.licence = ctypes.create_string_buffer(b"GPL")
        self.log = ctypes.create_string_buffer(4096)
        attr = bytearray(128)
        struct.pack_into(
            "=IIQQ",
            attr,
            0,
            kind,
            len(code) // 8,
            ctypes.addressof(self.code),
            ctypes.addressof(self.licence),
        )
        # log_level, log_size, log_buf, kern_version, prog_flags, prog_name[16], prog_ifindex, expected_attach_type
        struct.pack_into("=IIQII", attr, 24, 0, 0, 0, _kernel_version_code(), 0)
        struct.pack_into("=16sII", attr, 48, b"kdiag", 0, attach_type)
        struct.pack_into("=I", attr, 108, btf_id)
        self.fd = syscalls.bpf(_PROG_LOAD, bytes(attr))

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)


@cache
def _kernel_version_code() -> int:
    """LINUX_VERSION_CODE, which kernels before 5.0 demand of a kprobe program."""
    try:
        with open("/proc/version_signature", encoding="ascii", errors="replace") as file:
            signature = file.read(256)
    except OSError:
        signature = ""
    name = os.uname()
    return version_code(name.release, name.version, signature)


def _map() -> ProbeResult:
    """An array map of one element: the first thing every tracer makes."""
    return outcome(syscalls.bpf(_MAP_CREATE, struct.pack("=IIIII", 2, 4, 8, 1, 0)))


def _reached() -> ProbeResult:
    """A question about descriptor -1. A filter decides by the number of the call; the kernel says EBADFD, since 5.19 to
    those without capabilities, too (kernel/bpf/syscall.c: the check is in what creates an object since).
    """
    return outcome(syscalls.bpf(_OBJ_GET_INFO_BY_FD, struct.pack("=iIQ", -1, 0, 0)))


def _btf_ids() -> ProbeResult:
    """Walks the BTF objects for the kernel's own, called vmlinux: the way in which bpftrace 0.17.0 finds it.

    ENOENT: there is none of that name among the first `_MOST_IDS`, as on kernels before 5.11.
    """
    last = 0
    for _ in range(_MOST_IDS):
        attr = bytearray(struct.pack("=III", last, 0, 0).ljust(128, b"\0"))
        block = ctypes.create_string_buffer(bytes(attr), 128)
        result = syscalls.bpf_at(_BTF_GET_NEXT_ID, block)
        if result < 0:
            return ProbeResult(-result)
        last = struct.unpack_from("=I", block.raw, 4)[0]
        if _btf_name(last) == b"vmlinux":
            return ProbeResult(0)
    return ProbeResult(errno.ENOENT)


def _btf_name(number: int) -> bytes:
    """The name of a BTF object, empty for one that cannot be asked."""
    fd = syscalls.bpf(_BTF_GET_FD_BY_ID, struct.pack("=I", number))
    if fd < 0:
        return b""
    try:
        name = ctypes.create_string_buffer(64)
        # struct bpf_btf_info: btf, btf_size, id, name, name_len, kernel_btf
        info = ctypes.create_string_buffer(struct.pack("=QIIQII", 0, 0, 0, ctypes.addressof(name), 64, 0), 32)
        result = syscalls.bpf(_OBJ_GET_INFO_BY_FD, struct.pack("=IIQ", fd, 32, ctypes.addressof(info)))
        return name.value if result >= 0 else b""
    finally:
        os.close(fd)


def _program(kind: str) -> ProbeResult:
    loaded = _Loaded(_PROGRAM_TYPES[kind], _RETURN_ZERO)
    return outcome(loaded.fd)


def _test_run() -> ProbeResult:
    """An empty raw tracepoint program, run once by hand and attached to nothing: how bpftrace runs BEGIN. The kernel
    learned it with 5.10 (bpf_prog_test_run_raw_tp() in net/bpf/test_run.c), and says ENOTSUPP before.
    """
    loaded = _Loaded(_PROGRAM_TYPES["raw_tracepoint"], _RETURN_ZERO)
    try:
        if loaded.fd < 0:
            return ProbeResult(-loaded.fd, "load")
        return ProbeResult(max(0, -syscalls.bpf(_PROG_TEST_RUN, struct.pack("=I", loaded.fd))), "run")
    finally:
        loaded.close()


def _memcg() -> ProbeResult:
    """Helper 160, bpf_ktime_get_coarse_ns: it came with 5.11, as did memory-cgroup accounting instead of
    RLIMIT_MEMLOCK; libbpf decides by it too (src/bpf.c, probe_memcg_account)."""
    return outcome(_Loaded(_PROGRAM_TYPES["socket_filter"], _call_helper(160)).fd)


def _reads_with(helper: int) -> ProbeResult:
    """A raw tracepoint program that reads kernel memory with a helper: under lockdown=confidentiality the verifier does
    not know any such helper, whether securityfs is mounted to tell so or not (kernel/trace/bpf_trace.c,
    LOCKDOWN_BPF_READ_KERNEL). EINVAL is also the answer of a kernel without this helper.
    """
    code = (
        instruction(0xBF, 1, 10, 0, 0)  # r1 = r10
        + instruction(0x07, 1, 0, 0, -8)  # r1 += -8
        + instruction(0xB7, 2, 0, 0, 8)  # r2 = 8
        + instruction(0xB7, 3, 0, 0, 0)  # r3 = 0
        + _call_helper(helper)[:8]
        + _RETURN_ZERO
    )
    return outcome(_Loaded(_PROGRAM_TYPES["raw_tracepoint"], code).fd)


def _tracing(attach_type: int, btf_id: int, *, attach: bool) -> ProbeResult:
    loaded = _Loaded(_PROGRAM_TYPES["tracing"], _RETURN_ZERO, attach_type, btf_id)
    try:
        if loaded.fd < 0:
            return ProbeResult(-loaded.fd, "load")
        if not attach:
            return ProbeResult(0)
        link = syscalls.bpf(_RAW_TRACEPOINT_OPEN, struct.pack("=QI", 0, loaded.fd))
        if link < 0:
            return ProbeResult(-link, "attach")
        os.close(link)
        return ProbeResult(0)
    finally:
        loaded.close()


def _kprobe_link(kind: int) -> ProbeResult:
    """Links a program to a symbol that does not exist: ESRCH is the answer of a kernel that can. kind: kprobe.multi, or
    a session, which is a link of the same shape.
    """
    symbol = ctypes.create_string_buffer(b"kdiag_no_such_function")
    table = ctypes.create_string_buffer(struct.pack("=Q", ctypes.addressof(symbol)), 8)
    # flags, cnt, syms, addrs, cookies
    return _link(kind, struct.pack("=IIQQQ", 0, 1, ctypes.addressof(table), 0, 0))


def _uprobe_link(kind: int) -> ProbeResult:
    """Links a program to the root directory: EBADF is the answer of a kernel that can, because that is no program
    (libbpf asks so, too: src/features.c, probe_uprobe_multi_link).
    """
    path = ctypes.create_string_buffer(b"/")
    offset = ctypes.create_string_buffer(8)
    # path, offsets, ref_ctr_offsets, cookies, cnt, flags, pid
    more = struct.pack("=QQQQIII", ctypes.addressof(path), ctypes.addressof(offset), 0, 0, 1, 0, 0)
    return _link(kind, more)


def _link(kind: int, more: bytes) -> ProbeResult:
    """Asks for a link of that kind for an empty program. more: what follows link_create.flags."""
    loaded = _Loaded(_PROGRAM_TYPES["kprobe"], _RETURN_ZERO, kind)
    try:
        if loaded.fd < 0:
            return ProbeResult(-loaded.fd, "load")
        link = syscalls.bpf(_LINK_CREATE, struct.pack("=IIII", loaded.fd, 0, kind, 0) + more)
        if link >= 0:
            os.close(link)
        return ProbeResult(max(0, -link), "attach")
    finally:
        loaded.close()


def _ring_buffer() -> ProbeResult:
    """A ring buffer of one page (5.8): what bpftrace prints through since 0.19."""
    return outcome(syscalls.bpf(_MAP_CREATE, struct.pack("=IIIII", _RING_BUFFER, 0, 0, mmap.PAGESIZE, 0)))


_PLAIN: dict[str, Callable[[], ProbeResult]] = {
    "map": _map,
    "reached": _reached,
    "btf-ids": _btf_ids,
    "memcg": _memcg,
    "test-run": _test_run,
    "ring-buffer": _ring_buffer,
    "kprobe-multi": lambda: _kprobe_link(_TRACE_KPROBE_MULTI),
    "kprobe-session": lambda: _kprobe_link(_TRACE_KPROBE_SESSION),
    "uprobe-multi": lambda: _uprobe_link(_TRACE_UPROBE_MULTI),
    "uprobe-session": lambda: _uprobe_link(_TRACE_UPROBE_SESSION),
    # bpf_probe_read_kernel came with 5.5. bpf_probe_read is as old as tracing programs; kernels that have both lock
    # both, and 5.4, which has only the old one, lets it load and refuses at run time.
    "read-kernel": lambda: _reads_with(113),
    "read-any": lambda: _reads_with(4),
}


def run_probe(name: str) -> ProbeResult:
    """Make the named call and undo it. An unknown name is Unavailable."""
    subject, _, rest = name.partition(":")
    detail, _, argument = rest.partition(":")
    with contextlib.suppress(KeyError, ValueError):
        if subject == "bpf":
            return _bpf_probe(detail, argument)
        if subject == "perf":
            return perf_probe(detail, argument)
    raise Unavailable(f"{name}: no such probe")


def _bpf_probe(detail: str, argument: str) -> ProbeResult:
    if detail == "prog":
        return _program(argument)
    if detail == "fentry":
        return _tracing(_TRACE_FENTRY, int(argument), attach=True)
    if detail == "iter":
        return _tracing(_TRACE_ITER, int(argument), attach=False)
    return _PLAIN[detail]()
