"""Why a function cannot be traced, by the kernel's own lists, and which one can instead."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from kdiag.explain.probe.value import comma, unseen
from kdiag.machine.names.functions import Symbol
from kdiag.system import Unavailable
from kdiag.words import did_you_mean

if TYPE_CHECKING:
    from kdiag.explain.here import Here

#: What a compiler's copy of a function is, by its suffix.
_COPIES = {
    "constprop": "a copy in which an argument is constant",
    "isra": "a copy whose arguments were changed",
    "part": "a part of it, the rest is inlined",
    "cold": "the part of it that rarely runs",
    "llvm": "a copy that the linker renamed",
}


def why(name: str, module: str, here: Here, *, in_btf: bool | None) -> str:
    """One clause, with the nearest function that can be traced. in_btf: whether BTF has it, None for not known."""
    names = here.machine.names
    unloaded = _unloaded(name, module, here)
    if unloaded:
        return unloaded
    try:
        symbols = [one for one in names.symbols(name) if one.is_function]
        copies = names.symbols(name, copies=True)
    except Unavailable as gap:
        return f"{name} is not in the list of traceable functions (why: {unseen(gap)}){_near(name, here)}"
    if symbols:
        return _notrace(name, here)
    if copies:
        return _renamed(name, copies, here)
    if in_btf:
        return (
            f"{name} is in BTF and has no symbol of its own: the compiler put its code into the functions "
            f"that call it (inlined){_near(name, here)}"
        )
    return (
        f"this kernel has no function {name}: it is not there, inlined everywhere, or in a module that is not "
        f"loaded{_near(name, here)}"
    )


def _notrace(name: str, here: Here) -> str:
    """It has an address and function tracing does not know it."""
    with suppress(Unavailable):
        if here.machine.names.blacklisted(name):
            return f"{name} is on the kernel's list of functions without kprobes{_near(name, here)}"
    return (
        f"{name} is in /proc/kallsyms and not in the list of traceable functions: it is marked notrace, or "
        f"written in assembly{_near(name, here)}"
    )


def _renamed(name: str, copies: tuple[Symbol, ...], here: Here) -> str:
    """The compiler left only copies under other names."""
    listed = []
    for one in dict.fromkeys(one.name for one in copies):
        with suppress(Unavailable):
            if here.machine.names.traceable(one):
                listed.append(one)
    found = [one.name for one in copies]
    suffix = found[0].removeprefix(name).strip(".").partition(".")[0]
    what = f" ({_COPIES[suffix]})" if suffix in _COPIES else ""
    can = f"; kprobe:{listed[0]} can be traced" if listed else ", which cannot be traced either"
    return f"the compiler renamed {name}: this kernel has {comma(found, 3)}{what}{can}"


def _unloaded(name: str, module: str, here: Here) -> str:
    """That a module would bring it; empty where none is known to."""
    modules = here.machine.modules
    with suppress(Unavailable):
        loaded = modules.loaded
        if loaded is None:
            return ""
        if module and module != "vmlinux":
            if module.replace("-", "_") in loaded:
                return ""
            if modules.find(module) is not None:
                return f"the module {module} is not loaded: `modprobe {module}` loads it"
            return f"there is no module {module} loaded, and none is installed{did_you_mean(module, loaded)}"
        exporter = here.machine.names.exporter(name)
        if exporter is not None and exporter.replace("-", "_") not in loaded:
            return f"{name} is in the module {exporter}, which is not loaded: `modprobe {exporter}` loads it"
    return ""


def without_types(name: str, here: Here) -> str:
    """Why fentry does not attach although it may be traceable: BTF has no such function."""
    try:
        listed = bool(here.machine.names.traceable(name))
        symbols = [one for one in here.machine.names.symbols(name) if one.is_function]
    except Unavailable:
        listed, symbols = False, []
    if listed:
        return f"the kernel's BTF has no function {name}, which fentry requires: kprobe:{name} can be used"
    if len(symbols) > 1:
        return f"the kernel has {len(symbols)} functions {name}, and its BTF none: pahole leaves them out"
    return why(name, "", here, in_btf=False)


def _near(name: str, here: Here) -> str:
    with suppress(Unavailable):
        return did_you_mean(name, here.machine.names.near(name))
    return ""
