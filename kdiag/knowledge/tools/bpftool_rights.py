"""What bpftool's commands ask for before they do anything: by themselves, or through the kernel.

Read in bpftool's sources (v5.8 to v7.7, libbpf/bpftool) and in the kernel's; `docs/tools.md` shows the same table.
"""

from __future__ import annotations

from typing import NamedTuple


class Rights(NamedTuple):
    """commands: as they are typed. capabilities: every one of them has to be held. asks: `bpftool`, `the kernel` or
    `no one`; source: where that is written.
    """

    commands: tuple[str, ...]
    capabilities: tuple[str, ...]
    asks: str
    source: str


#: A program of its own checks these before the first probe: one that is missing ends it, whatever the kernel allows.
#: A kernel that has no CAP_BPF (before 5.8) is asked for CAP_SYS_ADMIN alone; a bpftool without libcap for root.
FEATURE = Rights(
    ("bpftool feature probe",),
    ("CAP_SYS_ADMIN", "CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"),
    "bpftool",
    "src/feature.c, handle_perms",
)
LISTING = Rights(
    ("bpftool prog list", "bpftool map list", "bpftool link list", "bpftool btf list"),
    ("CAP_SYS_ADMIN",),
    "the kernel",
    "kernel/bpf/syscall.c, bpf_obj_get_next_id",
)
PERF = Rights(
    ("bpftool perf list",), ("CAP_SYS_ADMIN",), "the kernel", "kernel/bpf/syscall.c, bpf_task_fd_query"
)
FILES = Rights(
    ("bpftool btf dump file", "bpftool gen", "bpftool feature list_builtins"),
    (),
    "no one",
    "src/btf.c, src/gen.c",
)

RIGHTS = (LISTING, PERF, FEATURE, FILES)
