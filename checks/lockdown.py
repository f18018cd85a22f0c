"""Secure Boot and lockdown: what the kernel keeps even from root."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.model import Evidence, Finding, Remedy, expect, expected, fail, ok, skip, unknown, warn
from kdiag.remedies.mounts import mount
from kdiag.system import Unavailable

from .refusals import TRACING, Refusal, explain, quoted


@check("privileges.secure-boot", "Secure Boot")
def secure_boot(machine: Machine) -> Iterator[Finding]:
    """UEFI Secure Boot: distributions then lock the kernel down and load signed modules only.

    See it yourself: `mokutil --sb-state`.
    """
    state = machine.privileges.secure_boot
    if state is None:
        yield skip("not booted through UEFI", evidence=(Evidence("/sys/firmware/efi", "absent"),))
    elif state:
        yield warn("Secure Boot is on: only signed modules load, and most distributions lock the kernel down")
    else:
        yield ok("Secure Boot is off", evidence=(Evidence("EFI variable SecureBoot", "0"),))


@check("kernel.lockdown", "Kernel lockdown allows tracing")
def lockdown(machine: Machine) -> Iterator[Finding]:
    """The lockdown mode: `none` and `integrity` let tracing work, `confidentiality` forbids reading kernel
    memory and tracefs.

    The file is in securityfs; where that is not mounted, the kernel's log may tell, or a program that reads kernel
    memory is loaded (and dropped), which only confidentiality refuses. See it yourself: `cat
    /sys/kernel/security/lockdown`, man 7 kernel_lockdown.
    """
    try:
        mode = machine.privileges.lockdown
    except Unavailable as gap:
        said = machine.log.confidential
        if said is not None:
            yield _locked((Evidence("/sys/kernel/security/lockdown", gap.reason), quoted(said)))
        else:
            yield _lockdown_by_behaviour(machine, gap.reason)
        return
    by = tuple(map(quoted, machine.log.of("locked")[:1]))
    evidence = (Evidence("/sys/kernel/security/lockdown", mode), *by)
    if mode == "confidentiality":
        yield _locked(evidence)
    elif (said := machine.log.locked_by_patch) is not None and not machine.bpf.create_map.ok:
        yield _locked_by_patch((*evidence, quoted(said)))
    else:
        yield ok(
            f"lockdown: {mode}",
            reason="" if mode == "none" else "debugfs files may refuse to open; bpftrace works",
            evidence=evidence,
        )


def _locked_by_patch(evidence: tuple[Evidence, ...]) -> Finding:
    """Fedora and Ubuntu had patches for Secure Boot before Linux had lockdown, and those refused bpf(2) itself."""
    return fail(
        "the kernel is locked down, by a patch from before Linux 5.4 that refuses BPF and kprobes",
        reason="no privilege helps; lockdown as it is in Linux since 5.4 lets tracing work in its integrity mode",
        evidence=evidence,
        causes=("privileges.secure-boot",),
        remedies=(
            Remedy(
                "kernel.lockdown-patch",
                "Switch Secure Boot off, or boot a kernel from 5.4 on",
                "manual",
                (),
                "the firmware's settings",
                ("root", "reboot"),
            ),
        ),
    )


def _locked(evidence: tuple[Evidence, ...]) -> Finding:
    return fail(
        "the kernel is locked down (confidentiality)",
        reason="BPF may not read kernel memory and tracefs cannot be opened; no privilege helps",
        evidence=evidence,
        causes=("privileges.secure-boot",),
        remedies=(
            Remedy(
                "kernel.lockdown",
                "Boot with lockdown=integrity; Secure Boot may enforce more",
                "manual",
                (),
                "the boot loader",
                ("root", "reboot"),
            ),
        ),
    )


def _tracefs_opens(machine: Machine) -> Evidence | None:
    """A file of tracefs that could be read: confidentiality refuses all of them (5.4, LOCKDOWN_TRACEFS)."""
    name = "available_filter_functions"
    try:
        opens = machine.tracing.readable_file(name)
    except Unavailable:
        return None
    return Evidence(f"{machine.tracing.root}/{name}", "readable") if opens else None


def _knows_helper(machine: Machine, evidence: list[Evidence]) -> bool:
    """Whether the kernel has the helper that it refused: those before 5.5 lack it and answer EINVAL as well."""
    try:
        older = machine.bpf.read_any
    except Unavailable:
        return machine.kernel.version_numbers >= (5, 5, 0)
    evidence.append(Evidence("the same with the helper that every kernel has", older.describe()))
    return older.name == "EINVAL"


def _lockdown_by_behaviour(machine: Machine, why: str) -> Finding:
    probe = machine.bpf.read_kernel
    evidence = [
        Evidence("/sys/kernel/security/lockdown", why),
        Evidence("bpf(BPF_PROG_LOAD) that reads kernel memory", probe.describe()),
    ]
    if probe.ok:
        return ok(
            "lockdown is not at confidentiality: a program may read kernel memory",
            evidence=tuple(evidence),
        )
    if probe.name == "EINVAL" and machine.bpf.program("raw_tracepoint").ok:
        opened = _tracefs_opens(machine)
        if opened is not None:
            return ok(
                "lockdown is not at confidentiality: tracefs opens, which it refuses",
                evidence=(*evidence, opened),
            )
        if _knows_helper(machine, evidence):
            return _locked(tuple(evidence))
    asked_for = machine.privileges.lockdown_expected
    if asked_for is not None:
        evidence.append(expect("kernel config and command line", asked_for))
    make = expected if asked_for in ("none", "integrity") else unknown
    refused = explain(machine, TRACING, probe) if probe.name in ("EPERM", "EACCES", "ENOSYS") else Refusal("")
    not_linux = machine.environment.vm is not None and machine.environment.vm.kind in (
        "wsl1",
        "gvisor",
        "uml",
    )
    return make(
        "the lockdown mode cannot be seen",
        reason="; ".join(filter(None, (why, refused.reason))),
        evidence=tuple(evidence),
        causes=() if not_linux else refused.causes,
        remedies=() if not_linux else mount(machine, "securityfs", "/sys/kernel/security"),
        with_root="" if machine.privileges.is_root else "a program that reads kernel memory tells",
    )
