"""What a probe's kind requires of the machine: the expression of its capability, evaluated here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.capabilities import bpftrace
from kdiag.capabilities.definitions import DEFINITIONS, Definition
from kdiag.capabilities.judging import judged
from kdiag.checking.analysis import behaviours_of, root_is_elsewhere
from kdiag.explain.value import Section
from kdiag.model import Status, Works
from kdiag.report.terminal.page import works_words

if TYPE_CHECKING:
    from kdiag.capabilities.judging import Judged
    from kdiag.explain.here import Here
    from kdiag.parse.bpftrace.attach import AttachPoint

_CAPABILITY = {
    **dict.fromkeys(("kprobe", "kretprobe"), "kprobe"),
    **dict.fromkeys(("fentry", "fexit"), "fentry"),
    **dict.fromkeys(("uprobe", "uretprobe"), "uprobe"),
    **dict.fromkeys(("profile", "interval"), "profile"),
    **dict.fromkeys(("begin", "end"), "hello"),
    **{name: name for name in ("rawtracepoint", "usdt", "iter", "software", "hardware")},
}
_BY_ID = {definition.id: definition for definition in DEFINITIONS}
_FINE = (Status.OK, Status.SKIP)


def definition_of(point: AttachPoint) -> Definition | None:
    """The capability that this probe is a case of, None for a kind that has none."""
    if point.kind == "tracepoint":
        group = point.parts[0]
        named = {"syscalls": "tracepoint-args", "sock": "tracepoint-net", "sched": "tracepoint-sched"}
        if group in named:
            return _BY_ID[named[group]]
        # Any other group of the same kind: what is known to be broken of tracepoints with arguments is so of these.
        return _BY_ID["tracepoint-args"]._replace(needs=bpftrace.tracepoint(group), title="Tracepoints")
    if point.wild and point.kind in ("kprobe", "kretprobe"):
        return _BY_ID["kprobe-multi"]
    name = _CAPABILITY.get(point.kind)
    return None if name is None else _BY_ID[name]


def judge(point: AttachPoint, here: Here) -> Judged | None:
    """How that stands on the machine, None for a kind of which kdiag knows no capability."""
    definition = definition_of(point)
    if definition is None:
        return None
    machine = here.machine
    return judged(
        definition,
        here.report.findings,
        behaviours_of(machine),
        as_root_matters=root_is_elsewhere(machine),
    )


def section(judgement: Judged, here: Here) -> Section:
    """What the probe requires, and how each part of it stands: what is not fine in full, the rest by its names."""
    capability, looked = judgement
    because = f": {capability.because}" if capability.because else ""
    state = works_words(capability.status)
    if capability.status is Works.CAVEAT and capability.because.startswith("works"):
        state, because = capability.because, ""
    text = [f"The capability {capability.id} (`kdiag explain {capability.id}`): {state}{because}."]
    if capability.with_root is not None:
        text.append(f"As root it is expected to: {works_words(capability.with_root)}.")
    by_id = {finding.id: finding for finding in here.report.findings}
    known = [by_id[name] for name in looked if name in by_id]
    fine = [finding.id for finding in known if finding.status in _FINE]
    if fine:
        text.append(f"As it should be: {', '.join(fine)}.")
    if capability.status in (Works.WORKS, Works.CAVEAT) and len(fine) < len(known):
        text.append("Looked at as well, with no more consequence than is said above:")
    rows = ((one.status.value, one.id, one.summary) for one in known if one.status not in _FINE)
    return Section("What it requires of the machine", tuple(text), rows=tuple(rows))
