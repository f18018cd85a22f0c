"""Which libbpf reads the kernel's BTF: the installed ones, and bpftool's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.btf import VMLINUX, NoBtf
from kdiag.machine.programs.libbpf import Libbpf
from kdiag.model import Evidence, Finding, Remedy, fail, ok, skip, unknown, warn
from kdiag.parse.btf import BtfError, Kind, kind_needs_libbpf

if TYPE_CHECKING:
    from kdiag.knowledge.tools.behaviour import Version


def release_for(kind: Kind) -> Version:
    """The first libbpf that reads BTF with this kind."""
    major, minor, patch = (int(part) for part in kind_needs_libbpf(kind).split("."))
    return major, minor, patch


def wanted_by_kernel(machine: Machine) -> tuple[Kind, Version]:
    """The highest kind of type in the kernel's BTF, and the libbpf that reads it. Raises as `BtfFacts.vmlinux`."""
    highest = Kind[machine.btf.vmlinux.highest]
    return highest, release_for(highest)


def _newer_libbpf(wanted: Version) -> tuple[Remedy, ...]:
    return (Remedy("btf.libbpf", f"Use tools with libbpf {wanted[0]}.{wanted[1]} or newer", "manual"),)


@check("btf.readers", "The installed libbpf can read this BTF")
def readers(machine: Machine) -> Iterator[Finding]:
    """The highest kind of type in the kernel's BTF against what each installed libbpf reads: ENUM64 (kernel
    6.0) needs libbpf 1.0, and an older one refuses the whole of it. Of several, a program loads the one that it was
    linked with: `ldd PROGRAM | grep libbpf`. Tools that carry a libbpf of their own are not covered.
    """
    try:
        highest, wanted = wanted_by_kernel(machine)
    except (NoBtf, BtfError):
        yield skip("no BTF to read")
        return
    readers = f"libbpf {wanted[0]}.{wanted[1]} and newer" if any(wanted) else "every libbpf"
    needs = f"highest kind {highest.name}, read by {readers}"
    libraries = {version: path for path, version in reversed(machine.tools.libbpfs)}
    evidence = (
        Evidence(VMLINUX, needs),
        *(Evidence(path, ".".join(map(str, version))) for version, path in libraries.items()),
    )
    old = [version for version in sorted(libraries) if version < wanted]
    if not libraries:
        yield skip("no shared libbpf is installed", evidence=evidence)
    elif not old:
        yield ok(f"libbpf {min(libraries)[0]}.{min(libraries)[1]} reads it", evidence=evidence)
    else:
        some = len(old) < len(libraries)
        who = "programs that load it find no BTF, those of a newer one do" if some else ""
        yield (warn if some else fail)(
            f"libbpf {old[0][0]}.{old[0][1]} is too old for this kernel's BTF",
            reason=f"{highest.name} needs libbpf {wanted[0]}.{wanted[1]}{f'; {who}' if who else ''}",
            evidence=evidence,
            remedies=_newer_libbpf(wanted),
        )


@check("btf.bpftool", "BTF that the installed bpftool reads")
def for_bpftool(machine: Machine) -> Iterator[Finding]:
    """Whether the libbpf in bpftool reads the kernel's BTF: `bpftool btf dump` and the names of maps' types need it.
    See it yourself: `bpftool version`, `bpftool btf dump file /sys/kernel/btf/vmlinux | head`.
    """
    try:
        highest, _ = wanted_by_kernel(machine)
    except (NoBtf, BtfError):
        yield skip("no BTF to read")
        return
    own = machine.tools.own_libbpf.of_bpftool
    if own is None:
        yield skip("bpftool is not installed, or does not start")
    else:
        yield reads("bpftool", own, highest)


def reads(tool: str, own: Libbpf, highest: Kind, file: str = VMLINUX) -> Finding:
    """A tool's own libbpf against the kernel's BTF."""
    wanted = release_for(highest)
    release = f"{wanted[0]}.{wanted[1]}"
    evidence = (Evidence(file, f"has {highest.name}"), Evidence(own.where, own.name))
    enough = own.has(wanted)
    if enough:
        return ok(f"{tool} reads the kernel's BTF", evidence=evidence)
    if enough is None:
        return unknown(
            f"whether {tool} reads this kernel's BTF is not known",
            reason=f"{highest.name} needs libbpf {release}, and {own.where} is {own.name}",
            evidence=evidence,
        )
    return fail(
        f"this {tool} is too old for this kernel's BTF",
        reason=f"{highest.name} needs libbpf {release}, and {own.where} is what it uses",
        evidence=evidence,
        causes=(f"tools.{tool}",),
        remedies=_newer_libbpf(wanted) if tool == "bpftool" else (),
    )
