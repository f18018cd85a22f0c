"""Which release of bpftrace knows which kind of probe, its events and its limits, and what attaching many costs.

Read from PROBE_LIST, SW_PROBE_LIST and HW_PROBE_LIST (src/types.h, src/probe_types.h, src/probe_matcher.h) of each tag
of bpftrace/bpftrace from 0.9 to 0.26.
"""

from __future__ import annotations

from typing import NamedTuple

from kdiag.knowledge.tools.behaviour import Version

_ALWAYS: Version = (0, 0, 0)

#: Spellings that came late, with the first release; those of `PROBE_LIST` in 0.9.0 are not here.
SINCE: dict[str, Version] = {
    **dict.fromkeys(("watchpoint", "w"), (0, 9, 2)),
    **dict.fromkeys(("kfunc", "kretfunc", "f", "fr"), (0, 10, 0)),
    **dict.fromkeys(("asyncwatchpoint", "aw", "iter", "it"), (0, 12, 0)),
    **dict.fromkeys(("rawtracepoint", "rt"), (0, 18, 0)),
    **dict.fromkeys(("fentry", "fexit"), (0, 20, 0)),
    "self": (0, 22, 0),
    **dict.fromkeys(("begin", "end", "bench"), (0, 24, 0)),
    "test": (0, 25, 0),
}
#: Spellings that are gone, with the first release without them.
GONE: dict[str, Version] = dict.fromkeys(("asyncwatchpoint", "aw"), (0, 25, 0))

#: Other spellings of the same kind, the newest first, for a release that does not know the one that was written.
INSTEAD: dict[str, tuple[str, ...]] = {
    "fentry": ("kfunc",),
    "fexit": ("kretfunc",),
    "begin": ("BEGIN",),
    "end": ("END",),
}

#: `kprobe:MODULE:FUNCTION`: CHANGELOG.md, "Add support for kprobe:module:function" (0.20); "kprobes should not have a
#: target" before (src/ast/passes/semantic_analyser.cpp).
KPROBE_MODULES: Version = (0, 20, 0)
#: `rawtracepoint:MODULE:EVENT`: CHANGELOG.md, "Add ability to specify rawtracepoint modules".
RAW_MODULES: Version = (0, 23, 0)

SOFTWARE: dict[str, str] = {
    "alignment-faults": "",
    "bpf-output": "",
    "context-switches": "cs",
    "cpu-clock": "cpu",
    "cpu-migrations": "",
    "dummy": "",
    "emulation-faults": "",
    "major-faults": "",
    "minor-faults": "",
    "page-faults": "faults",
    "task-clock": "",
}
"""Events of `software:`, and their short names."""
HARDWARE: dict[str, str] = {
    "backend-stalls": "",
    "branch-instructions": "branches",
    "branch-misses": "",
    "bus-cycles": "",
    "cache-misses": "",
    "cache-references": "",
    "cpu-cycles": "cycles",
    "frontend-stalls": "",
    "instructions": "",
    "ref-cycles": "",
}
UNITS = ("s", "ms", "us", "hz")
"""Of `profile:` and `interval:` (TIME_UNITS)."""

#: `uprobe:libc:malloc`, a library by its short name: CHANGELOG.md, 0.14.0.
LIBRARIES: Version = (0, 14, 0)


def most_probes(release: Version) -> int:
    """How many probes a script may attach unless BPFTRACE_MAX_PROBES, or `max_probes` in its config, says otherwise
    (src/bpftrace.h, src/config.cpp): 512, since 0.22 1024.
    """
    return 1024 if release >= (0, 22, 0) else 512


#: Functions that bpftrace takes for unsafe since 0.21, and what the names of others begin with: no pattern stands for
#: them, and fentry refuses them (src/utils.cpp, is_bad_func(); src/symbols/kernel.cpp).
_UNSAFE, _UNSAFE_BEGIN = (
    {"arch_cpu_idle", "default_idle", "bpf_dispatcher_xdp_func"},
    ("rcu_", "__ftrace_invalid_address__"),
)
UNSAFE_SINCE: Version = (0, 21, 0)


def taken_for_unsafe(name: str, release: Version) -> bool:
    """Whether this release leaves the function out of what can be traced, whatever the kernel says."""
    return release >= UNSAFE_SINCE and (name in _UNSAFE or name.startswith(_UNSAFE_BEGIN))


def passed_over(name: str, release: Version) -> bool:
    """Whether a pattern does not stand for the function: a part that the compiler split off, for every release
    (src/probe_matcher.cpp, get_matches_in_stream()), and what is taken for unsafe.
    """
    return ".part." in name or taken_for_unsafe(name, release)


class Rate(NamedTuple):
    """Probes that are attached, and detached, in a second, and where that was measured."""

    attach: float
    detach: float
    source: str


#: Single kprobes through perf events: the progress bar of cilium/pwru issue 274 ("1462 / 1462 ... 347 p/s"); detaching
#: waits for a grace period of RCU each, and iovisor/bcc issue 1317 has it as the larger part.
KPROBES_SINGLY = Rate(
    347, 0, "347 probes a second in cilium/pwru issue 274; detaching them takes as long or longer"
)
#: fentry one by one: bpftrace pull request 3053, "~17 seconds to enable 2800 kfunc probes on a 5-19 based kernel (and
#: over 5 minutes to detach them)".
FENTRY_SINGLY = Rate(
    2800 / 17, 2800 / 300, "2800 probes in 17 s, detached in 5 minutes, in bpftrace pull request 3053"
)
#: Single uprobes: measured on 2026-11-27 with `uprobe:/bin/bash:rl_*` of bpftrace 0.17.0, from start to end.
UPROBES_SINGLY = Rate(
    279 / 28,
    0,
    "279 were attached and detached in 28 s on a busy machine with 2 processors, with bpftrace 0.17",
)
#: One kprobe.multi link (kernel commit 5b6c7e5c4434, "selftests/bpf: Add attach bench test").
KPROBES_AT_ONCE = Rate(
    48712 / 1.069,
    48712 / 0.373,
    "48,712 functions in 1.1 s, detached in 0.4 s, in the kernel's commit 5b6c7e5c4434; bpftrace's own start apart",
)
