"""Raw tracepoints, iterators, and what happens by the clock or by a counter: few names, known from BTF or by heart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.btf.searching import matching
from kdiag.btf.sources import NoTypes
from kdiag.explain.probe import types
from kdiag.explain.probe.value import Found, comma
from kdiag.explain.value import Section
from kdiag.knowledge.scripts.probes import HARDWARE, RAW_MODULES, SOFTWARE, UNITS
from kdiag.machine.names.functions import glob_matches
from kdiag.parse.btf import BtfError
from kdiag.parse.btf.kinds import Kind
from kdiag.words import did_you_mean, listed

if TYPE_CHECKING:
    from kdiag.explain.here import Here
    from kdiag.parse.bpftrace.attach import AttachPoint

_TITLE = "Where its types come from"
#: Before 0.19 bpftrace had a list of its own (src/probe_matcher.cpp).
_LISTED = {"task": (0, 12, 0), "task_file": (0, 12, 0), "task_vma": (0, 18, 0)}
_PART = "only a part of this kernel's BTF was recorded"


def raw(point: AttachPoint, here: Here) -> Found:
    """`rawtracepoint:EVENT`: the kernel's tracepoint itself, with the arguments that the kernel passes it."""
    *before, name = point.parts
    behaviour = here.machine.tools.behaviour
    if before and behaviour is not None and behaviour.version < RAW_MODULES:
        return Found(
            "fails",
            f"a module in a rawtracepoint requires bpftrace 0.23 or newer: write rawtracepoint:{name}",
        )
    try:
        source = here.types
        if point.wild:
            return _matched([one for one in types.events(source.main) if glob_matches(name, one)], name)
        one = types.event(source, name)
        if one is None:
            if name.startswith(("sys_enter_", "sys_exit_")):
                return Found(
                    "fails",
                    f"{name} is none of its own: rawtracepoint:{name[:9].rstrip('_')} is of all calls",
                )
            if not types.whole(source):
                return Found("unknown", f"whether this kernel has the tracepoint {name}: {_PART}")
            near = did_you_mean(name, types.events(source.main))
            return Found("fails", f"this kernel has no tracepoint {name}{near}")
        rows = [
            (f"arg{index}", argument or "-", kind)
            for index, (argument, kind) in enumerate(types.event_parameters(one))
        ]
    except (NoTypes, BtfError) as error:
        return Found("unknown", f"whether this kernel has the tracepoint {name}: {error}")
    text = (
        f"{one.types.place} has the type btf_trace_{name}, which is what the kernel passes to the probe:",
    )
    return Found("works", "", (Section(_TITLE, text, ("argument", "name", "type"), tuple(rows)),))


def _matched(names: list[str], pattern: str) -> Found:
    if not names:
        return Found("fails", f"no tracepoint of this kernel matches {pattern}")
    text = f"It stands for {len(names)} of this kernel's tracepoints: {comma(names)}. Each is attached on its own."
    return Found("works", "", (Section("What it stands for", (text,)),), number=len(names))


def iterator(point: AttachPoint, here: Here) -> Found:
    """`iter:NAME`: a list that the kernel goes through, `bpf_iter_NAME` in BTF."""
    name = point.parts[0]
    behaviour = here.machine.tools.behaviour
    if behaviour is not None and behaviour.iterators == "listed":
        known = [one for one, since in _LISTED.items() if since <= behaviour.version]
        if name not in known:
            said = f"bpftrace {behaviour.release} knows the iterators {listed(known)} only (0.19 takes any)"
            return Found("fails", said)
    try:
        source = here.types
        struct = source.main.btf.find(f"bpf_iter__{name}", (Kind.STRUCT,))
        if struct is None:
            if not types.whole(source):
                return Found("unknown", f"whether this kernel has the iterator {name}: {_PART}")
            every = [
                one.removeprefix("bpf_iter__")
                for _, one in matching(source.main, "bpf_iter__*", (Kind.STRUCT,))
            ]
            return Found("fails", f"this kernel has no iterator {name}; it has {comma(every, 30)}")
        rows = [
            (one.name, one.type, str(one.at), str(one.size)) for one in types.members(source.main, struct)
        ]
    except (NoTypes, BtfError) as error:
        return Found("unknown", f"whether this kernel has the iterator {name}: {error}")
    text = (f"{source.main.place} has struct bpf_iter__{name}, which a script reads as ctx:",)
    return Found("works", "", (Section(_TITLE, text, ("member", "type", "offset", "size"), tuple(rows)),))


def timed(point: AttachPoint, _here: Here) -> Found:
    """`profile:` and `interval:`: a unit of time and a number."""
    if len(point.parts) == 1:
        return Found("works", caveat="the unit of time is part of the number, which newer releases take")
    unit, number = point.parts
    if unit not in UNITS:
        return Found("fails", f"{unit!r} is no unit of time: there are {', '.join(UNITS)}")
    if number.startswith("$"):
        return Found("works", caveat=f"{number} comes from the command line")
    if not number.isdigit() or not int(number):
        return Found("fails", f"{number!r} is no number of {unit}: write {point.kind}:{unit}:99")
    every = "on every CPU" if point.kind == "profile" else "on one CPU"
    return Found(
        "works", "", (Section("What it is", (f"A clock of the kernel, {every}; it has no arguments.",)),)
    )


def counted(point: AttachPoint, _here: Here) -> Found:
    """`software:` and `hardware:`: a counter of perf events."""
    events = SOFTWARE if point.kind == "software" else HARDWARE
    name, *count = point.parts
    names = {
        **{event: event for event in events},
        **{alias: event for event, alias in events.items() if alias},
    }
    if name not in names:
        return Found("fails", f"{name!r} is no {point.kind} event{did_you_mean(name, names)}")
    if count and not (count[0].isdigit() or count[0].startswith("$")):
        return Found("fails", f"{count[0]!r} is no number of events: write {point.kind}:{name}:100")
    return Found("works")


def plain(_point: AttachPoint, _here: Here) -> Found:
    """What names nothing of the kernel's: BEGIN, END and the like."""
    return Found("works")
