"""`tracepoint:GROUP:EVENT`: whether this kernel has the event, and its fields by tracefs beside those of BTF."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from kdiag.btf.sources import NoTypes
from kdiag.explain.probe import types
from kdiag.explain.probe.value import Found, comma, unseen
from kdiag.explain.probe.wildcards import too_many
from kdiag.explain.value import Section
from kdiag.machine.names.functions import glob_matches
from kdiag.parse.btf import BtfError
from kdiag.parse.event_format import fields
from kdiag.system import Unavailable
from kdiag.words import did_you_mean

if TYPE_CHECKING:
    from kdiag.explain.here import Here
    from kdiag.parse.bpftrace.attach import AttachPoint
    from kdiag.parse.event_format import Field

_TITLE = "Where its types come from"


def found(point: AttachPoint, here: Here) -> Found:
    """Whether the event is there, and its types."""
    group, name = point.parts
    if point.wild:
        return _wild(group, name, here)
    tracing = here.machine.tracing
    try:
        number = tracing.event(group, name)
    except Unavailable as gap:
        return _unseen(group, name, here, unseen(gap))
    if number is None:
        return Found("fails", f"this kernel has no tracepoint {group}:{name}{_nearest(group, name, here)}")
    return Found("works", "", _types(group, name, here))


def _unseen(group: str, name: str, here: Here, reason: str) -> Found:
    """Where tracefs cannot be looked into, BTF names the kernel's own tracepoints."""
    with suppress(NoTypes, BtfError):
        known = types.event(here.types, name)
        if known is not None and group != "syscalls":
            where = known.types.place
            text = f"{where} has the type btf_trace_{name}: this kernel has the tracepoint."
            return Found("works", "", (Section(_TITLE, (text,)),), f"its format cannot be read: {reason}")
    return Found("unknown", f"whether this kernel has the tracepoint {group}:{name}: {reason}")


def _nearest(group: str, name: str, here: Here) -> str:
    tracing = here.machine.tracing
    try:
        every = tracing.available_events
    except Unavailable:
        return ""
    same = [one for one in every if one.partition(":")[2] == name]
    if same:
        return f"; the event {name} is tracepoint:{same[0]}"
    if not any(one.partition(":")[0] == group for one in every):
        return (
            f", nor any of the group {group}{did_you_mean(group, {one.partition(':')[0] for one in every})}"
        )
    return did_you_mean(f"{group}:{name}", [one for one in every if one.partition(":")[0] == group])


def _wild(group: str, name: str, here: Here) -> Found:
    try:
        every = here.machine.tracing.available_events
    except Unavailable as gap:
        return Found("unknown", f"which tracepoints match: {unseen(gap)}")
    matched = [one for one in every if glob_matches(f"{group}:{name}", one)]
    if not matched:
        return Found("fails", f"no tracepoint of this kernel matches {group}:{name}")
    number = len(matched)
    words = "1 tracepoint matches" if number == 1 else f"{number} tracepoints match"
    text = f"{words}: {comma(matched)}. Each is attached on its own."
    limit = too_many(here, number, at_once=False)
    section = Section("What it stands for", (text,))
    return Found("fails" if limit else "works", limit, (section,), number=number)


def _types(group: str, name: str, here: Here) -> tuple[Section, ...]:
    path = f"{here.machine.tracing.root}/events/{group}/{name}/format"
    try:
        text = here.machine.tracing.event_format(group, name)
    except Unavailable as gap:
        return (Section(_TITLE, (f"Cannot tell: {unseen(gap)}.",)),)
    known = fields(text or "")
    if not known:
        return (Section(_TITLE, (f"{path} names no fields",)),)
    own = [one for one in known if not one.name.startswith("common_")]
    said, rows = _beside(group, name, own, here)
    head = ("field", "type in tracefs", "offset", "size", "type in BTF")
    return (
        Section(_TITLE, (f"{_taken(here)} {path} has:",), head, rows),
        Section("", said),
        Section("See it yourself", commands=(f"cat {path}",)),
    )


def _taken(here: Here) -> str:
    """From where this release of bpftrace takes the types of arguments."""
    behaviour = here.machine.tools.behaviour
    if behaviour is None:
        return "bpftrace reads a tracepoint's fields in tracefs."
    release = behaviour.release
    write = f"A script writes args{behaviour.args_operator}FIELD."
    if behaviour.args_need_btf:
        return f"bpftrace {release} reads the fields in tracefs and looks their types up in BTF. {write}"
    return (
        f"bpftrace {release} makes a struct of C of the fields in tracefs, which clang compiles; "
        f"the types that it names come from BTF or from kernel headers. {write}"
    )


def _beside(
    group: str, name: str, own: list[Field], here: Here
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """What is to be said of BTF, and the rows of both."""
    members: list[types.Member] = []
    try:
        record = types.record(here.types, name, own)
        if record is not None:
            struct, members = record
            said = f"The kernel's BTF has the same record as struct {struct}."
        elif group == "syscalls":
            kind = "sys_exit" if name.startswith("sys_exit") else "sys_enter"
            said = (
                f"BTF has no struct of a single system call: all of them have trace_event_raw_{kind}, "
                "and only tracefs knows their arguments."
            )
        else:
            said = "BTF has no struct with these fields in these places."
    except (NoTypes, BtfError) as error:
        said = f"BTF: {error}."
    rows = []
    for one in own:
        member = types.member_of(one, members)
        rows.append((one.name, one.type, str(one.at), str(one.size), member.type if member else ""))
    if not any(row[4] for row in rows):
        rows = [(*row[:4], "-") for row in rows]
    return (said,), tuple(rows)
