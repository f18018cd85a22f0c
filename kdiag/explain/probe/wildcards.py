"""A pattern for functions: how many it stands for, how they are attached, and what that costs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kdiag.btf.sources import NoTypes
from kdiag.checking.analysis import behaviours_of
from kdiag.explain.probe.value import Found, comma, unseen
from kdiag.explain.value import Section
from kdiag.knowledge.scripts.probes import (
    FENTRY_SINGLY,
    KPROBES_AT_ONCE,
    KPROBES_SINGLY,
    Rate,
    most_probes,
    passed_over,
)
from kdiag.machine.names.functions import glob
from kdiag.model import Status
from kdiag.parse.btf import BtfError
from kdiag.parse.btf.kinds import Kind
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.explain.here import Here
    from kdiag.knowledge.tools.behaviour import Behaviour
    from kdiag.parse.bpftrace.attach import AttachPoint

_TYPED = ("fentry", "fexit")


def found(point: AttachPoint, here: Here) -> Found:
    """How many functions it stands for, and what that means."""
    *before, pattern = point.parts
    module = before[0] if before else ""
    try:
        matched = list(dict.fromkeys(one.name for one in here.machine.names.matching(pattern, module)))
    except Unavailable as gap:
        because = f"how many functions match {pattern}: {unseen(gap)}"
        return Found("unknown", because, _in_types(pattern, module, here))
    text = []
    behaviour = here.machine.tools.behaviour
    if behaviour is not None:
        left = [one for one in matched if passed_over(one, behaviour.version)]
        if left:
            passed = frozenset(left)
            matched = [one for one in matched if one not in passed]
        if left and not matched:
            said = f"bpftrace {behaviour.release} passes over all that {pattern} matches: {comma(left)}"
            return Found("fails", said)
        if left:
            text.append(f"bpftrace {behaviour.release} passes over {_functions(len(left))}: {comma(left)}.")
    if point.kind in _TYPED:
        listed = len(matched)
        try:
            known = _typed(here)
            matched = [name for name in matched if name in known]
            text.append(f"{listed} traceable functions match, and BTF has {len(matched)} of them.")
        except (NoTypes, BtfError) as error:
            return Found("unknown", f"fentry attaches by types: {error}")
    if not matched:
        return Found("fails", f"no traceable function matches {pattern}")
    number = len(matched)
    text.append(f"It stands for {_functions(number)}: {comma(matched)}.")
    how, seconds = _cost(point, here, number)
    section = Section("What it stands for", (*text, *how))
    limit = too_many(here, number, at_once=seconds is None)
    if limit:
        return Found("fails", limit, (section,), number=number)
    return Found("works", "", (section,), number=number)


def _in_types(pattern: str, module: str, here: Here) -> tuple[Section, ...]:
    """What the kernel's types have where the list of traceable functions cannot be seen."""
    if module not in ("", "vmlinux"):
        return ()
    whole = re.compile(glob(pattern).decode("utf-8", "surrogateescape"))
    try:
        names = sorted(filter(whole.fullmatch, _typed(here)))
    except (NoTypes, BtfError):
        return ()
    if not names:
        return ()
    text = (
        f"The kernel's BTF has {_functions(len(names))} of such a name: {comma(names)}. Which of them can be traced, "
        f"the kernel lists in {here.machine.names.list_path}, which cannot be seen here."
    )
    return (Section("What it stands for", (text,)),)


def _functions(number: int) -> str:
    return "1 function" if number == 1 else f"{number} functions"


def _typed(here: Here) -> frozenset[str]:
    types = here.types.main
    ids = (
        at
        for at, kind in zip(types.btf.records.infos_at, types.btf.records.kinds, strict=True)
        if kind == Kind.FUNC
    )
    return frozenset(types.btf.text(types.btf.records.words[at - 1]) for at in ids)


def too_many(here: Here, number: int, *, at_once: bool) -> str:
    """That the release does not attach so many; empty where it does."""
    behaviour = here.machine.tools.behaviour
    most = most_probes(behaviour.version) if behaviour is not None else 0
    if not most or number <= most or (at_once and behaviour is not None and not _counts_each(behaviour)):
        return ""
    return (
        f"{number} probes are more than the {most} that this bpftrace attaches: "
        f"BPFTRACE_MAX_PROBES={number} allows them"
    )


def _counts_each(behaviour: Behaviour) -> bool:
    """Whether each function of a link counts: since 0.21 the number of probes is that of the functions
    (src/bpftrace.cpp, BPFtrace::num_probes(); bpftrace issue 3180).
    """
    return behaviour.version >= (0, 21, 0)


def at_once(point: AttachPoint, here: Here) -> bool | None:
    """Whether all are attached by one link, None where that depends on a release or on what could not be seen."""
    if point.kind in _TYPED:
        return False
    answers = {one.kprobe_multi for one in behaviours_of(here.machine)}
    status = next((f.status for f in here.report.findings if f.id == "bpf.kprobe_multi"), Status.UNKNOWN)
    if answers == {False} or status in (Status.FAIL, Status.SKIP, Status.WARN):
        return False
    return True if answers == {True} and status is Status.OK else None


def _cost(point: AttachPoint, here: Here, number: int) -> tuple[list[str], float | None]:
    """How they are attached and what that costs, in words; the seconds where they are attached one by one."""
    together = at_once(point, here)
    if together is None:
        return ["Whether they are attached at once or one by one cannot be told here."], None
    if together:
        return [f"All are attached by one link (kprobe.multi). {_estimate(number, KPROBES_AT_ONCE)}"], None
    rate = FENTRY_SINGLY if point.kind in _TYPED else KPROBES_SINGLY
    return [singly(number, rate)], number / rate.attach


def singly(number: int, rate: Rate) -> str:
    """That probes are attached one by one, and what that costs."""
    return f"They are attached one by one. {_estimate(number, rate)}"


def _estimate(number: int, rate: Rate) -> str:
    attach = _seconds(number / rate.attach)
    detach = f" and {_seconds(number / rate.detach)} to detach" if rate.detach else ""
    return f"Estimate: {attach} to attach{detach} ({rate.source})."


def _seconds(value: float) -> str:
    if value < 1:
        return "less than 1 s"
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} minutes"
