"""BTF, the BPF Type Format: reads, validates and searches it, quickly and without I/O.

    btf = parse(Path("/sys/kernel/btf/vmlinux").read_bytes())
    btf.counts[Kind.STRUCT]                     # how many
    task = btf.find("task_struct", {Kind.STRUCT})
    {m.name for m in btf.members(task, flatten=True)} >= {"comm", "pid"}

The format is defined by the kernel's include/uapi/linux/btf.h and Documentation/bpf/btf.rst. What is
accepted is what libbpf's btf_parse_hdr(), btf_parse_type_sec() and btf_sanity_check() accept
(libbpf:src/btf.c), because libbpf is what the tracing tools read BTF with, as long as it also meets what
the kernel's kernel/bpf/btf.c demands of version, flags, unknown header bytes, vlen and the presence of
types. The kernel alone also forbids gaps between sections and bytes after the last one; they pass here.

Everything wrong is a `BtfError` with the byte offset in the input.
"""

from __future__ import annotations

from kdiag.parse.btf.kinds import BtfError, Kind, kind_needs_libbpf, kind_since_kernel
from kdiag.parse.btf.reader import parse
from kdiag.parse.btf.value import Btf, Member

__all__ = ["Btf", "BtfError", "Kind", "Member", "kind_needs_libbpf", "kind_since_kernel", "parse"]
