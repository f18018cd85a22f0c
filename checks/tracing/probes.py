"""kprobes and uprobes: whether the kernel has them, and lets them be written."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.privileges import SYSCTLS
from kdiag.machine.tracing import DEBUGFS
from kdiag.model import Evidence, Finding, Remedy, WrongRemedy, expect, expected, fail, ok, skip, unknown
from kdiag.parse.errors import ParseError
from kdiag.system import Unavailable
from kdiag.words import Subject

from .configured import by_config
from .functions import killed

#: File systems by the magic of statfs(2) (include/uapi/linux/magic.h): what can be in such a place.
#: Docker's, Podman's and containerd's profiles, which have the same rules for /sys.
_ENGINES_PROFILES = ("docker-default", "containers-default", "cri-containerd")


def _dynamic(machine: Machine, kind: str) -> tuple[bool | None, list[Evidence]]:
    """Whether the kernel has kprobes or uprobes, None where what can be seen leaves it open.

    The event source came with 4.17 (perf_kprobe and perf_uprobe in kernel/events/core.c), the file in tracefs is
    older. Where tracefs cannot be looked into, the lack of the source decides for a newer kernel, unless its
    configuration says otherwise.
    """
    pmu = kind in machine.tracing.pmus
    evidence = [Evidence(f"/sys/bus/event_source/devices/{kind}", "exists" if pmu else "absent")]
    events: bool | None = None
    try:
        root = machine.tracing.root
        if root is not None:
            events = f"{kind}_events" in machine.tracing.names
            evidence.append(Evidence(f"{root}/{kind}_events", "exists" if events else "absent"))
        else:
            evidence.append(Evidence(f"{kind}_events", "tracefs is not mounted"))
    except Unavailable as gap:
        evidence.append(Evidence(f"{kind}_events", gap.reason))
    if pmu or events:
        return True, evidence
    return (False if events is False or _new_enough(machine, kind) else None), evidence


def _new_enough(machine: Machine, kind: str) -> bool:
    try:
        configured = machine.config.value(f"{kind.upper()}_EVENTS") == "y"
    except Unavailable:
        configured = False
    return not configured and machine.kernel.version_numbers >= (4, 17, 0)


@check("tracing.kprobes", "kprobes")
def kprobes(machine: Machine) -> Iterator[Finding]:
    """Whether functions of the kernel can be probed: kprobe_events in tracefs, the kprobe event source, and
    the master switch in debugfs. Where the kernel puts kprobes on function tracing (CONFIG_KPROBES_ON_FTRACE, x86 and
    others), kernel.ftrace_enabled=0 keeps them from firing. See it yourself: `ls /sys/kernel/tracing/kprobe_events
    /sys/bus/event_source/devices/kprobe`.
    """
    there, evidence = _dynamic(machine, "kprobe")
    if there is None:
        yield by_config(machine, Subject("kprobes", plural=True), "KPROBE_EVENTS", evidence[-1].observed)
        return
    if not there:
        yield fail(
            "this kernel has no kprobes",
            reason="neither the kprobe event source nor kprobe_events exists, so it was built without them; "
            "CONFIG_HAVE_KPROBES shows whether this architecture has any",
            evidence=tuple(evidence),
            causes=("config.KPROBES", "config.KPROBE_EVENTS"),
            wrong_remedies=(
                WrongRemedy("mounting debugfs", "a mount cannot add what is not built into the kernel"),
            ),
        )
        return
    refused = _writes_refused(machine, evidence)
    if refused is not None:
        yield refused
        return
    try:
        switch = machine.tracing.kprobes_switch
        if switch is not None:
            evidence.append(Evidence(f"{DEBUGFS}/kprobes/enabled", "1" if switch else "0"))
    except Unavailable as gap:
        switch = None
        evidence.append(Evidence(f"{DEBUGFS}/kprobes/enabled", gap.reason))
    if switch is False:
        yield fail(
            "kprobes are switched off",
            evidence=tuple(evidence),
            remedies=(
                Remedy(
                    "kprobes.enable",
                    "Switch them on",
                    "unsafe",
                    (f"echo 1 | sudo tee {DEBUGFS}/kprobes/enabled",),
                    needs=("root",),
                    undo=(f"echo 0 | sudo tee {DEBUGFS}/kprobes/enabled",),
                ),
            ),
        )
        return
    yield _silent(machine, evidence) or ok("kprobes are there", evidence=tuple(evidence))


def _silent(machine: Machine, evidence: list[Evidence]) -> Finding | None:
    """Kprobes that do nothing because function tracing is off: on the entry of a function they go through it, where the
    kernel is built so (kernel/kprobes.c, check_ftrace_location and arm_kprobe_ftrace).
    """
    dead = killed(machine)
    try:
        off = machine.privileges.sysctl("kernel.ftrace_enabled") == 0
    except Unavailable:
        off = False
    if not off and dead is None:
        return None
    option = "KPROBES_ON_FTRACE"
    causes = ("tracing.ftrace", "sysctl.kernel.ftrace_enabled")
    try:
        value, path = machine.config.value(option), machine.config.found.path
    except Unavailable as gap:
        return unknown(
            "whether kprobes fire cannot be told",
            reason=f"function tracing is off, and whether kprobes use it is not known: {gap.reason}",
            evidence=tuple(evidence),
            causes=causes,
        )
    evidence.append(dead or Evidence(SYSCTLS["kernel.ftrace_enabled"], "0"))
    evidence.append(Evidence(path, f"CONFIG_{option}={value or 'absent'}"))
    if value != "y":
        return None
    return fail(
        "kprobes do not attach: function tracing switched itself off"
        if dead
        else "kprobes attach and never fire: function tracing is switched off",
        reason="this kernel puts a kprobe on the entry of a function through function tracing",
        evidence=tuple(evidence),
        causes=causes,
    )


def _writes_refused(machine: Machine, evidence: list[Evidence]) -> Finding | None:
    """A container's profile under which no kprobe can be made where that takes a write to kprobe_events."""
    confined = machine.confinement.module
    if confined is None or confined.by != "AppArmor" or "kprobe" in machine.tracing.pmus:
        return None
    if not confined.as_.startswith(_ENGINES_PROFILES):
        return None
    return fail(
        f"{confined.name} refuses to write kprobe_events, and this kernel has no other way to a kprobe",
        reason="the engine's AppArmor profile denies writing to files below /sys (moby profiles/apparmor/template.go); "
        "kprobes without a file came with Linux 4.17",
        evidence=(*evidence, Evidence(confined.path, f"{confined.as_}, in force")),
        remedies=(
            Remedy(
                "kprobes.apparmor",
                "Start the container with --security-opt apparmor=unconfined",
                "manual",
                run_on="the host",
            ),
        ),
    )


