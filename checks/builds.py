"""How the installed bpftrace was built, and what is known to be broken in its release on this kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from kdiag.check import check
from kdiag.knowledge.tools.bpftrace_builds import OPTIONAL
from kdiag.knowledge.tools.faults import Fault, faults, finding_id
from kdiag.knowledge.tools.stock_scripts import of as scripts_of
from kdiag.machine import Machine
from kdiag.machine.btf import VMLINUX, NoBtf
from kdiag.machine.programs.build import Build
from kdiag.model import Evidence, Finding, ok, skip, warn
from kdiag.parse.btf import BtfError
from kdiag.system import ProbeResult, Unavailable

#: Of a whole kernel's BTF: the smallest kernels that were seen have 40,000 types, what a recording keeps has few.
_WHOLE = 5000


@check("tools.bpftrace-build", "How bpftrace was built")
def build(machine: Machine) -> Iterator[Finding]:
    """Which LLVM the installed bpftrace was built with, which of the optional libraries, and whether it is one file
    with all in it (static, AppImage): a distribution's choice decides as much as the release. Read from the program's
    dynamic section. See it yourself: `ldd $(command -v bpftrace)`, `bpftrace --info`.
    """
    found, behaviour = machine.tools.builds.of_bpftrace, machine.tools.behaviour
    tool = machine.tools.bpftrace
    if found is None or tool is None:
        yield skip("bpftrace is not installed")
        return
    if found.form != "shared":
        yield ok(
            f"bpftrace is one file with its libraries in it ({found.form})",
            reason="`bpftrace --info` says which they are",
            evidence=(Evidence(tool.path, _words(found)),),
        )
        return
    optional = [one for one in OPTIONAL if behaviour is not None and one.of(behaviour.version)]
    missing = [one for one in optional if found.has(one.sonames) is False]
    evidence = (
        Evidence(tool.path, _words(found)),
        *(Evidence(f"without {one.name}", one.without) for one in missing),
    )
    if behaviour is not None and found.llvm is not None:
        newest = behaviour.llvm_newest
        if found.llvm < behaviour.llvm_oldest or (newest is not None and found.llvm > newest):
            release = behaviour.release
            between = (
                f"{behaviour.llvm_oldest} to {newest}" if newest else f"{behaviour.llvm_oldest} or newer"
            )
            yield warn(
                f"bpftrace {release} is made for LLVM {between}, and was built with {found.llvm}",
                reason="its own build stops with an error: the packager's change of that was not tried",
                evidence=evidence,
            )
            return
    names = f", without {' and '.join(one.name for one in missing)}" if missing else ""
    with_ = f"with LLVM {found.llvm}" if found.llvm is not None else "with LLVM in the program itself"
    yield ok(f"bpftrace was built {with_}{names}", evidence=evidence)


def _words(found: Build) -> str:
    """What was seen, in one line."""
    parts = [
        *([f"from {found.by}"] if found.by else []),
        {"shared": "shared libraries", "static": "no shared libraries"}.get(found.form, found.form),
        *([f"LLVM {found.llvm}"] if found.llvm is not None else []),
        *(
            name
            for name in ("libbfd", "libbcc", "libbpf", "libdw", "liblldb", "libpcap")
            if found.has((name,))
        ),
    ]
    return ", ".join(parts)


# -- pairs that are known to be broken ---------------------------------------------------------------------------------


def _link(ask: Callable[[Machine], ProbeResult]) -> Callable[[Machine], bool]:
    """Whether the kernel makes links of a kind: ESRCH is the answer of one that looked for the function."""

    def known(machine: Machine) -> bool:
        result = ask(machine)
        return result.ok or result.name == "ESRCH"

    return known


def _kasan(machine: Machine) -> bool:
    return machine.kernel.arch == "aarch64" and machine.config.value("KASAN") == "y"


def _type_tags(machine: Machine) -> bool:
    return dict(machine.btf.vmlinux.counts).get("TYPE_TAG", 0) > 0


#: How the conditions of the table are looked at; each raises Unavailable where it cannot be.
_LOOK: Mapping[str, Callable[[Machine], bool]] = {
    "": lambda _: True,
    "kprobe-multi": _link(lambda machine: machine.bpf.kprobe_multi),
    "kprobe-session": _link(lambda machine: machine.bpf.feature("kprobe-session")),
    "kasan-arm64": _kasan,
    "type-tags": _type_tags,
    "container": lambda machine: machine.environment.container is not None,
}


@check(
    "tools.bpftrace-faults",
    "What is known to be broken in this bpftrace here",
    ids=tuple(finding_id(fault) for fault in faults()),
)
def known(machine: Machine) -> Iterator[Finding]:
    """Pairs of a release of bpftrace and a kernel, an architecture or a place in which something is known to be broken:
    read from all of bpftrace's changelog from 0.11 on and from the commits that mended it. Each is a finding of its own
    where it is true here; a newer bpftrace mends all of them. See it yourself: the commit that the finding names.
    """
    behaviour = machine.tools.behaviour
    if behaviour is None:
        return
    for fault in faults():
        if not fault.of(behaviour.version, machine.kernel.version_numbers):
            continue
        try:
            true = _LOOK[fault.where](machine)
        except (Unavailable, BtfError):
            continue  # what else it takes cannot be seen: no finding is made of a number alone
        if true:
            yield _broken(fault)


def _broken(fault: Fault) -> Finding:
    last = ".".join(map(str, fault.until))
    return warn(
        f"bpftrace up to {last}: {fault.says}",
        id=finding_id(fault),
        title="Known to be broken in this bpftrace here",
        evidence=(Evidence("bpftrace/bpftrace", fault.source),),
        causes=("tools.bpftrace",),
    )


@check("tools.bpftrace-scripts", "Functions that stock scripts probe")
def stock(machine: Machine) -> Iterator[Finding]:
    """Whether this kernel has the functions that stock scripts of the installed release put kprobes on: biolatency,
    biosnoop, biostacks, swapin, tcpdrop and undump probe functions that were renamed, inlined or removed. The kernel's
    BTF names the functions that there are. See it yourself: `bpftrace -l kprobe:blk_account_io_start`.
    """
    behaviour = machine.tools.behaviour
    if behaviour is None:
        yield skip("which scripts there are depends on the release of bpftrace, which is not known")
        return
    try:
        there = machine.btf.vmlinux
    except (NoBtf, BtfError, Unavailable) as problem:
        yield skip("without the kernel's BTF its functions are not known", reason=str(problem))
        return
    if there.n_types < _WHOLE:
        yield skip("this BTF is a part of a kernel's, which does not show what functions there are")
        return
    names = frozenset(dict(there.ids))
    lacking = {one.name: one.lacking(names) for one in scripts_of(behaviour.version)}
    lost = {name: clause for name, clause in lacking.items() if clause}
    evidence = tuple(
        Evidence(VMLINUX, f"has no function {' or '.join(c)}") for c in dict.fromkeys(lost.values())
    )
    if not lost:
        yield ok(
            "this kernel has the functions that stock scripts probe",
            evidence=(Evidence(VMLINUX, "has them"),),
        )
        return
    verb, it = ("does", "it probes") if len(lost) == 1 else ("do", "they probe")
    yield warn(
        f"{', '.join(sorted(lost))} {verb} not find the functions that {it}",
        reason="newer releases of bpftrace use tracepoints, or the functions of newer kernels",
        evidence=evidence,
        causes=("tools.bpftrace",),
    )
