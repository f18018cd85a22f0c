"""What a person can do here: each capability as an expression over findings, by the tool's own behaviour.

`kdiag.capabilities.bpftrace` turns how a release of bpftrace behaves into what must be true of the machine, and
`kdiag.capabilities.judging` judges it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from kdiag.capabilities import bcc, bpftrace, other_tools

if TYPE_CHECKING:
    from kdiag.capabilities.expression import Expression
    from kdiag.knowledge.tools.behaviour import Behaviour

#: What the exercises of a first bpftrace session need.
DEFAULT_REQUIRED = ("hello", "tracepoint-args", "tracepoint-net", "tracepoint-sched")


class Definition(NamedTuple):
    """A capability before it is judged. `needs` builds the expression for one behaviour of bpftrace. part_of: the
    capability that it is a part of: people see it where the two do not fare alike. step: a part of no use alone.
    """

    id: str
    title: str
    tool: str
    needs: Callable[[Behaviour], Expression]
    explain: str
    part_of: str = ""
    step: bool = False


DEFINITIONS: tuple[Definition, ...] = (
    Definition(
        "hello",
        "Hello (BEGIN)",
        "bpftrace",
        bpftrace.hello,
        'BEGIN { printf("hello\\n"); }: bpftrace starts, loads, prints',
    ),
    Definition(
        "tracepoint-args",
        "Syscall tracepoints with arguments",
        "bpftrace",
        bpftrace.tracepoint_args,
        "tracepoint:syscalls:sys_enter_openat with str(args.filename)",
    ),
    Definition(
        "tracepoint-net",
        "Network tracepoints",
        "bpftrace",
        bpftrace.tracepoint_net,
        "tracepoint:sock:inet_sock_set_state with its arguments",
    ),
    Definition(
        "tracepoint-sched",
        "Scheduler tracepoints",
        "bpftrace",
        bpftrace.tracepoint_sched,
        "tracepoint:sched:sched_process_fork with its arguments",
    ),
    Definition(
        "rawtracepoint", "Raw tracepoints", "bpftrace", bpftrace.rawtracepoint, "rawtracepoint:sched_switch"
    ),
    Definition("kprobe", "kprobe, kretprobe", "bpftrace", bpftrace.kprobe, "kprobe:vfs_read"),
    Definition(
        "kprobe-multi",
        "kprobe wildcards",
        "bpftrace",
        bpftrace.kprobe_multi,
        "kprobe:tcp_*, attached at once through kprobe.multi",
    ),
    Definition(
        "fentry", "fentry, fexit", "bpftrace", bpftrace.fentry, "fentry:vfs_read (kfunc in older releases)"
    ),
    Definition(
        "struct",
        "Kernel structs without #include",
        "bpftrace",
        bpftrace.struct,
        "((struct task_struct *)curtask)->comm, types from BTF",
    ),
    Definition(
        "include",
        "#include <linux/...>",
        "bpftrace",
        bpftrace.include,
        "scripts that include kernel headers, and constants that only headers have",
    ),
    Definition(
        "module-types",
        "Types of kernel modules",
        "bpftrace",
        bpftrace.module_types,
        "structs that a loadable module defines, from its BTF",
    ),
    Definition("uprobe", "uprobe, uretprobe", "bpftrace", bpftrace.uprobe, "uprobe:/bin/bash:readline"),
    Definition("usdt", "USDT", "bpftrace", bpftrace.usdt, "usdt:/path/to/program:probe"),
    Definition("profile", "profile, interval", "bpftrace", bpftrace.profile, "profile:hz:99"),
    Definition("software", "Software events", "bpftrace", bpftrace.software, "software:page-faults:100"),
    Definition("hardware", "Hardware events", "bpftrace", bpftrace.hardware, "hardware:cycles:1000000"),
    Definition(
        "kstack",
        "Kernel stacks with symbols",
        "bpftrace",
        bpftrace.kstack,
        "profile:hz:99 { @[kstack] = count(); }",
    ),
    Definition("iter", "Iterators", "bpftrace", bpftrace.iterator, "iter:task"),
    Definition(
        "stock-tools",
        "The stock .bt tools",
        "bpftrace",
        bpftrace.stock_tools,
        "opensnoop.bt, execsnoop.bt, runqlat.bt and the others",
    ),
    Definition(
        "bcc-tools",
        "BCC tools",
        "BCC",
        bcc.bcc_tools,
        "execsnoop-bpfcc and the others, compiled on this machine",
    ),
    *(
        Definition(one.id, one.title, "BCC", one.needs, one.explain, "bcc-tools", one.step)
        for one in bcc.PARTS
    ),
    Definition(
        "core-tools",
        "libbpf CO-RE tools",
        "libbpf",
        other_tools.core_tools,
        "programs compiled elsewhere and fitted by BTF",
    ),
    Definition(
        "core-tracepoint",
        "CO-RE tracepoints",
        "libbpf",
        other_tools.core_tracepoint,
        'SEC("tracepoint/sched/sched_process_fork") and the like, attached by libbpf',
        "core-tools",
    ),
    Definition(
        "core-kprobe",
        "CO-RE kprobes",
        "libbpf",
        other_tools.core_kprobe,
        'SEC("kprobe/vfs_open") and the like',
        "core-tools",
    ),
    Definition(
        "core-fentry",
        "CO-RE fentry, fexit, LSM",
        "libbpf",
        other_tools.core_fentry,
        'SEC("fentry/vfs_open") and the like',
        "core-tools",
    ),
    Definition(
        "core-ringbuf",
        "CO-RE ring buffers",
        "libbpf",
        other_tools.core_ringbuf,
        "BPF_MAP_TYPE_RINGBUF, by which newer tools send what they see",
        "core-tools",
    ),
    Definition(
        "core-kfunc",
        "CO-RE kfuncs",
        "libbpf",
        other_tools.core_kfunc,
        "functions of the kernel that programs call by name, found in its BTF",
        "core-tools",
    ),
    Definition(
        "core-iter",
        "CO-RE iterators",
        "libbpf",
        other_tools.core_iter,
        'SEC("iter/task") and the like: lists instead of events',
        "core-tools",
    ),
    Definition(
        "core-stock",
        "The stock libbpf-tools",
        "libbpf",
        other_tools.core_stock,
        "opensnoop-libbpf, execsnoop-libbpf (Debian), bpf-opensnoop (Fedora) and the others",
        "core-tools",
    ),
    Definition(
        "bpftool",
        "bpftool",
        "bpftool",
        other_tools.bpftool,
        "bpftool prog, bpftool map: what is loaded",
    ),
    Definition(
        "bpftool-feature",
        "bpftool feature probe",
        "bpftool",
        other_tools.bpftool_feature,
        "bpftool feature probe: what this kernel has of program types, maps and helpers",
        "bpftool",
    ),
    Definition(
        "bpftool-btf",
        "bpftool btf dump",
        "bpftool",
        other_tools.bpftool_btf,
        "bpftool btf dump file /sys/kernel/btf/vmlinux format c: the kernel's types as C",
        "bpftool",
    ),
)
