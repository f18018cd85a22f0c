"""bpftool's programs: it is asked for what kdiag knows the answer to."""

from __future__ import annotations

import re

from kdiag.smoke.programs.program import Program, Scene, Shown

_VMLINUX = "/sys/kernel/btf/vmlinux"
#: bpftool says nothing when it begins: each of these ends by itself.
_NEVER = rb"(?!)"


def _feature(_: Scene) -> tuple[str, ...]:
    return "feature", "probe", "kernel"


def _list(_: Scene) -> tuple[str, ...]:
    return "prog", "list"


def _dump(_: Scene) -> tuple[str, ...]:
    return "btf", "dump", "file", _VMLINUX, "format", "c"


def _held(s: Scene, _: Shown) -> str:
    """The line of the program that the causing process has loaded, by its name."""
    return rf"^\d+: socket_filter\s+name {re.escape(s.cause.comm.replace('-', '_'))}\b"


PROGRAMS: tuple[Program, ...] = (
    Program("bpftool-list", "prog list shows our program", ("bpftool",), _list, _held,
            before="hold", tool="bpftool", ready=_NEVER, answers=True),
    Program("bpftool-feature", "feature probe tries program types", ("bpftool-feature",), _feature,
            lambda _, __: r"^eBPF program_type socket_filter is available$",
            tool="bpftool", ready=_NEVER, answers=True),
    Program("bpftool-btf", "btf dump as C has task_struct", ("bpftool-btf",), _dump,
            lambda _, __: r"^struct task_struct \{$", tool="bpftool", ready=_NEVER, answers=True),
)  # fmt: skip
