"""Where each release of the tools looks for tracefs: the path is built in, and nothing else is tried.

Read tag by tag. bpftrace's are a field of its own table (`Behaviour.tracefs_paths`, src/tracefs.cpp since 0.17).
libbpf: src/libbpf.c, use_debugfs(), since 1.0. BCC: src/cc/libbpf.c and src/cc/common.cc since 0.26 (dcd8a9ad). All
three take the directory below debugfs if access(2) finds one, mounted or not, and only else the other. cilium/ebpf
goes by the superblock, /sys/kernel/tracing first, since 0.11 (internal/tracefs/kprobe.go); before, it knew the old
path only. bpftool (src/tracelog.c) does so too. Inspektor Gadget asks for /sys/kernel/tracing alone.
"""

from __future__ import annotations

from kdiag.knowledge.tools.behaviour import Version

BELOW_DEBUGFS, OWN = "/sys/kernel/debug/tracing", "/sys/kernel/tracing"

#: By tool: the first release that looks so, oldest first.
_PATHS: dict[str, tuple[tuple[Version, tuple[str, ...]], ...]] = {
    "BCC": (((0, 0, 0), (BELOW_DEBUGFS,)), ((0, 26, 0), (BELOW_DEBUGFS, OWN))),
    "libbpf": (((0, 0, 0), (BELOW_DEBUGFS,)), ((1, 0, 0), (BELOW_DEBUGFS, OWN))),
}


def tracefs_paths(tool: str, version: Version) -> tuple[str, ...]:
    """The directories that a release of `BCC` or `libbpf` tries, in order."""
    return next(paths for since, paths in reversed(_PATHS[tool]) if version >= since)


#: BCC's Python module takes the list of functions from below debugfs alone, for names that are patterns, in the
#: releases from the first up to, and without, the second (get_kprobe_functions(), src/python/bcc/__init__.py).
BCC_LISTS_BELOW_DEBUGFS: tuple[Version, Version] = ((0, 28, 0), (0, 37, 0))
