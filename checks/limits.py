"""Limits of the process that starts a tool, where they end a script."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.text import read_text
from kdiag.model import Evidence, Finding, Remedy, expected, ok, warn
from kdiag.system import Unavailable

_LIMITS, _CPUS = "/proc/self/limits", "/sys/devices/system/cpu/possible"
#: Of bpftrace 0.17 on two CPUs, tried with falling limits: BEGIN needs 9, a tracepoint 11, stacks 13, the 25 probes of
#: tracepoint:sched:* 48 to 64. An event per CPU takes one for each.
_PLENTY = 64


@check("privileges.open-files", "Files that may be open at a time")
def open_files(machine: Machine) -> Iterator[Finding]:
    """RLIMIT_NOFILE: every map, program, probe and event per CPU of a script is an open file. With too few bpftrace
    starts and ends with `Too many open files`; 0.25 and newer raise the limit themselves, if they may. See it
    yourself: `ulimit -n`, `grep open /proc/self/limits`.
    """
    try:
        text = read_text(machine.system, _LIMITS) or ""
    except Unavailable:
        text = ""
    found = re.search(r"^Max open files\s+(\d+|unlimited)\s+(\d+|unlimited)", text, re.MULTILINE)
    if found is None:
        # INR_OPEN_CUR (include/uapi/linux/fs.h)
        yield expected("1024 files may be open, the kernel's default", reason=f"{_LIMITS} was not read")
        return
    evidence = (Evidence(_LIMITS, f"open files: soft {found[1]}, hard {found[2]}"),)
    behaviour = machine.tools.behaviour
    counts = found[1]
    if behaviour is not None and behaviour.raises_nofile:
        counts = "unlimited" if machine.privileges.has("CAP_SYS_RESOURCE") else found[2]
    if counts == "unlimited" or int(counts) >= _PLENTY + _cpus(machine):
        yield ok(f"{found[1]} files may be open", evidence=evidence)
        return
    yield warn(
        f"only {counts} files may be open: scripts with stacks or many probes end with `Too many open files`",
        evidence=evidence,
        remedies=(
            Remedy(
                "privileges.open-files",
                "Raise the limit where the tool is started",
                commands=("ulimit -n 1024",),
                run_on="the shell that starts the tool, or its service (systemd: LimitNOFILE=)",
            ),
        ),
    )


def _cpus(machine: Machine) -> int:
    """How many events a script opens that has one for each CPU."""
    try:
        text = read_text(machine.system, _CPUS) or ""
    except Unavailable:
        return 0
    last = re.search(r"(\d+)$", text)
    return int(last[1]) + 1 if last else 0
