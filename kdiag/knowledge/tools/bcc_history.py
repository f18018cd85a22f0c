"""Which release of BCC is expected to compile which kernel's headers, where neither could be looked into.

Where both can, `kdiag.machine.compilers.bcc` decides by what is in them. A newer kernel's headers name what older
releases lack.

BCC puts a bpf.h of its own (src/cc/compat/linux/virtual_bpf.h) in the place of the kernel's. btf_field_type_size() in
the kernel's include/linux/bpf.h takes the size of structs that the kernel's own bpf.h defines. The releases of BCC are
the first whose virtual_bpf.h has the struct, read tag by tag from v0.12.0 to v0.37.0 against the headers of Debian's
5.10, 6.1, 6.12 and 7.3.
"""

from __future__ import annotations

from typing import NamedTuple

Version = tuple[int, int, int]


class Requirement(NamedTuple):
    """From this kernel on at least this BCC. what: of the headers, that older ones cannot read; hits: which tools;
    file: the header that has it.
    """

    kernel: Version
    bcc: Version
    what: str
    hits: str
    file: str


_BPF_H = ("tools for the network, whose headers include linux/bpf.h,", "include/linux/bpf.h")

REQUIREMENTS = (
    Requirement((5, 15, 0), (0, 21, 0), "struct bpf_timer", *_BPF_H),
    Requirement((6, 2, 0), (0, 26, 0), "struct bpf_list_head", *_BPF_H),
    Requirement((6, 3, 0), (0, 28, 0), "struct bpf_rb_root", *_BPF_H),
    # Seen: BCC 0.26 of Debian 12 with 6.12's headers, where 14 of 32 tools do not compile.
    Requirement((6, 10, 0), (0, 31, 0), "struct bpf_wq", *_BPF_H),
    Requirement((6, 18, 0), (0, 36, 1), "struct bpf_task_work", *_BPF_H),
    # BCC's c3f35ecc: struct ns_common has a member of -fms-extensions since 6.19, fs.h since 7.0.
    Requirement(
        (6, 19, 0),
        (0, 37, 0),
        "unnamed members (-fms-extensions)",
        "tools that include pid_namespace.h",
        "include/linux/ns_common.h",
    ),
    Requirement(
        (7, 0, 0),
        (0, 37, 0),
        "unnamed members (-fms-extensions)",
        "tools that include linux/fs.h",
        "include/linux/fs.h",
    ),
)


#: The tools that include such headers (tools/*.py, tag by tag from v0.16.0 to v0.37.0): net/sock.h and its like, and
#: pid_namespace.h. Nearly all the others include linux/fs.h or linux/sched.h at most.
NETWORK = (
    *(
        "bindsnoop",
        "sofdsnoop",
        "solisten",
        "tcpaccept",
        "tcpcong",
        "tcpconnect",
        "tcpconnlat",
        "tcpdrop",
        "tcplife",
    ),
    *("tcpretrans", "tcprtt", "tcpstates", "tcpsubnet", "tcpsynbl", "tcptop", "tcptracer"),
)
#: Those of them that include net/tcp.h, and these in words.
NET_TCP = ("tcpcong", "tcpretrans")
NET_TCP_HITS = "the tools that include net/tcp.h (tcpcong, tcpretrans)"
NAMESPACES = ("mountsnoop", "runqlat", "runqslower")


def only_by_tcp(kernel: Version) -> bool:
    """Whether of the network's headers only net/tcp.h leads to linux/bpf.h (iovisor/bcc#4866, Debian's 6.1), for a
    kernel whose headers were not looked into. Before 5.17 net/sock.h does too (b6459415b384, aef2feda97b8), and again
    from 6.10 on, by linux/security.h (iovisor/bcc#5231).
    """
    return (5, 17, 0) <= kernel < (6, 10, 0)


def unmet(kernel: Version, bcc: Version) -> tuple[Requirement, ...]:
    """What this kernel's headers require and this BCC does not meet, the newest first."""
    return tuple(r for r in reversed(REQUIREMENTS) if kernel >= r.kernel and bcc < r.bcc)


def enough(kernel: Version, bcc: Version) -> Version | None:
    """The first release that is expected to compile this kernel's headers, if it is newer than this one."""
    needed = max((r.bcc for r in REQUIREMENTS if kernel >= r.kernel), default=None)
    return needed if needed is not None and needed > bcc else None
