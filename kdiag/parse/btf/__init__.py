"""BTF, the BPF Type Format: reads, validates and searches it, quickly and without I/O.

    btf = parse(Path("/sys/kernel/btf/vmlinux").read_bytes())
    btf.counts[Kind.STRUCT]                     # how many
    task = btf.find("task_struct", {Kind.STRUCT})
    {m.name for m in btf.members(task, flatten=True)} >= {"comm", "pid"}

The format is defined by the kernel's include/uapi/linux/btf.h and Documentation/bpf/btf.rst. What is
accepted is what the kernel's kernel/bpf/btf.c accepts from a program, but for a type that is part of itself,
of which it overlooks a few: all such are refused, because what reads them through libbpf hangs or crashes.
libbpf (src/btf.c) accepts much more. BTF that the running kernel provides need not be judged again (`served`):
then records, references and names only have to be where they can be. With `lazy`, only records have to; the rest is
judged as far as it is looked at, which `kdiag.parse.btf.graph` does in bounded time.

Everything wrong is a `BtfError` with the byte offset in the input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.parse.btf.kinds import BtfError, Kind, kind_needs_libbpf, kind_since_kernel

if TYPE_CHECKING:
    from kdiag.parse.btf.value import Btf

__all__ = ["BtfError", "Kind", "kind_needs_libbpf", "kind_since_kernel", "parse"]


def parse(data: bytes, *, base: Btf | None = None, served: bool = False, lazy: bool = False) -> Btf:
    """Read and validate BTF, see `kdiag.parse.btf.reader.read`: imported when there is something to read (6 ms; a check
    that remembers what the BTF was found to be reads none). Raises `BtfError`.
    """
    from kdiag.parse.btf.reader import read

    return read(data, base=base, served=served, lazy=lazy)
