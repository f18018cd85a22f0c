"""What a tool may need of a container beyond bpf(2) itself, by the names that start and requirement have in common.

programs: those that trace; perf: perf_event_open(2); uprobes: those opened by it; tracefs, debugfs, headers: files of
the host; listing: programs, maps and BTF by id; symbols: addresses in /proc/kallsyms; features: what bpftool's probe
asks for.
"""

from __future__ import annotations

#: The findings that are not ok where the setting is missing; what is tried to do without comes first.
SETTINGS = {
    "headers": ("headers.tree", "headers.bcc", "kheaders.*"),
    "symbols": ("tracing.kallsyms",),
    "features": ("tools.bpftool-feature",),
    "listing": ("btf.by-id", "bpf.listing"),
    "uprobes": ("perf.uprobes",),
    "debugfs": ("tracing.debug-path", "tracing.debugfs"),
    "tracefs": (
        *("tracing.tracefs", "tracing.functions", "tracing.syscalls", "tracing.sock", "tracing.sched"),
        *("tracing.debug-path", "tracing.debugfs", "tracing.own-path", "tracing.first-path"),
        *("tracing.bcc-path", "tracing.libbpf-path"),
    ),
    "perf": ("perf.*",),
    "programs": ("bpf.prog.*", "bpf.fentry", "bpf.iter", "bpf.test-run", "bpf.kprobe_multi"),
}
