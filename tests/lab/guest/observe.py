"""In a container: what the kernel and the engine show of it, as JSON, for tests that describe it without a guest."""

from __future__ import annotations

import json
import os
import sys

from kdiag.machine import Machine
from kdiag.system.base import Unavailable
from kdiag.system.live import Live
from kdiag.system.probes import run_probe

PROBES = (
    *(
        "bpf:map",
        "bpf:reached",
        "bpf:btf-ids",
        "bpf:memcg",
        "bpf:read-kernel",
        "bpf:read-any",
        "bpf:test-run",
    ),
    *("bpf:kprobe-multi", "bpf:prog:kprobe", "bpf:prog:tracepoint", "bpf:prog:raw_tracepoint"),
    *(
        "bpf:prog:perf_event",
        "perf:reached",
        "perf:profile",
        "perf:bpf-output",
        "perf:hardware",
        "perf:ioctl",
    ),
)
FILES = (
    *("/proc/self/status", "/proc/self/attr/current", "/proc/self/uid_map", "/proc/self/mountinfo"),
    *("/proc/sys/kernel/perf_event_paranoid", "/sys/fs/selinux/enforce"),
    "/sys/kernel/tracing/events/sched/sched_process_fork/id",
)


def probes() -> dict[str, list[str]]:
    """Each probe's errno and detail; those of fentry and iterators without the type's number."""
    btf = Machine(Live()).btf
    names = {name: name for name in PROBES}
    for what, function in (("bpf:fentry", "bpf_fentry_test1"), ("bpf:iter", "bpf_iter_task")):
        try:
            names[what] = f"{what}:{btf.vmlinux.function(function)}"
        except Exception:
            continue
    found = {}
    for short, name in names.items():
        try:
            answer = run_probe(name)
        except Unavailable as gap:
            found[short] = ["unavailable", gap.reason]
            continue
        found[short] = [answer.name, answer.detail]
    return found


def text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip("\0\n")
    except OSError as error:
        return f"errno {error.errno}"


def main() -> int:
    seen = {
        "probes": probes(),
        "files": {path: text(path) for path in FILES},
        "namespaces": {name: os.readlink(f"/proc/self/ns/{name}") for name in os.listdir("/proc/self/ns")},
        "markers": [path for path in ("/.dockerenv", "/run/.containerenv") if os.path.exists(path)],
    }
    json.dump(seen, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
