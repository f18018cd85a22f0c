"""A function of the kernel by its name alone: its prototype, and how it can be traced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.btf.sources import NoTypes
from kdiag.explain.probe import types
from kdiag.explain.probe.explain import joined, look
from kdiag.explain.value import Answer, Section
from kdiag.knowledge.scripts.probes import SINCE
from kdiag.parse.bpftrace.attach import parse
from kdiag.parse.btf import BtfError
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.explain.here import Here

#: What an answer's outcome is called in a table.
STATES = {"works": "works", "fails": "does not work", "unknown": "cannot tell"}


def explain(word: str, here: Here) -> Answer | None:
    """What is said of a function, None if this kernel is not known to have it."""
    name = word.removesuffix("()")
    if not name.replace("_", "").replace(".", "").isalnum() or not is_there(name, here):
        return None
    sections: list[Section] = []
    try:
        found = types.function(here.types, name)
        if found is not None:
            rows = tuple((one or "-", kind) for one, kind in types.parameters(found))
            text = (f"{found.types.place}: `{types.prototype(found, name)}`",)
            sections.append(Section("Its arguments", text, ("argument", "type") if rows else (), rows))
    except (NoTypes, BtfError):
        pass
    sections += [how_to_trace(probes_of(name, here), here)]
    return Answer(word, "function", "a function of the kernel", "told", "", tuple(sections))


def is_there(name: str, here: Here) -> bool:
    """Whether this kernel is known to have a function of this name: by its types, else by its symbols."""
    try:
        if types.function(here.types, name) is not None:
            return True
    except (NoTypes, BtfError):
        pass
    try:
        return any(one.is_function for one in here.machine.names.symbols(name))
    except Unavailable:
        return False


def probes_of(name: str, here: Here) -> tuple[str, ...]:
    """The probes at the entry and the return of a function, as the installed release spells them."""
    behaviour = here.machine.tools.behaviour
    old = behaviour is not None and behaviour.version < SINCE["fentry"]
    typed = ("kfunc", "kretfunc") if old else ("fentry", "fexit")
    return tuple(f"{kind}:{name}" for kind in ("kprobe", "kretprobe", *typed))


def how_to_trace(probes: tuple[str, ...], here: Here) -> Section:
    """Each probe with its state here, and the first that works as a command."""
    rows = []
    for probe in probes:
        state, because = joined(*look(parse(probe), here))
        rows.append((probe, STATES[state], because or "-"))
    best = next((row[0] for row in rows if row[1] == "works"), "")
    commands = (f"bpftrace -e '{best} {{ @[comm] = count(); }}'",) if best else ()
    head = ("probe", here.where, "why")
    return Section(
        "How to trace it", (), head, tuple(rows), (*commands, f"kdiag explain {best or probes[0]}")
    )
