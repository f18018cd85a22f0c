"""What is loaded, as the kernel lists it by id."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.model import Evidence, Finding, fail, ok, unknown
from kdiag.remedies.container import run_with

from ..refusals import LISTING, explain


@check("bpf.listing", "Loaded programs and maps can be listed")
def listing(machine: Machine) -> Iterator[Finding]:
    """Whether bpf(2) walks the ids of what is loaded: `bpftool prog list` and `bpftool map list` do nothing else. It
    requires CAP_SYS_ADMIN, CAP_BPF is not enough (kernel/bpf/syscall.c, bpf_obj_get_next_id). BTF objects are listed
    by the same function, and asked for here. See it yourself: `bpftool prog list`.
    """
    result = machine.bpf.btf_by_id
    evidence = (Evidence("bpf(BPF_BTF_GET_NEXT_ID)", result.describe()),)
    # ENOENT: the end of the list.
    if result.ok or result.name == "ENOENT":
        yield ok("the kernel lists what is loaded", evidence=evidence)
    elif result.name == "EINVAL":
        # Programs have been listed since 4.13, BTF since 5.4 (include/uapi/linux/bpf.h).
        held = "held" if machine.privileges.has("CAP_SYS_ADMIN") else "missing"
        yield unknown(
            "whether the kernel lists what is loaded was not tried",
            evidence=(*evidence, Evidence("CAP_SYS_ADMIN", held)),
        )
    else:
        why = explain(machine, LISTING, result)
        yield fail(
            "loaded programs and maps may not be listed",
            reason=why.reason,
            evidence=(*evidence, *why.evidence),
            causes=why.causes,
            remedies=() if machine.privileges.has("CAP_SYS_ADMIN") else run_with(machine, "listing"),
        )
