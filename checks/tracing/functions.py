"""The list of traceable functions, and the kernel's addresses."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.privileges import SYSCTLS
from kdiag.machine.text import need_proc
from kdiag.model import Evidence, Finding, Remedy, Status, expect, expected, fail, ok, skip, unknown
from kdiag.remedies.container import run_with
from kdiag.system import Unavailable
from kdiag.words import Subject

from ..refusals import closed_by
from .configured import by_config
from .mounts import by_lockdown


def _kept_back(machine: Machine, path: str, gap: Unavailable) -> str:
    """Why root does not get at a file; the path is left to the evidence."""
    name = gap.reason.removeprefix(f"{path}: ").partition(":")[0]
    if name not in ("EPERM", "EACCES"):
        return gap.reason
    if machine.confinement.closed is not None and machine.confinement.module is not None:
        return f"{name}: {machine.confinement.module.name} keeps the files of tracefs closed"
    return f"{name}, although root asks: this kernel keeps the list to itself"


@check("tracing.functions", "The list of traceable functions")
def functions(machine: Machine) -> Iterator[Finding]:
    """Whether available_filter_functions can be read. bpftrace checks kprobe and fentry names against it;
    up to 0.24 it refuses fentry without it. It needs CONFIG_DYNAMIC_FTRACE, and lockdown=confidentiality
    forbids reading it.
    """
    if machine.tracing.root is None:
        yield fail("no list of traceable functions without tracefs", causes=("tracing.tracefs",))
        return
    path = f"{machine.tracing.root}/available_filter_functions"
    try:
        readable = machine.tracing.readable_file("available_filter_functions")
    except Unavailable as gap:
        if machine.privileges.may_look:
            yield fail(
                "available_filter_functions cannot be opened",
                reason=_kept_back(machine, path, gap),
                evidence=(Evidence(path, gap.reason), *by_lockdown(machine, gap)),
                causes=closed_by(machine, gap),
            )
        else:
            yield by_config(machine, Subject("the list of traceable functions"), "DYNAMIC_FTRACE", gap.reason)
        return
    if readable:
        yield ok("available_filter_functions is readable", evidence=(Evidence(path, "readable"),))
    else:
        yield fail(
            "this kernel does not list traceable functions",
            evidence=(Evidence(path, "absent" if readable is None else "empty"),),
            causes=("config.DYNAMIC_FTRACE", "config.FUNCTION_TRACER"),
        )


def killed(machine: Machine) -> Evidence | None:
    """What shows that function tracing switched itself off after an error of its own, until the next boot: its files
    answer ENODEV then (kernel/trace/ftrace.c, ftrace_kill and ftrace_avail_open). None where it did not, or cannot be
    seen.
    """
    try:
        machine.tracing.readable_file("available_filter_functions")
    except Unavailable as gap:
        if gap.errno == errno.ENODEV:
            return Evidence("available_filter_functions", gap.reason)
    return None


@check("tracing.ftrace", "Function tracing is switched on")
def ftrace(machine: Machine) -> Iterator[Finding]:
    """The master switch of function tracing, kernel.ftrace_enabled. At 0 fentry, kprobe.multi and, on x86, a kprobe on
    the entry of a function attach without an error and never fire: the kernel registers them and does not patch the
    functions (kernel/trace/ftrace.c, ftrace_startup_enable). After an error of its own it is off until the next boot,
    and they do not attach. See it yourself: `sysctl kernel.ftrace_enabled`, `head -1
    /sys/kernel/tracing/available_filter_functions`.
    """
    path = SYSCTLS["kernel.ftrace_enabled"]
    dead = killed(machine)
    if dead is not None:
        yield fail(
            "function tracing switched itself off: fentry and kprobe.multi do not attach before the next boot",
            reason="the kernel found an error while it patched a function (kernel/trace/ftrace.c, ftrace_bug)",
            evidence=(dead,),
            causes=("kernel.log",),
            remedies=(Remedy("ftrace.reboot", "Start the machine anew", "manual", ("sudo reboot",)),),
        )
        return
    try:
        value = machine.privileges.sysctl("kernel.ftrace_enabled")
    except Unavailable as gap:
        yield expected(
            "the switch of function tracing cannot be read",
            reason=gap.reason,
            evidence=(expect("kernel/trace/ftrace.c", "on, unless it was switched off"),),
        )
        return
    if value is None:
        yield skip("this kernel has no switch for function tracing", evidence=(Evidence(path, "absent"),))
    elif value == 0:
        yield fail(
            "function tracing is switched off: fentry and kprobe.multi attach and never fire",
            evidence=(Evidence(path, "0"),),
            causes=("sysctl.kernel.ftrace_enabled",),
        )
    else:
        yield ok("function tracing is switched on", evidence=(Evidence(path, str(value)),))


@check("tracing.kallsyms", "Kernel symbols have addresses")
def kallsyms(machine: Machine) -> Iterator[Finding]:
    """Whether /proc/kallsyms shows addresses: kernel stacks get their names from it. kernel.kptr_restrict=2
    zeroes them for root too; below that they are for those with CAP_SYSLOG, which root of a container lacks. See
    it yourself: `head -1 /proc/kallsyms`.
    """
    head = machine.system.head("/proc/kallsyms", 256)
    if head is None:
        try:
            need_proc(machine.system, "/proc/kallsyms")
        except Unavailable as gap:
            # Here no tool sees it, whatever the kernel has; of another machine's files nothing is known.
            yield (fail if gap.errno == errno.ENOENT else unknown)(
                "/proc/kallsyms is not shown here: kernel stacks have no symbol names",
                reason=gap.reason,
                causes=("kernel.modules",),
            )
            return
        yield fail(
            "this kernel has no /proc/kallsyms",
            causes=("config.KALLSYMS",),
            evidence=(Evidence("/proc/kallsyms", "absent"),),
        )
        return
    lines = head.decode("ascii", "replace").splitlines()[:-1]
    evidence = (Evidence("/proc/kallsyms", lines[0] if lines else "empty"),)
    if machine.tracing.kernel_symbols:
        yield ok("kernel symbols have addresses", evidence=evidence)
    else:
        yield _hidden(machine, evidence)


def _hidden(machine: Machine, evidence: tuple[Evidence, ...]) -> Finding:
    """Zeros. What a user who may not trace sees says little of what root sees; of one who may it is the answer.

    kernel/ksyms_common.c, kallsyms_show_value: kptr_restrict 2 hides addresses from all; below that CAP_SYSLOG of the
    machine's user namespace shows them, and 0 with a perf_event_paranoid of at most 1.
    """
    level, privileges = _kptr_restrict(machine), machine.privileges
    syslog, nobody = privileges.has("CAP_SYSLOG"), level is None or level > 1
    if not (syslog or privileges.is_root or not privileges.lacking("CAP_BPF", "CAP_PERFMON")):
        return _from_this_user(evidence, level)
    summary = "kernel stacks have no symbol names: addresses are hidden"
    if syslog or nobody:
        return fail(
            summary,
            evidence=evidence,
            causes=("sysctl.kernel.kptr_restrict", "privileges.userns", "privileges.capabilities"),
        )
    found = fail(
        f"{summary} without CAP_SYSLOG",
        reason=f"kernel.kptr_restrict is {level}: the kernel shows them to those who hold it"
        + (", and to all where kernel.perf_event_paranoid is 1 or less" if level == 0 else ""),
        evidence=(*evidence, Evidence("/proc/self/status CapEff", "lacks CAP_SYSLOG")),
        remedies=run_with(machine, "symbols"),
        with_root="" if privileges.is_root else "its capabilities show them",
    )
    return found if privileges.is_root else replace(found, likely=Status.OK)


def _kptr_restrict(machine: Machine) -> int | None:
    try:
        return machine.privileges.sysctl("kernel.kptr_restrict")
    except Unavailable:
        return None


def _from_this_user(evidence: tuple[Evidence, ...], level: int | None) -> Finding:
    summary, root_adds = "addresses are hidden from this user", "it can be seen whether root sees addresses"
    if level is None or level > 1:
        return unknown(
            summary, evidence=evidence, causes=("sysctl.kernel.kptr_restrict",), with_root=root_adds
        )
    said = expect("kernel.kptr_restrict", f"{level}: root sees them")
    return expected(summary, evidence=(*evidence, said), causes=("privileges.root",), with_root=root_adds)
