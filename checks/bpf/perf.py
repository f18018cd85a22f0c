"""perf_event_open(2): software and hardware events."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kdiag.check import check
from kdiag.knowledge.kernel_changes import UPROBES_ASK_FOR_ADMIN
from kdiag.machine import Machine
from kdiag.machine.text import read_text
from kdiag.model import Evidence, Finding, Remedy, expect, expected, fail, ok, skip, unknown, warn
from kdiag.remedies.container import run_with
from kdiag.system import Unavailable
from kdiag.words import Subject

from ..refusals import PERF, explain, only_root_may
from .configured import by_config, renamed


def _traces(machine: Machine) -> bool:
    """Whether the caller holds what bpftrace requires: then a refusal is theirs, and root's may differ."""
    return not machine.privileges.lacking("CAP_BPF", "CAP_PERFMON")


@check("perf.events", "perf_event_open(2) is there and allowed", ids=("perf.events", "perf.output"))
def perf(machine: Machine) -> Iterator[Finding]:
    """Opens a software clock event and a BPF output event on one CPU, never enabled, and closes them.

    profile: and interval: need the first; bpftrace before 0.19 prints through the second. EACCES with
    kernel.perf_event_paranoid of 3 or 4 is a Debian and Ubuntu speciality.
    """
    for finding_id, what, result in (
        ("perf.events", "perf events", machine.bpf.profile),
        ("perf.output", "BPF output events", machine.bpf.output),
    ):
        evidence = (Evidence("perf_event_open(2)", result.describe()),)
        if result.ok and finding_id == "perf.events" and machine.confinement.unused:
            yield fail(
                "perf events open, and nothing attaches to them",
                id=finding_id,
                reason="a security module refuses ioctl(2) on an event, by which a program attaches",
                evidence=(*evidence, Evidence("ioctl(2) on a perf event", "EACCES (Permission denied)")),
                causes=("privileges.lsm",),
            )
            continue
        if result.ok:
            yield ok(f"{what} open", id=finding_id, evidence=evidence)
            continue
        if only_root_may(machine, PERF, result) and not _traces(machine):
            found = by_config(
                machine, Subject(what, plural=True), ("PERF_EVENTS",), result, call="perf_event_open(2)"
            )
            yield renamed(found, finding_id, "perf_event_open(2) is there and allowed")
        else:
            why = explain(machine, PERF, result)
            yield fail(
                f"{what} are refused",
                id=finding_id,
                reason=why.reason,
                evidence=(*evidence, *why.evidence),
                causes=why.causes,
            )


@check("perf.uprobes", "Uprobes may be opened through perf events")
def uprobes(machine: Machine) -> Iterator[Finding]:
    """Whether CAP_PERFMON is enough for a uprobe, or CAP_SYS_ADMIN is asked for (kernel/events/core.c,
    perf_uprobe_event_init). Asked with a uprobe of no program, which the kernel refuses after it looked at the rights.
    Links of the kind uprobe.multi and uprobe_events in tracefs ask for less. See it yourself:
    `sudo setpriv --bounding-set -sys_admin bpftrace -e 'uprobe:libc:getpid { exit(); }'`.
    """
    if "uprobe" not in machine.tracing.pmus:
        yield skip("this kernel has no event source for uprobes")
        return
    if machine.privileges.has("CAP_SYS_ADMIN"):
        yield ok("uprobes may be opened", evidence=(Evidence("/proc/self/status CapEff", "CAP_SYS_ADMIN"),))
        return
    if machine.privileges.lacking("CAP_PERFMON") or not machine.bpf.profile.ok:
        yield skip("no perf event may be opened here, a uprobe or another", causes=("perf.events",))
        return
    try:
        result = machine.bpf.uprobe
    except Unavailable as gap:
        yield _by_release(machine, gap)
        return
    evidence = (Evidence("perf_event_open(uprobe)", result.describe()),)
    if not result.refused:
        yield ok("uprobes may be opened", evidence=evidence)
        return
    # Is it only that this user is not root? Root of this place holds it.
    by_root = not machine.privileges.is_root and "CAP_SYS_ADMIN" in machine.privileges.status.bounding
    yield fail(
        "this kernel requires CAP_SYS_ADMIN for uprobes",
        reason="CAP_PERFMON was enough before Linux 6.16, and before the stable releases of July 2025 (CVE-2025-38466)",
        evidence=(*evidence, Evidence("CAP_SYS_ADMIN", "missing")),
        causes=("privileges.root",) if by_root else ("privileges.capabilities",),
        remedies=() if by_root else run_with(machine, "uprobes"),
        with_root="CAP_SYS_ADMIN is there" if by_root else "",
    )


