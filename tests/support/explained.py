"""Machines for explanations of probes and scripts: lists of functions, formats of events, all types of a kernel."""

from __future__ import annotations

import lzma
from functools import cache

from kdiag.explain.here import Here
from kdiag.explain.value import Answer
from kdiag.machine import Machine
from kdiag.system import System
from tests.support import machines
from tests.support.description import Description
from tests.support.paths import FIXTURES
from tests.support.reports import builtin, report_on

TRACING = "/sys/kernel/tracing"
_FORMAT = """name: {name}
ID: 700
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

{fields}
print fmt: "x"
"""
#: The 6.12 kernel's sched_switch, as tracefs prints it.
SCHED_SWITCH = "".join(
    f"\tfield:{kind};\toffset:{at};\tsize:{size};\tsigned:1;\n"
    for kind, at, size in (
        ("char prev_comm[16]", 8, 16),
        ("pid_t prev_pid", 24, 4),
        ("int prev_prio", 28, 4),
        ("long prev_state", 32, 8),
        ("char next_comm[16]", 40, 16),
        ("pid_t next_pid", 56, 4),
        ("int next_prio", 60, 4),
    )
)
OPENAT = "".join(
    f"\tfield:{kind};\toffset:{at};\tsize:8;\tsigned:0;\n"
    for kind, at in (("int dfd", 16), ("const char * filename", 24), ("int flags", 32), ("umode_t mode", 40))
)
FUNCTIONS = (
    "vfs_open",
    "vfs_read",
    "tcp_connect",
    "tcp_sendmsg",
    "tcp_recvmsg",
    "tcp_v4_connect",
    "blk_account_io_done.isra.0",
    "not_in_btf_at_all",
    "ext4_sync_file [ext4]",
)
SYMBOLS = (
    "ffffffff81000010 T vfs_open",
    "ffffffff81000020 T vfs_read",
    "ffffffff81000030 T tcp_connect",
    "ffffffff81000040 t blk_account_io_done.isra.0",
    "ffffffff81000050 T irq_enter",
    "ffffffff81000060 T ret_from_fork_asm",
    "ffffffff81000070 t ext4_sync_file\t[ext4]",
)


def listed(*more: str) -> str:
    """A list of traceable functions, as long as a kernel's."""
    filling = (f"some_other_function_{number}" for number in range(5000))
    return "\n".join((*FUNCTIONS, *more, *filling)) + "\n"


@cache
def kernel_types() -> bytes:
    """All BTF of the lab's 6.12."""
    packed = FIXTURES / "lab-6.12-btf-kheaders/root/sys/kernel/btf/vmlinux.xz"
    return lzma.decompress(packed.read_bytes())


def described(version: str = "0.23.2", options: dict[str, str | None] | None = None) -> Description:
    """A machine where all works for root, with the lists that a question about a probe looks into."""
    machine = machines.bpftrace(machines.linux(options=options), version)
    machine.file(f"{TRACING}/available_filter_functions", listed())
    machine.file("/proc/kallsyms", "\n".join(SYMBOLS) + "\n")
    machine.file(
        "/sys/kernel/debug/kprobes/blacklist", "0xffffffff81000060-0xffffffff81000070\tret_from_fork_asm\n"
    )
    machine.file(
        f"{TRACING}/available_events",
        "syscalls:sys_enter_openat\nsched:sched_switch\nsched:sched_process_fork\n",
    )
    for group, name, fields in (
        ("sched", "sched_switch", SCHED_SWITCH),
        ("syscalls", "sys_enter_openat", OPENAT),
    ):
        machine.file(f"{TRACING}/events/{group}/{name}/id", "700\n")
        machine.file(f"{TRACING}/events/{group}/{name}/format", _FORMAT.format(name=name, fields=fields))
    return machine


def here(system: System | Description, *, types: bool = True) -> Here:
    """The machine of an explanation, with its report. A described one has all types of a kernel; the report is on the
    few that its answers to calls are about, which takes a tenth of the time.
    """
    examined = played = system.recording() if isinstance(system, Description) else system
    report = cache(lambda: report_on(examined))
    if isinstance(system, Description) and types:
        system.file("/sys/kernel/btf/vmlinux", kernel_types(), mode=0o444).remove("/sys/kernel/btf/xfs")
        played = system.recording()
    return Here(Machine(played), builtin, report, "the recorded machine")


def cells(answer: Answer, title: str) -> tuple[tuple[str, ...], ...]:
    """The rows of a section."""
    return next((section.rows for section in answer.sections if section.title == title), ())


def said(answer: Answer) -> str:
    """All paragraphs."""
    return "\n".join([answer.verdict, *(text for section in answer.sections for text in section.text)])
