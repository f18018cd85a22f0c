"""What came late to bpf(2) and newer tools use: ring buffers, links for many uprobes, sessions. Each is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from kdiag.check import check
from kdiag.knowledge.tools.behaviour import Behaviour
from kdiag.machine import Machine
from kdiag.machine.btf import VMLINUX, NoBtf
from kdiag.model import Evidence, Finding, expect, expected, fail, ok, skip, unknown
from kdiag.parse.btf import BtfError
from kdiag.system import ProbeResult, Unavailable

from .refusals import BPF, TRACING, Call, explain, only_root_may


class Feature(NamedTuple):
    """probe: its name. known: the errno of a kernel that has it, "" where it simply succeeds. since: the release of
    Linux that brought it. without: what tools do then; option: what newer ones are built
    with, where that is not always so; needed: whether some do not run at all; bpftrace: whether a release uses it,
    None where no release does, or all do.
    """

    id: str
    what: str
    probe: str
    call: str
    known: str
    since: tuple[int, int, int]
    without: str
    option: str = ""
    needed: bool = False
    bpftrace: Callable[[Behaviour], bool] | None = None

    @property
    def release(self) -> str:
        """`since` as people write it."""
        return "{}.{}".format(*self.since)


_FEATURES = (
    Feature(
        "bpf.ringbuf",
        "ring buffers",
        "ring-buffer",
        "bpf(BPF_MAP_CREATE, BPF_MAP_TYPE_RINGBUF)",
        "",
        (5, 8, 0),
        "bpftrace 0.24 and newer print through nothing else; 0.19 to 0.23 then use perf events",
        needed=True,
    ),
    Feature(
        "bpf.uprobe_multi",
        "uprobe.multi links",
        "uprobe-multi",
        "bpf(BPF_LINK_CREATE, BPF_TRACE_UPROBE_MULTI)",
        "EBADF",
        (6, 6, 0),
        "wildcards of uprobes are attached one function at a time",
        "UPROBES",
        bpftrace=lambda behaviour: behaviour.uprobe_multi,
    ),
    Feature(
        "bpf.kprobe_session",
        "kprobe sessions",
        "kprobe-session",
        "bpf(BPF_LINK_CREATE, BPF_TRACE_KPROBE_SESSION)",
        "ESRCH",
        (6, 10, 0),
        "a kprobe and its kretprobe are attached as two",
        "FPROBE",
        bpftrace=lambda behaviour: behaviour.kprobe_session,
    ),
    Feature(
        "bpf.uprobe_session",
        "uprobe sessions",
        "uprobe-session",
        "bpf(BPF_LINK_CREATE, BPF_TRACE_UPROBE_SESSION)",
        "EBADF",
        (6, 13, 0),
        "a uprobe and its uretprobe are attached as two",
        "UPROBES",
    ),
)


@check("bpf.newer-features", "What newer tools use of bpf(2)", ids=tuple(f.id for f in _FEATURES))
def features(machine: Machine) -> Iterator[Finding]:
    """Makes a ring buffer of one page, and asks for links that cannot be made: to the root directory, which is no
    program, and to a function that does not exist. The errno tells whether the kernel knows the kind.
    """
    for feature in _FEATURES:
        title = feature.what[0].upper() + feature.what[1:]
        finding = _answer(machine, feature, TRACING if feature.known else BPF)
        yield replace(finding, id=feature.id, title=title)


#: The first kfunc that every tracing program may call (kernel/bpf/helpers.c, common_btf_ids).
_KFUNC, _KFUNCS_SINCE = "bpf_rcu_read_lock", (6, 2, 0)


@check("btf.kfuncs", "kfuncs for tracing programs")
def kfuncs(machine: Machine) -> Iterator[Finding]:
    """Looks in the kernel's BTF for bpf_rcu_read_lock (6.2), the oldest kfunc that is for all tracing programs. See it
    yourself: `bpftool btf dump file /sys/kernel/btf/vmlinux | grep bpf_rcu_read_lock`.
    """
    try:
        there = machine.btf.vmlinux.function(_KFUNC) is not None
    except NoBtf:
        yield fail("no kfuncs without the kernel's BTF", causes=("btf.vmlinux",))
        return
    except (BtfError, Unavailable) as problem:
        yield unknown(
            "whether the kernel has kfuncs is not known", reason=str(problem), causes=("btf.vmlinux",)
        )
        return
    evidence = (Evidence(VMLINUX, f"{'has' if there else 'does not have'} the function {_KFUNC}"),)
    if there:
        yield ok("the kernel has kfuncs for tracing programs", evidence=evidence)
    elif machine.kernel.version_numbers >= _KFUNCS_SINCE:
        words = "Linux 6.2 and newer have it, and this BTF does not name it"
        yield unknown("whether the kernel has kfuncs is not known", reason=words, evidence=evidence)
    else:
        yield skip(
            "this kernel has no kfuncs for tracing programs",
            reason="requires Linux 6.2 or newer",
            evidence=evidence,
        )


def _answer(machine: Machine, feature: Feature, call: Call) -> Finding:
    try:
        result = machine.bpf.feature(feature.probe)
    except Unavailable as gap:
        return _untried(machine, feature, gap.reason)
    evidence = (Evidence(feature.call, _said(result)),)
    if result.ok or (feature.known and result.name == feature.known):
        return ok(f"the kernel has {feature.what}", reason=_use(machine, feature), evidence=evidence)
    if only_root_may(machine, call, result):
        return _untried(machine, feature, result.describe())
    if result.name in ("EINVAL", "EOPNOTSUPP", "ENOTSUP"):
        make = fail if feature.needed else skip
        return make(
            f"this kernel has no {feature.what}",
            reason=f"requires {_required(feature, result)}: {feature.without}",
            evidence=evidence,
        )
    why = explain(machine, call, result)
    return fail(
        f"{feature.what} are refused",
        reason=why.reason,
        evidence=(*evidence, *why.evidence),
        causes=("bpf.map", *why.causes),
    )


def _use(machine: Machine, feature: Feature) -> str:
    """Whether the installed bpftrace uses it, where releases differ in that."""
    behaviour = machine.tools.behaviour
    if feature.bpftrace is None or behaviour is None:
        return ""
    release = behaviour.release
    return f"bpftrace {release} {'uses' if feature.bpftrace(behaviour) else 'does not use'} them"


def _required(feature: Feature, result: ProbeResult) -> str:
    """What this kernel lacks: it does not know the kind, or was built without it (kernel/trace/bpf_trace.c)."""
    if feature.option and result.name in ("EOPNOTSUPP", "ENOTSUP"):
        return f"CONFIG_{feature.option}"
    return f"Linux {feature.release} or newer"


def _said(result: ProbeResult) -> str:
    return f"{result.detail}: {result.describe()}" if result.detail else result.describe()


def _untried(machine: Machine, feature: Feature, why: str) -> Finding:
    """Where it was not tried the release lets expect it; distributions bring such things to older ones."""
    evidence = (Evidence(feature.call, why),)
    if machine.kernel.version_numbers >= feature.since:
        return expected(
            f"whether the kernel has {feature.what} was not tried",
            reason=why,
            evidence=(*evidence, expect("uname -r", f"Linux {feature.release} and newer have them")),
            with_root="one harmless bpf(2) call answers",
        )
    return unknown(
        f"whether the kernel has {feature.what} was not tried",
        reason=f"{why}; they came with Linux {feature.release}, and some distributions brought them to older ones",
        evidence=evidence,
        with_root="one harmless bpf(2) call answers",
    )
