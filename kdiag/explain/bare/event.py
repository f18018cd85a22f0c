"""A tracepoint or a system call by its name alone, or `GROUP:EVENT` as perf writes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kdiag.btf.sources import NoTypes
from kdiag.explain.bare.function import how_to_trace, is_there
from kdiag.explain.probe import explain as probe
from kdiag.explain.probe import types
from kdiag.explain.value import Answer, Section
from kdiag.parse.btf import BtfError
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.explain.here import Here

_SYSCALL = re.compile(r"sys_(?:enter|exit)_(\w+)")
#: What the entry of a system call is called, by architecture (arch/*/include/asm/syscall_wrapper.h), and without
#: wrappers (include/linux/syscalls.h).
_ENTRIES = ("__x64_sys_", "__arm64_sys_", "__s390x_sys_", "__riscv_sys_", "__se_sys_", "sys_")


def explain(word: str, here: Here) -> Answer | None:
    """What is said of an event or a system call, None if this kernel is not known to have it."""
    group, colon, name = word.rpartition(":")
    if colon:
        return _tracepoint(word, group, name, here)
    name = name.removesuffix("()")
    if _SYSCALL.fullmatch(name) and _is_syscall(_SYSCALL.sub(r"\1", name), here):
        return _tracepoint(word, "syscalls", name, here)
    groups = _groups(name, here)
    if groups:
        return _tracepoint(word, groups[0], name, here)
    bare = next((name.removeprefix(entry) for entry in _ENTRIES if name.startswith(entry)), name)
    if _is_syscall(bare, here):
        return _syscall(word, bare, here)
    return _by_types(word, name, here) if _in_types(name, here) else None


def _tracepoint(word: str, group: str, name: str, here: Here) -> Answer | None:
    known = name in (one.partition(":")[2] for one in _every(here) if one.partition(":")[0] == group)
    if (
        not known
        and not _in_types(name, here)
        and not (group == "syscalls" and _is_syscall(_SYSCALL.sub(r"\1", name), here))
    ):
        return None
    full = f"tracepoint:{group}:{name}"
    answer = probe.explain(full, here)
    return answer._replace(
        subject=word,
        title=f"{full}, {answer.title}",
        sections=(*answer.sections, Section("Read on", commands=(f"kdiag explain {full}",))),
    )


def _syscall(word: str, name: str, here: Here) -> Answer:
    entry = next((f"{start}{name}" for start in _ENTRIES if is_there(f"{start}{name}", here)), "")
    probes = [f"tracepoint:syscalls:sys_enter_{name}", f"tracepoint:syscalls:sys_exit_{name}"]
    probes += [f"kprobe:{entry}"] if entry else []
    text = (
        "The tracepoints have its arguments by name, and its result. Prefer them: the name of the function is another "
        "on each architecture, and its arguments are behind a pointer to registers.",
    )
    sections = (
        Section("", text),
        how_to_trace(tuple(probes), here),
        Section("See it yourself", commands=(f"man 2 {name}",)),
    )
    return Answer(word, "system-call", f"the system call {name}", "told", "", sections)


def _by_types(word: str, name: str, here: Here) -> Answer:
    """An event of which tracefs cannot tell the group."""
    text = (
        f"The kernel's BTF has the type btf_trace_{name}: this kernel has the tracepoint. tracefs, which says its "
        "group, cannot be read.",
    )
    sections = (Section("", text), how_to_trace((f"rawtracepoint:{name}",), here))
    return Answer(word, "probe", "a tracepoint of the kernel", "told", "", sections)


def _every(here: Here) -> tuple[str, ...]:
    try:
        return here.machine.tracing.available_events
    except Unavailable:
        return ()


def _groups(name: str, here: Here) -> list[str]:
    return [group for group, _, own in (one.partition(":") for one in _every(here)) if own == name]


def _in_types(name: str, here: Here) -> bool:
    try:
        return types.event(here.types, name) is not None
    except (NoTypes, BtfError):
        return False


def _is_syscall(name: str, here: Here) -> bool:
    return f"syscalls:sys_enter_{name}" in _every(here) or any(
        is_there(f"{start}{name}", here) for start in _ENTRIES
    )
