"""The plan for BTF: point bpftrace to what the kernel provides, or recover it from a vmlinux of this build or a
file of the user's.
"""

from __future__ import annotations

from kdiag.fix.btf_sources import BtfSource, from_fallbacks, from_file, in_store
from kdiag.fix.effects import Written
from kdiag.fix.plan.subject import BTF, Subject
from kdiag.fix.plan.values import Part, Step, sentence
from kdiag.machine.btf import VMLINUX
from kdiag.model import Finding, Status

#: By os-release's ID, the distributions in github.com/aquasecurity/btfhub-archive.
_IN_BTFHUB = ("amzn", "centos", "debian", "fedora", "ol", "opensuse-leap", "rhel", "sles", "ubuntu")


def plan_btf(subject: Subject) -> Part:
    """The steps that bring BTF where it is lacking. The part's path is the file that BPFTRACE_BTF is to name."""
    kernel = subject.finding("btf.vmlinux")
    given = subject.options.btf
    if kernel is None or (kernel.status is Status.UNKNOWN and given is None):
        return Part(notes=() if kernel is None else (sentence(kernel),))
    if not subject.options.concerns("bpftrace") and given is None:
        # No other tool knows a variable for it.
        needed = kernel.status is not Status.OK and subject.stands_in_the_way(BTF[0])
        return Part(notes=(sentence(kernel),) if needed else ())
    if kernel.status is Status.OK:
        part = _point_to_it(subject)
        unneeded = (f"--btf {given}: not needed, the kernel provides valid BTF.",)
        return part._replace(notes=part.notes + unneeded) if given else part
    if not _honoured(subject):
        newer = "The installed bpftrace does not know BPFTRACE_BTF: use a newer one."
        return Part(notes=(sentence(kernel), newer))
    if given is not None:
        found = from_file(given, subject.machine)
        note = "BTF does not say which build of the kernel it is of: if structs look wrong, it is of another one."
        return _write(subject, "btf.file", f"Use the BTF in {given}", found, (note,))
    kept = in_store(subject.release, subject.places.btf_search)
    if kept is not None:
        return Part((), (f"BTF for {subject.release} was recovered already: {kept}",), kept)
    return _recover(subject, kernel)


def _point_to_it(subject: Subject) -> Part:
    """The kernel's BTF is sound; this bpftrace may still not see it."""
    mine = subject.finding("btf.bpftrace")
    if mine is None or mine.status is not Status.FAIL:
        return Part()
    if not any(remedy.id == "btf.variable" for remedy in mine.remedies):
        return Part(notes=(sentence(mine),))
    # `kdiag env` asks no bpftrace for its version: a copy in the store shows it.
    data = subject.machine.system.read(VMLINUX)
    if data is None:
        return Part(notes=(sentence(mine),))
    found = BtfSource(data, VMLINUX, proven=True)
    return _write(subject, "btf.variable", "Copy the kernel's BTF for BPFTRACE_BTF to name", found, ())


def _recover(subject: Subject, kernel: Finding) -> Part:
    mine = subject.finding("btf.bpftrace")
    found, said = from_fallbacks(subject.machine)
    if found is None:
        instead = (f"{said}.",) if said else ()
        return Part(notes=(sentence(kernel), *instead, *_what_would(subject, kernel)))
    if mine is not None and mine.status is Status.OK:
        return Part(notes=(f"The kernel does not provide BTF, and needs no repair: {mine.summary}.",))
    notes = (
        ()
        if found.proven
        else (
            f"That {found.origin} is of this very build is likely by its place, and not proven (no build-id).",
        )
    )
    return _write(subject, "btf.recover", f"Recover BTF from {found.origin}", found, notes)


def _write(subject: Subject, step_id: str, title: str, found: BtfSource, notes: tuple[str, ...]) -> Part:
    target = subject.places.btf / found.name(subject.release)
    step = Step(
        step_id,
        title,
        changes=(f"writes {target} ({len(found.data) / 1e6:.1f} MB)",),
        undo="removes that file",
        helps=subject.titles(*BTF),
        effect=Written(str(target), found.sha256, found.origin),
        content=found.data,
    )
    return Part((step,), notes, target)


def _honoured(subject: Subject) -> bool:
    behaviour = subject.machine.tools.behaviour
    return behaviour is None or behaviour.honours_btf_variable


def _what_would(subject: Subject, kernel: Finding) -> tuple[str, ...]:
    """What would bring BTF, where nothing here does."""
    by_hand = tuple(
        f"{r.title} ({r.run_on}){': ' + ' && '.join(r.commands) if r.commands else ''}."
        for r in kernel.remedies
    )
    return (
        *by_hand,
        f"With a file of this kernel's BTF: {subject.typed('kdiag fix --btf FILE')}{_btfhub(subject)}.",
    )


def _btfhub(subject: Subject) -> str:
    """The file to look for in BTFHub, which has kernels of distributions only (the directories of its archive)."""
    kernel = subject.machine.kernel
    system, identity = kernel.os_release, kernel.identity
    if identity is None or identity.kind != "distribution" or system is None or system.id not in _IN_BTFHUB:
        return ""
    place = f"{system.id}/{system.version_id}/{kernel.arch}/" if system.version_id else ""
    return (
        " (BTFHub has many kernels' before BTF was common: "
        f"github.com/aquasecurity/btfhub-archive, {place}{subject.release}.btf.tar.xz)"
    )
