"""BTF as the kernel lists it, by id."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.model import Evidence, Finding, fail, ok, unknown
from kdiag.system import ProbeResult

from ..refusals import LISTING, explain, only_root_may


@check("btf.by-id", "The kernel gives BTF by id")
def by_id(machine: Machine) -> Iterator[Finding]:
    """Whether bpf(2) lists the kernel's BTF as an object (5.11): bpftrace 0.17.0 takes BTF that way, and attaches
    kfunc by it also where BPFTRACE_BTF brings the types.
    """
    result = machine.bpf.btf_by_id
    evidence = (Evidence("bpf(BPF_BTF_GET_NEXT_ID)", result.describe()),)
    if result.ok:
        yield ok("the kernel lists its BTF", evidence=evidence)
    elif result.name == "ENOENT":
        yield fail(
            "the kernel lists no BTF by id",
            reason="kernels before 5.11 have none for themselves",
            evidence=evidence,
        )
    elif only_root_may(machine, LISTING, result):
        yield unknown(
            "only root may list BTF objects",
            evidence=evidence,
            causes=("privileges.root",),
            with_root="one call answers",
        )
    else:
        yield not_listed(machine, result)


def not_listed(machine: Machine, result: ProbeResult) -> Finding:
    why = explain(machine, LISTING, result)
    return fail(
        "BTF objects may not be listed",
        reason=why.reason,
        evidence=(Evidence("bpf(BPF_BTF_GET_NEXT_ID)", result.describe()), *why.evidence),
        causes=why.causes,
    )
