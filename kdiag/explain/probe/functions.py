"""`kprobe:`, `kretprobe:`, `fentry:`, `fexit:`: whether the function can be traced, if not why, and its prototype."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kdiag.btf.sources import NoTypes
from kdiag.explain.probe import types, untraceable, wildcards
from kdiag.explain.probe.value import Found, unseen
from kdiag.explain.value import Section
from kdiag.knowledge.kernel_changes import ONE_FUNCTION_OF_A_NAME
from kdiag.knowledge.scripts.probes import KPROBE_MODULES, taken_for_unsafe
from kdiag.parse.btf import BtfError
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.btf.finding import Found as FoundType
    from kdiag.explain.here import Here
    from kdiag.parse.bpftrace.attach import AttachPoint

_OFFSET = re.compile(r"(.+?)\+(0x[0-9a-fA-F]+|[0-9]+)$")
_TYPED = ("fentry", "fexit")


def found(point: AttachPoint, here: Here) -> Found:
    """What is known of the function, or of all that a pattern stands for."""
    if point.wild:
        return wildcards.found(point, here)
    *before, name = point.parts
    module = before[0] if before else ""
    if point.kind in _TYPED and module == "bpf":
        return Found("unknown", f"kdiag does not look at loaded programs of BPF, and {name} is one's")
    behaviour = here.machine.tools.behaviour
    if module and point.kind not in _TYPED and behaviour is not None and behaviour.version < KPROBE_MODULES:
        release = behaviour.release
        return Found(
            "fails",
            f"bpftrace {release} takes no module in a kprobe (0.20 does first): write {point.kind}:{name}",
        )
    if name.startswith("0x"):
        return Found("works", caveat="whether the address is in a function was not looked at")
    at = _OFFSET.match(name)
    if at is not None and point.kind != "kprobe":
        return Found("fails", f"only kprobe takes an offset, and {point.kind} does not")
    return _one(point, here, at[1] if at else name, module)


def _one(point: AttachPoint, here: Here, name: str, module: str) -> Found:
    sections, typed, problem = _prototype(point, here, name, module)
    if point.kind in _TYPED and problem:
        return _without_types(name, problem, here, sections)
    try:
        listed = [
            one
            for one in here.machine.names.traceable(name)
            if not module or module in (one.module, "vmlinux") or (module == "vmlinux" and not one.module)
        ]
    except Unavailable as gap:
        return _by_types(name, typed, unseen(gap), sections)
    if not listed and point.kind not in _TYPED and _unlisted_too(name, here):
        return Found(
            "works", "", sections, "it is not in the list of traceable functions, and this kernel probes it"
        )
    whole = name.partition(".")[0]
    if not listed and point.kind not in _TYPED and _goes_by(whole, name, here):
        said = f"it is not in the list of traceable functions, so that bpftrace warns; the kernel goes by {whole}"
        return Found("works", "", sections, said)
    if not listed:
        return Found("fails", untraceable.why(name, module, here, in_btf=typed), sections)
    unsafe = _unsafe(point, here, name)
    if unsafe:
        return Found("fails", unsafe, sections)
    refused = _refused(point, here, name)
    if refused:
        return Found("fails", refused, sections)
    several = f"{len(listed)} functions have this name" if len(listed) > 1 else ""
    if (
        several
        and point.kind not in _TYPED
        and ONE_FUNCTION_OF_A_NAME.is_in(here.machine.kernel.stable_numbers)
    ):
        return _ambiguous(here, several, sections)
    inside = next((one.module for one in listed if one.module), "")
    where = f"{here.machine.names.list_path} lists it" + (f", in the module {inside}" if inside else "")
    return Found("works", "", (Section("Can it be traced", (f"Yes: {where}.",)), *sections), several)


def _unlisted_too(name: str, here: Here) -> bool:
    """Whether the kernel puts kprobes on functions that it does not list, and has this one."""
    try:
        return not here.machine.tracing.probes_by_list and _is_function(name, here)
    except Unavailable:
        return False


#: Since when a kprobe on the part of a function that the compiler split off is judged by the whole one's name.
_SUFFIXES_SINCE = (5, 5, 0)


def _goes_by(whole: str, name: str, here: Here) -> bool:
    """Whether the kernel judges a name with a suffix (`.cold`) by the one without, and lists that (5.5:
    kernel/trace/trace_kprobe.c, within_notrace_func).
    """
    if whole == name or here.machine.kernel.version_numbers < _SUFFIXES_SINCE:
        return False
    try:
        return bool(here.machine.names.traceable(whole)) and _is_function(name, here)
    except Unavailable:
        return False


def _is_function(name: str, here: Here) -> bool:
    """Whether the kernel has a function of this name, listed or not. Raises Unavailable."""
    return any(one.is_function for one in here.machine.names.symbols(name))


def _ambiguous(here: Here, several: str, sections: tuple[Section, ...]) -> Found:
    """Libbcc hands over the name; later libraries look up an address instead."""
    behaviour = here.machine.tools.behaviour
    said = (
        f"{several}, and this kernel puts a kprobe on a name only where one function has it (EADDRNOTAVAIL)"
    )
    if behaviour is not None and behaviour.attaches_by == "libbcc":
        return Found("fails", f"{said}; fentry attaches to the one that BTF has", sections)
    return Found("unknown", f"{said}; a newer libbpf goes on with an address", sections)


def _unsafe(point: AttachPoint, here: Here, name: str) -> str:
    """Why bpftrace finds no type of a function that has one: it takes it for unsafe, and up to 0.24 asks that first
    (src/btf.cpp, is_traceable_func()).
    """
    behaviour = here.machine.tools.behaviour
    if behaviour is None or point.kind not in _TYPED or behaviour.fentry_check == "late":
        return ""
    if not taken_for_unsafe(name, behaviour.version):
        return ""
    return f"bpftrace {behaviour.release} takes {name} for unsafe and looks up no type of it; kprobe:{name} attaches"


def _refused(point: AttachPoint, here: Here, name: str) -> str:
    """Why kprobes refuse a function that function tracing takes; empty if they do not, or if that cannot be seen."""
    if point.kind in _TYPED:
        return ""
    try:
        if here.machine.names.blacklisted(name):
            return f"{name} is on the kernel's list of functions without kprobes (/sys/kernel/debug/kprobes/blacklist)"
    except Unavailable:
        pass
    return ""


def _by_types(name: str, typed: bool | None, reason: str, sections: tuple[Section, ...]) -> Found:
    """Where the list of traceable functions cannot be read: BTF names functions that there are."""
    if typed:
        said = f"BTF has {name}; whether it can be traced: {reason}"
        return Found("unknown", said, sections)
    return Found("unknown", f"whether {name} can be traced: {reason}", sections)


def _without_types(name: str, problem: str, here: Here, sections: tuple[Section, ...]) -> Found:
    """fentry attaches by the type of a function."""
    if problem == _ABSENT:
        return Found("fails", untraceable.without_types(name, here), sections)
    return Found("unknown", f"fentry attaches by the function's type in BTF: {problem}", sections)


_ABSENT = "absent"


def _prototype(
    point: AttachPoint, here: Here, name: str, module: str
) -> tuple[tuple[Section, ...], bool | None, str]:
    """The sections about its types, whether BTF has it (None: not known), and why not: `_ABSENT`, or a reason."""
    try:
        source = here.types
        one = types.function(source, name, module)
        if one is None and not types.whole(source):
            return (), None, "only a part of this kernel's BTF was recorded"
        if one is None:
            return (_untyped(name),), False, _ABSENT
        return (_typed(point, here, one, name),), True, ""
    except (NoTypes, BtfError) as error:
        return (Section("Where its types come from", (f"BTF: {error}.",)),), None, str(error)


def _untyped(name: str) -> Section:
    text = f"The kernel's BTF has no function {name}: its arguments are arg0, arg1, ... without types."
    return Section("Where its types come from", (text,))


def _typed(point: AttachPoint, here: Here, one: FoundType, name: str) -> Section:
    behaviour = here.machine.tools.behaviour
    operator = behaviour.args_operator if behaviour is not None else "."
    if point.kind in _TYPED:
        use = [f"A script writes args{operator}NAME" + (" and retval." if point.kind == "fexit" else ".")]
        head: tuple[str, ...] = ("argument", "type")
        rows: list[tuple[str, ...]] = [(argument or "-", kind) for argument, kind in types.parameters(one)]
    else:
        use = ["A script writes argN and gives it its type: ((TYPE)argN)."]
        head = ("argument", "name", "type")
        rows = [
            (f"arg{index}", argument or "-", kind)
            for index, (argument, kind) in enumerate(types.parameters(one))
        ]
        if point.kind == "kretprobe":
            use, rows = ["At its return a script has retval, and no arguments."], []
    if point.kind in ("fexit", "kretprobe"):
        rows = [*rows, (*("retval", "")[: len(head) - 1], types.returned(one))]
    text = (f"{one.types.place}: `{types.prototype(one, name)}`", *use)
    return Section("Where its types come from", text, head if rows else (), tuple(rows))
