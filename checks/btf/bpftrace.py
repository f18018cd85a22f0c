"""The BTF that the installed bpftrace gets."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.btf import TAKES_BARE, VMLINUX, NoBtf
from kdiag.machine.programs.libbpf import Libbpf
from kdiag.model import (
    Evidence,
    Finding,
    Remedy,
    Status,
    WrongRemedy,
    expect,
    expected,
    fail,
    ok,
    skip,
    unknown,
)
from kdiag.parse.btf import BtfError, Kind
from kdiag.system import Unavailable

from ..refusals import LISTING, only_root_may
from .elsewhere import kept
from .ids import not_listed
from .kernel import byte_order
from .libraries import reads, release_for, wanted_by_kernel
from .variable import wrong_variable


@check("btf.bpftrace", "BTF that the installed bpftrace gets")
def for_bpftrace(machine: Machine) -> Iterator[Finding]:
    """Where the installed release of bpftrace takes BTF from, and whether that works here.

    0.17.0 asks the kernel for BTF objects by id instead of reading the file: a 5.10 kernel has none for
    vmlinux, so `btf: no` there although the file is sound (BPFTRACE_BTF cures it). Debian's 0.11.3 reads no
    BTF with ENUM64.
    """
    behaviour = machine.tools.behaviour
    if behaviour is None:
        yield skip("bpftrace is not installed, or its release is not known")
        return
    variable = machine.headers.variable("BPFTRACE_BTF")
    if behaviour.btf_source == "none":
        yield fail("this release of bpftrace does not read BTF", causes=("tools.bpftrace",))
    elif variable is not None and behaviour.honours_btf_variable:
        problem = wrong_variable(machine, variable)
        evidence = (Evidence("$BPFTRACE_BTF", variable or "set, and empty"),)
        if problem:
            yield fail(f"BPFTRACE_BTF: {problem}", evidence=evidence, causes=("btf.variable",))
        else:
            yield ok(f"BPFTRACE_BTF: {variable} is sound BTF", evidence=evidence)
    elif behaviour.btf_source == "kernel-id":
        yield _by_id(machine)
    else:
        yield _by_file(machine)


@check("btf.fentry-test", "The function that bpftrace tries fentry with")
def fentry_test(machine: Machine) -> Iterator[Finding]:
    """bpftrace 0.11 tests fentry (kfunc) on strlen, and has none where the kernel's BTF lacks that function: Debian's
    5.10, for instance, whose BTF has traceable functions only. Later releases use sched_fork, which every BTF has.
    """
    behaviour = machine.tools.behaviour
    if behaviour is None:
        yield skip("bpftrace is not installed, or its release is not known")
        return
    if not behaviour.fentry_test:
        yield skip("this release of bpftrace does not try it with strlen")
        return
    try:
        number = machine.btf.function("strlen")
    except NoBtf:
        yield skip("there is no BTF to look in")
        return
    except (Unavailable, BtfError) as error:
        yield unknown(
            "whether strlen is in the kernel's BTF is not known", reason=str(error), causes=("btf.vmlinux",)
        )
        return
    evidence = (
        Evidence("function strlen in /sys/kernel/btf/vmlinux", f"type {number}" if number else "absent"),
    )
    if number:
        yield ok("strlen is in the kernel's BTF", evidence=evidence)
        return
    yield fail(
        "the kernel's BTF lacks strlen, with which bpftrace 0.11 tries fentry",
        reason="it then says that kfunc is not available for this kernel version, which is not so",
        evidence=evidence,
        causes=("tools.bpftrace",),
    )


def _by_id(machine: Machine) -> Finding:
    cure = point_to(VMLINUX)
    try:
        result = machine.bpf.btf_by_id
    except Unavailable as gap:
        return unknown("this bpftrace asks the kernel for BTF by id", reason=gap.reason)
    evidence = (Evidence("bpf(BPF_BTF_GET_NEXT_ID)", result.describe()),)
    if result.ok:
        return ok("the kernel gives BTF by id", evidence=evidence)
    if result.name == "ENOENT":
        try:
            machine.btf.vmlinux  # noqa: B018  the file decides whether the cure helps
        except (NoBtf, BtfError):
            return fail("the kernel has no BTF", evidence=evidence, causes=("btf.vmlinux",))
        return fail(
            "this bpftrace does not see the kernel's BTF, although the file is sound",
            reason="0.17.0 looks up BTF objects by id, and this kernel (before 5.11) has none for itself",
            evidence=evidence,
            remedies=(cure,),
            wrong_remedies=(
                WrongRemedy(
                    "installing kernel headers",
                    "they help tracepoints, but BPFTRACE_BTF helps all and needs nothing",
                ),
            ),
        )
    if only_root_may(machine, LISTING, result):
        found = _by_file(machine)
        if found.status is not Status.OK:
            return found
        return expected(
            "only root may ask the kernel for BTF by id, as this bpftrace does",
            evidence=(*evidence, expect(VMLINUX, "the file is sound")),
            causes=("privileges.root",),
            with_root="one call answers",
        )
    return not_listed(machine, result)


def _by_file(machine: Machine) -> Finding:
    try:
        btf = machine.btf.vmlinux
    except BtfError:
        return fail("the kernel's BTF is broken, and libbpf does not look elsewhere", causes=("btf.vmlinux",))
    except NoBtf:
        return _by_fallback(machine)
    if btf.task_struct is None or byte_order(machine) not in (None, btf.byteorder):
        return fail("bpftrace gets BTF that is not a kernel's", causes=("btf.vmlinux",))
    highest, _ = wanted_by_kernel(machine)
    try:
        own = machine.tools.own_libbpf.of_bpftrace
    except Unavailable as gap:
        return _by_no_library(machine, highest, gap)
    if own is None:
        return ok("bpftrace reads the kernel's BTF", evidence=(Evidence(VMLINUX, f"{btf.n_types} types"),))
    return reads("bpftrace", own, highest)


def _by_fallback(machine: Machine) -> Finding:
    """bpftrace's own list (up to 0.16) takes ELF images alone, libbpf's since 1.1 bare BTF too."""
    good = next((f for f in machine.btf.fallbacks if not f.problem), None)
    if good is None:
        return fail("bpftrace finds no BTF", causes=("btf.vmlinux", "btf.fallback"))
    behaviour, own = machine.tools.behaviour, None
    lists = behaviour is not None and behaviour.btf_source == "file-list"
    evidence = (Evidence(good.path, kept(good)),)
    try:
        own = machine.tools.own_libbpf.of_bpftrace
    except Unavailable:
        own = next((Libbpf(*one) for one in reversed(machine.tools.libbpfs)), None)
    takes: bool | None = not good.bare
    if good.bare and not lists:
        takes = None if own is None else own.has(TAKES_BARE)
    if takes is None:
        return unknown(
            f"whether bpftrace takes bare BTF in {good.path} is not known",
            reason=f"libbpf takes it since 1.1, and {own.where if own else 'its own'} does not say",
            evidence=evidence,
        )
    if not takes:
        reader = "this release of bpftrace" if lists or own is None else own.name
        return fail(
            f"bpftrace does not take bare BTF in {good.path}",
            reason=f"{reader} takes an ELF image there; a variable names bare BTF",
            evidence=evidence,
            causes=("tools.bpftrace",),
            remedies=(point_to(good.path),) if behaviour and behaviour.honours_btf_variable else (),
        )
    kind = Kind[good.highest]
    if own is not None and own.has(release_for(kind)) is False:
        return reads("bpftrace", own, kind, good.path)
    return ok(f"bpftrace takes BTF from {good.path}", evidence=evidence)


def point_to(path: str) -> Remedy:
    return Remedy(
        "btf.variable",
        "Point bpftrace to the file",
        commands=(f"export BPFTRACE_BTF={path}",),
        run_on="the shell that starts bpftrace, as root (or: sudo --preserve-env=BPFTRACE_BTF bpftrace)",
    )


def _by_no_library(machine: Machine, highest: Kind, gap: Unavailable) -> Finding:
    """Where the program's file does not tell: a package's bpftrace is linked with a libbpf of its distribution."""
    tool, libraries, wanted = machine.tools.bpftrace, machine.tools.libbpfs, release_for(highest)
    types = Evidence(VMLINUX, f"has {highest.name}")
    old = [library for library in libraries if library[1] < wanted]
    if not old or tool is None or not tool.origin.startswith("package"):
        return ok("bpftrace reads the kernel's BTF", evidence=(types,))
    if len(old) == len(libraries):
        path, version = old[0]
        return reads("bpftrace", Libbpf(path, version), highest)
    return unknown(
        "whether bpftrace reads this kernel's BTF depends on which libbpf it loads",
        reason=f"{highest.name} needs libbpf {wanted[0]}.{wanted[1]}; {gap.reason}",
        evidence=(types, *(Evidence(path, ".".join(map(str, version))) for path, version in libraries)),
        causes=("btf.readers",),
    )
