"""Harmless calls of perf_event_open(2). Constants: include/uapi/linux/perf_event.h."""

from __future__ import annotations

import fcntl
import os
import struct

from kdiag.system import syscalls
from kdiag.system.abi import perf_disabled
from kdiag.system.base import ProbeResult


def outcome(result: int) -> ProbeResult:
    """What a call says that gives a descriptor or a negative errno; the descriptor is closed."""
    if result < 0:
        return ProbeResult(-result)
    if result > 0:
        os.close(result)
    return ProbeResult(0)


def _perf_reached() -> ProbeResult:
    """Flags of which the kernel knows none: EINVAL comes before it asks who calls (kernel/events/core.c)."""
    return outcome(syscalls.perf_event_open(b"", -1, 0, 0x7FFFFFF0))


def _perf_ioctl() -> ProbeResult:
    """A software clock event that is disabled, disabled once more: every ioctl(2) of an event, also that which attaches
    a program, asks the security module first (kernel/events/core.c, perf_ioctl: security_perf_event_write).
    """
    attr = struct.pack("=IIQQQQQ", 1, 112, 0, 0, 0, 0, perf_disabled())
    event = syscalls.perf_event_open(attr, -1, min(os.sched_getaffinity(0)))
    if event < 0:
        return ProbeResult(-event, "open")
    try:
        fcntl.ioctl(event, 0x2401, 0)  # PERF_EVENT_IOC_DISABLE
    except OSError as error:
        return ProbeResult(error.errno or 0, "ioctl")
    finally:
        os.close(event)
    return ProbeResult(0, "ioctl")


def _perf(kind: int, config: int) -> ProbeResult:
    """An event on the first CPU of this process that is never enabled (attr.disabled).

    Not probed: an event of one task or of a tracepoint. Opening the first of either makes the kernel patch
    its own code on every CPU, which took 9 and 44 ms on a two-CPU virtual machine.
    """
    attr = struct.pack("=IIQQQQQ", kind, 112, config, 0, 0, 0, perf_disabled())
    return outcome(syscalls.perf_event_open(attr, -1, min(os.sched_getaffinity(0))))


def perf_probe(detail: str, argument: str = "") -> ProbeResult:
    """Make the named call and undo it. Raises KeyError for an unknown name, ValueError for an argument that is none."""
    if detail == "uprobe":
        # Of the event source with this number, and of no program: EINVAL is the answer to who may have one. The rights
        # come first, then uprobe_path, which is not given (kernel/events/core.c, perf_uprobe_event_init).
        return _perf(int(argument), 0)
    if detail == "profile":  # PERF_COUNT_SW_CPU_CLOCK of a whole CPU, what profile: and interval: open
        return _perf(1, 0)
    if detail == "bpf-output":  # PERF_COUNT_SW_BPF_OUTPUT, what bpftrace's perf buffer opens
        return _perf(1, 10)
    if detail == "hardware":  # PERF_COUNT_HW_CPU_CYCLES
        return _perf(0, 0)
    if detail == "ioctl":
        return _perf_ioctl()
    if detail == "reached":
        return _perf_reached()
    raise KeyError(detail)