@check("tracing.uprobes", "uprobes")
def uprobes(machine: Machine) -> Iterator[Finding]:
    """Whether functions of programs can be probed: the uprobe event source or uprobe_events in tracefs."""
    there, evidence = _dynamic(machine, "uprobe")
    if there is None:
        yield by_config(machine, Subject("uprobes", plural=True), "UPROBE_EVENTS", evidence[-1].observed)
    elif there:
        yield ok("uprobes are there", evidence=tuple(evidence))
    else:
        yield fail(
            "this kernel has no uprobes",
            evidence=tuple(evidence),
            causes=("config.UPROBE_EVENTS", "config.UPROBES"),
        )


@check("tracing.thumb", "Programs that uprobes can be put on")
def thumb(machine: Machine) -> Iterator[Finding]:
    """On 32-bit ARM a uprobe can be put on ARM code only: the kernel refuses addresses that are not divisible by four
    with EINVAL (arch/arm/probes/uprobes/core.c, arch_uprobe_analyze_insn), and those of Thumb functions are odd.
    Debian, Ubuntu and most others build for ARMv7 in Thumb-2. A USDT probe in Thumb code is refused as well, or damages
    its program. See it yourself: `readelf -h $(command -v python3) | grep Entry`: an odd address is Thumb.
    """
    if not machine.kernel.arch.startswith("arm"):
        yield skip("only 32-bit ARM has code that uprobes cannot be put on")
        return
    try:
        found = machine.kernel.thumb
    except (Unavailable, ParseError) as gap:
        yield unknown("whether the programs here are Thumb code was not seen", reason=str(gap))
        return
    path = machine.system.identity().interpreter or "Python"
    if found is None:
        yield unknown(
            "whether the programs here are Thumb code was not seen",
            evidence=(Evidence(path, "no such program"),),
        )
    elif found:
        yield fail(
            "the programs here are Thumb code, which uprobes cannot be put on",
            reason="the kernel refuses it with EINVAL; programs that were built with -marm can be probed",
            evidence=(Evidence(path, "begins at an odd address: Thumb"),),
        )
    else:
        yield ok("the programs here are ARM code", evidence=(Evidence(path, "begins at an even address"),))


#: Since when the kernel counts for a uprobe (kernel/events/core.c, PERF_UPROBE_REF_CTR_OFFSET_SHIFT).
_COUNTED_SINCE = (4, 20, 0)


@check("tracing.usdt-semaphores", "The kernel raises semaphores of USDT probes")
def semaphores(machine: Machine) -> Iterator[Finding]:
    """Whether the uprobe event source takes the place of a counter (4.20): their program skips many USDT probes
    until a semaphore in its memory is raised. Without it bpftrace up to 0.23 raises it with -p PID, later releases do
    not attach. See it yourself: `cat /sys/bus/event_source/devices/uprobe/format/ref_ctr_offset`.
    """
    path = "/sys/bus/event_source/devices/uprobe/format/ref_ctr_offset"
    try:
        there = machine.system.stat(path) is not None
    except Unavailable as gap:
        if machine.kernel.version_numbers >= _COUNTED_SINCE:
            seen = (Evidence(path, gap.reason), expect("uname -r", "Linux 4.20 and newer have it"))
            yield expected(
                "whether the kernel raises semaphores was not seen", reason=gap.reason, evidence=seen
            )
            return
        raise
    if there:
        yield ok("the kernel raises semaphores of USDT probes", evidence=(Evidence(path, "exists"),))
    else:
        yield fail(
            "this kernel raises no semaphores of USDT probes",
            reason="requires Linux 4.20 or newer, with uprobe events",
            evidence=(Evidence(path, "absent"),),
            causes=("tracing.uprobes",),
        )
