"""bpftool's programs: it is asked for what kdiag knows the answer to."""

from __future__ import annotations

import re

from kdiag.smoke.programs.program import Program, Scene, Shown

_VMLINUX = "/sys/kernel/btf/vmlinux"
#: bpftool says nothing when it begins: each of these ends by itself.
_NEVER = rb"(?!)"
#: The answer of a kernel that refuses bpf(): what an old bpftool says of programs does not count.
_REFUSED = (
    r"^eBPF map_type hash is NOT available$",
    "bpftool could not make a map; one before 5.17 calls program types available even where the kernel refuses",
)


def _feature(_: Scene) -> tuple[str, ...]:
    return "feature", "probe", "kernel"


def _list(_: Scene) -> tuple[str, ...]:
    return "prog", "list"


def _dump(_: Scene) -> tuple[str, ...]:
    return "btf", "dump", "file", _VMLINUX, "format", "c"


def _tried(_: Scene, __: Shown) -> str:
    """A program type and a map type. Programs alone prove nothing: before libbpf 0.6 any error but EINVAL and
    EOPNOTSUPP meant "available" (src/libbpf_probes.c, bpf_probe_prog_type), EPERM too; a map is really made.
    """
    return r"^eBPF program_type socket_filter is available$[\s\S]*^eBPF map_type hash is available$"


def _held(s: Scene, _: Shown) -> str:
    """The line of the program that the causing process has loaded, by its name."""
    return rf"^\d+: socket_filter\s+name {re.escape(s.cause.comm.replace('-', '_'))}\b"


PROGRAMS: tuple[Program, ...] = (
    Program("bpftool-list", "prog list shows our program", ("bpftool",), _list, _held,
            before="hold", tool="bpftool", ready=_NEVER, answers=True),
    Program("bpftool-feature", "feature probe tries types", ("bpftool-feature",), _feature, _tried,
            almost=_REFUSED, tool="bpftool", ready=_NEVER, answers=True),
    Program("bpftool-btf", "btf dump as C has task_struct", ("bpftool-btf",), _dump,
            lambda _, __: r"^struct task_struct \{$", heavy=True, tool="bpftool", ready=_NEVER, answers=True),
)  # fmt: skip
