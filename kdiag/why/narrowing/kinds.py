"""What kind of probe a line speaks of: the same words are said of all kinds, and each has causes of its own.

"Failed to attach BPF to uprobe" is not explained by a kernel without kprobes, whatever else is wrong with the machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_KINDS: Mapping[str, re.Pattern[str]] = {
    "kprobe": re.compile(r"(?<![a-z])k(ret)?probe", re.IGNORECASE),
    "uprobe": re.compile(r"(?<![a-z])u(ret)?probe|(?<![a-z])usdt", re.IGNORECASE),
    "tracepoint": re.compile(r"(?<!raw)(?<!raw[ _])tracepoint|(?<![a-z_])tp/", re.IGNORECASE),
    "raw": re.compile(r"raw[ _]?tracepoint|raw_tp|tp_btf", re.IGNORECASE),
    "fentry": re.compile(r"fentry|fexit|fmod_ret|\bk(ret)?func\b|trampoline", re.IGNORECASE),
    "tracefs": re.compile(r"[ku]probe_events|/tracing/"),
    "hardware": re.compile(r"hardware|cycles|cache-misses", re.IGNORECASE),
}
#: Findings that stop one kind of probe only, or some.
_ABOUT: Mapping[str, frozenset[str]] = {
    # Uprobes and counters are opened by perf_event_open(2) alone since Linux 4.17, without tracefs.
    "tracing.tracefs": frozenset({"kprobe", "tracepoint", "raw", "fentry", "tracefs"}),
    "tracing.kprobes": frozenset({"kprobe"}),
    "tracing.uprobes": frozenset({"uprobe"}),
    "perf.uprobes": frozenset({"uprobe"}),
    "tracing.functions": frozenset({"kprobe", "fentry"}),
    "tracing.kprobe-leftovers": frozenset({"kprobe", "uprobe"}),
    "tracing.syscalls": frozenset({"tracepoint"}),
    "tracing.sched": frozenset({"tracepoint"}),
    "tracing.sock": frozenset({"tracepoint"}),
    "bpf.kprobe_multi": frozenset({"kprobe"}),
    "bpf.fentry": frozenset({"fentry"}),
    "perf.hardware": frozenset({"hardware"}),
}


#: Of these, those that a line must name: what is open to most is closed for this kind alone.
_NAMED = frozenset({"perf.uprobes"})


def spoken_of(text: str) -> frozenset[str]:
    """The kinds that a line names, none for most."""
    return frozenset(kind for kind, pattern in _KINDS.items() if pattern.search(text))


def fits(finding_id: str, kinds: frozenset[str]) -> bool:
    """Whether a finding can be the cause of something that was said of these kinds."""
    about = _ABOUT.get(finding_id)
    return about is None or (not kinds and finding_id not in _NAMED) or not about.isdisjoint(kinds)
