"""The structs and functions that tracing tools read: what a difference between two kernels is looked for in.

Read off the tools of bpftrace (tools/*.bt, commit e1b7c3934 of August 2026) and of BCC (libbpf-tools/*.bpf.c and
tools/*.py, commit 6d0a964c of May 2026): each struct with some of the tools that name it. The functions are those that
bpftrace's stock scripts attach to (`kdiag.knowledge.tools.stock_scripts`).
"""

from __future__ import annotations

from kdiag.knowledge.tools.stock_scripts import functions

_BLOCK = "biosnoop.bt, biolatency.bpf.c, biotop.bpf.c"
_FILES = "filelife.bpf.c, fsslower.bpf.c, dcsnoop.py"
_NET = "tcpconnect.bt, tcpaccept.bt, tcplife.bpf.c"
_TRACEPOINT = "libbpf-tools, as a tracepoint's context"

#: A struct, and tools that read it.
STRUCTS: dict[str, str] = {
    "task_struct": "runqlen.bt, execsnoop.bpf.c, cpudist.bpf.c, exitsnoop.bpf.c",
    "cred": "capable.bpf.c",
    "user_namespace": "capable.bpf.c, capable.py",
    "nsproxy": "mountsnoop.py",
    "ns_common": "mountsnoop.py, runqlat.py",
    "pid": "runqlat.bpf.c",
    "upid": "runqlat.bpf.c",
    "fs_struct": "opensnoop.py",
    "rq": "runqlat.py, runqslower.py",
    "cfs_rq": "runqlen.bt, trace.py",
    "sched_entity": "runqlen.py, cpuunclaimed.py",
    "load_weight": "runqlen.bt, runqlen.py",
    "sock": _NET,
    "sock_common": f"{_NET}, as a part of struct sock",
    "inet_sock": "bindsnoop.bpf.c, solisten.bpf.c, tcpconnect.bpf.c",
    "inet_connection_sock": "tcpcong.py",
    "tcp_sock": "tcplife.bt, tcprtt.bpf.c",
    "socket": "bindsnoop.bpf.c, solisten.bpf.c, sofdsnoop.py",
    "sk_buff": "tcpdrop.bt, undump.bt, tcppktlat.bpf.c",
    "tcp_skb_cb": "tcpretrans.py",
    "msghdr": "tcptop.bpf.c, sofdsnoop.py",
    "net": "klockstat.bpf.c",
    "netlink_sock": "klockstat.bpf.c",
    "file": _FILES,
    "inode": "filelife.bpf.c, ext4slower.py",
    "dentry": _FILES,
    "qstr": "dcsnoop.bt, filetop.bpf.c",
    "path": "dcsnoop.bt, filelife.bpf.c",
    "mount": "opensnoop.bt",
    "vfsmount": "filelife.bpf.c, opensnoop.py",
    "mnt_idmap": "filelife.py, filegone.py",
    "renamedata": "filegone.py",
    "kiocb": "fsslower.bpf.c, ext4slower.py",
    "iov_iter": "fsslower.bpf.c, ttysnoop.py",
    "open_how": "opensnoop.bpf.c",
    "request": _BLOCK,
    "request_queue": "biolatency.bpf.c",
    "bio": "mdflush.bt, mdflush.py",
    "gendisk": _BLOCK,
    "folio": "readahead.bpf.c",
    "page": "readahead.bpf.c",
    "kmem_cache": "slabratetop.bpf.c",
    "pglist_data": "compactsnoop.py",
    "zone": "compactsnoop.py",
    "oom_control": "oomkill.bt, oomkill.bpf.c",
    "mem_cgroup": "oomkill.bt",
    "cgroup": "oomkill.bt",
    "irqaction": "hardirqs.bpf.c",
    "irq_desc": "hardirqs.py",
    "mutex": "klockstat.bpf.c",
    "rw_semaphore": "klockstat.bpf.c",
    "pt_regs": "every kprobe, for the arguments",
    "bpf_perf_event_data": "profile.bpf.c, runqlen.bpf.c",
    "bpf_raw_tracepoint_args": "offwaketime.py, wakeuptime.py",
    "trace_event_raw_sys_enter": _TRACEPOINT,
    "trace_event_raw_sys_exit": _TRACEPOINT,
    "trace_event_raw_inet_sock_set_state": _TRACEPOINT,
    "trace_event_raw_tcp_event_sk": _TRACEPOINT,
    "trace_event_raw_signal_generate": _TRACEPOINT,
    "syscall_trace_enter": "opensnoop.bpf.c, execsnoop.bpf.c",
    "syscall_trace_exit": "opensnoop.bpf.c, execsnoop.bpf.c",
}
FUNCTIONS: tuple[str, ...] = tuple(sorted(set(functions())))
