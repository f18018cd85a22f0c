"""Maps and programs: what bpf(2) makes, loads and runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.btf import VMLINUX, NoBtf
from kdiag.model import Evidence, Finding, expect, expected, fail, ok, unknown
from kdiag.parse.errors import ParseError
from kdiag.system import Unavailable
from kdiag.words import Subject

from ..refusals import BPF, TRACING, explain, only_root_may
from .configured import by_config, renamed


@check("bpf.map", "bpf(2) is there and allowed")
def bpf_map(machine: Machine) -> Iterator[Finding]:
    """Creates an array map of one element and drops it: what every tracer does first.

    EPERM, EACCES, ENOSYS and EINVAL have different causes, so the errno is kept. See it yourself: `bpftool
    feature probe`.
    """
    result = machine.bpf.create_map
    if result.ok:
        yield ok("bpf(2) works", evidence=(Evidence("bpf(BPF_MAP_CREATE)", "ok"),))
    elif only_root_may(machine, BPF, result):
        yield by_config(machine, Subject("bpf(2)"), ("BPF_SYSCALL",), result)
    else:
        why = explain(machine, BPF, result)
        yield fail(
            "bpf(2) is refused",
            reason=why.reason,
            evidence=(Evidence("bpf(BPF_MAP_CREATE)", result.describe()), *why.evidence),
            causes=why.causes,
        )


_PROGRAMS = {
    "kprobe": ("kprobe and uprobe programs", ("BPF_EVENTS",)),
    "tracepoint": ("tracepoint programs", ("BPF_EVENTS",)),
    "raw_tracepoint": ("raw tracepoint programs", ("BPF_EVENTS",)),
    "perf_event": ("perf event programs", ("BPF_EVENTS", "PERF_EVENTS")),
}


@check(
    "bpf.prog", "Program types that this kernel loads", ids=tuple(f"bpf.prog.{kind}" for kind in _PROGRAMS)
)
def programs(machine: Machine) -> Iterator[Finding]:
    """Loads an empty program of each type that tracing uses, and drops it. EINVAL: the kernel was built without
    CONFIG_BPF_EVENTS. See it yourself: `bpftool feature probe`.
    """
    for kind, (what, options) in _PROGRAMS.items():
        finding_id, title = f"bpf.prog.{kind}", f"The kernel loads {what}"
        result = machine.bpf.program(kind)
        evidence = (Evidence(f"bpf(BPF_PROG_LOAD, {kind})", result.describe()),)
        if result.ok:
            yield ok(f"{what} load", id=finding_id, title=title, evidence=evidence)
        elif only_root_may(machine, TRACING, result):
            found = by_config(machine, Subject(what, plural=True), options, result)
            yield renamed(found, finding_id, title)
        else:
            why = explain(machine, TRACING, result)
            yield fail(
                f"{what} do not load",
                id=finding_id,
                title=title,
                reason=why.reason,
                evidence=(*evidence, *why.evidence),
                causes=why.causes or tuple(f"config.{name}" for name in options),
            )


@check("bpf.test-run", "Programs can be run on demand")
def test_run(machine: Machine) -> Iterator[Finding]:
    """Runs an empty raw tracepoint program once by BPF_PROG_TEST_RUN (5.10), attached to nothing. bpftrace runs BEGIN
    and END so: since 0.16 where the kernel can, since 0.22 in no other way.
    """
    try:
        result = machine.bpf.test_run
    except Unavailable as gap:
        yield _by_younger_features(machine, gap.reason)
        return
    evidence = (Evidence("bpf(BPF_PROG_TEST_RUN)", f"{result.detail or 'run'}: {result.describe()}"),)
    if result.ok:
        yield ok("programs can be run on demand", evidence=evidence)
    elif only_root_may(machine, TRACING, result):
        yield _by_younger_features(machine, result.describe())
    elif result.detail == "run" or result.name in ("ENOTSUPP", "EINVAL"):
        yield fail(
            "this kernel cannot run raw tracepoint programs on demand",
            reason="requires Linux 5.10 or newer; bpftrace 0.22 and newer run BEGIN in no other way",
            evidence=evidence,
            causes=("bpf.prog.raw_tracepoint",),
        )
    else:
        why = explain(machine, TRACING, result)
        yield fail(
            "programs may not be run on demand",
            reason=why.reason,
            evidence=(*evidence, *why.evidence),
            causes=why.causes,
        )


#: Families of kernels whose older ones do not get what BPF learns later, as those of RHEL and SUSE do.
_NO_BACKPORTS = ("ubuntu", "debian")


def _by_younger_features(machine: Machine, why: str) -> Finding:
    """Where it was not tried (older recordings did not ask): what came after 5.10 and was seen proves it."""
    evidence = Evidence("bpf(BPF_PROG_TEST_RUN)", why)
    newer: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("the kernel lists its BTF by id (5.11)", lambda: machine.bpf.btf_by_id.ok),
        ("BPF memory is charged to the cgroup (5.11)", lambda: machine.bpf.charges_memcg.ok),
        ("kprobe.multi is known (5.18)", lambda: machine.bpf.kprobe_multi.name == "ESRCH"),
        ("the kernel has bpf_loop (5.17)", lambda: machine.btf.function("bpf_loop") is not None),
    )
    recent = machine.kernel.version_numbers >= (5, 10, 0)
    for text, seen in newer:
        try:
            if recent and seen():
                return ok("programs can be run on demand", evidence=(evidence, Evidence("bpf(2)", text)))
        except (Unavailable, ValueError):
            continue
    if recent:
        return expected(
            "whether programs can be run on demand was not tried",
            evidence=(evidence, expect("uname -r", "5.10 and newer can")),
            causes=("privileges.root",),
            with_root="one program, loaded and run, answers",
        )
    kernel = machine.kernel.identity
    if kernel is not None and kernel.family in _NO_BACKPORTS and kernel.confidence != "unverified":
        return fail(
            "this kernel cannot run raw tracepoint programs on demand",
            reason="requires Linux 5.10 or newer; bpftrace 0.22 and newer run BEGIN in no other way",
            evidence=(
                evidence,
                expect("uname -r", "older, and takes over nothing of later BPF", kernel.name),
            ),
            causes=("bpf.prog.raw_tracepoint",),
        )
    return unknown(
        "whether programs can be run on demand was not tried",
        reason="requires Linux 5.10 or newer; some distributions' older kernels have it, too",
        evidence=(evidence,),
        causes=("privileges.root",),
        with_root="one program, loaded and run, answers",
    )


@check("bpf.loop", "Loops in programs")
def loop(machine: Machine) -> Iterator[Finding]:
    """Whether the kernel has the helper bpf_loop (5.17), by its own BTF: bpftrace needs it for loops over ranges, which
    the stock tools of 0.25 and newer have (`Missing required kernel feature: loop`).
    """
    try:
        number = machine.btf.vmlinux.function("bpf_loop")
    except (NoBtf, ParseError):
        yield unknown("whether the kernel has bpf_loop is not known without its BTF", causes=("btf.vmlinux",))
        return
    evidence = (Evidence(f"{VMLINUX}, function bpf_loop", "absent" if number is None else f"type {number}"),)
    if number is None:
        yield fail("this kernel has no bpf_loop", reason="requires Linux 5.17 or newer", evidence=evidence)
    else:
        yield ok("the kernel has bpf_loop", evidence=evidence)