def _by_release(machine: Machine, gap: Unavailable) -> Finding:
    """What the release says where the kernel was not asked: distributions take such a mend into older ones as well."""
    evidence = (Evidence("perf_event_open(uprobe)", gap.reason),)
    if UPROBES_ASK_FOR_ADMIN.is_in(machine.kernel.stable_numbers):
        return unknown(
            "whether CAP_PERFMON is enough for uprobes was not tried",
            reason="Linux 6.16 and stable releases since July 2025 require CAP_SYS_ADMIN",
            evidence=evidence,
            causes=("privileges.capabilities",),
        )
    told = expect("uname -r", "older than the stable releases of July 2025")
    return expected("whether CAP_PERFMON is enough for uprobes was not tried", evidence=(*evidence, told))


@check("perf.cpu0", "CPU 0 is online")
def first_cpu(machine: Machine) -> Iterator[Finding]:
    """Whether CPU 0 is online: bpftrace before 0.25 opens the event of an interval probe there (src/attached_probe.cpp,
    attach_interval()), and fails where it is not. See it yourself: `cat /sys/devices/system/cpu/online`.
    """
    path = "/sys/devices/system/cpu/online"
    try:
        text = read_text(machine.system, path, 4096)
    except Unavailable as gap:
        yield expected("whether CPU 0 is online was not seen", reason=gap.reason)
        return
    if not text:
        yield expected("whether CPU 0 is online was not seen", reason=f"{path} is not there")
    elif re.match(r"0\b", text):
        yield ok("CPU 0 is online", evidence=(Evidence(path, text),))
    else:
        yield fail(
            f"CPU 0 is offline, {text} {'is' if text.isdigit() else 'are'} online",
            reason="an interval probe of bpftrace before 0.25 is an event on CPU 0",
            evidence=(Evidence(path, text),),
            remedies=(
                Remedy(
                    "cpu0.online",
                    "Switch it on",
                    "unsafe",
                    ("echo 1 | sudo tee /sys/devices/system/cpu/cpu0/online",),
                    needs=("root",),
                    undo=("echo 0 | sudo tee /sys/devices/system/cpu/cpu0/online",),
                ),
            ),
        )


@check("perf.hardware", "Hardware counters")
def hardware(machine: Machine) -> Iterator[Finding]:
    """Opens the cycle counter of one CPU, never enabled, and closes it. Most virtual machines have none
    (ENOENT).
    """
    result = machine.bpf.hardware
    evidence = (Evidence("perf_event_open(PERF_COUNT_HW_CPU_CYCLES)", result.describe()),)
    if result.ok:
        yield ok("hardware counters are there", evidence=evidence)
    elif result.name in ("ENOENT", "EOPNOTSUPP", "ENOTSUP", "ENODEV"):
        yield fail(
            "no hardware counters here",
            reason="the processor's counters are not passed on to this machine",
            evidence=evidence,
            causes=("environment.vm",),
            remedies=(
                Remedy(
                    "perf.vpmu",
                    "Let the hypervisor pass the PMU on, or use software:cpu-clock and profile: instead",
                    "manual",
                    (),
                    "the VM's settings",
                ),
            ),
        )
    elif only_root_may(machine, PERF, result):
        yield unknown(
            "hardware counters are not for this user",
            reason=result.describe(),
            evidence=evidence,
            causes=("privileges.root",),
            with_root="one call answers",
        )
    else:
        why = explain(machine, PERF, result)
        yield warn(
            "hardware counters cannot be opened",
            reason=why.reason,
            evidence=(*evidence, *why.evidence),
            causes=why.causes,
        )
