"""The warning of bpftrace about kernel headers."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.knowledge.recipes import RECIPE
from kdiag.machine import Machine
from kdiag.model import Evidence, Finding, ok, skip


@check("headers.warning", "The warning `Could not find kernel headers`")
def warning(machine: Machine) -> Iterator[Finding]:
    """Whether this bpftrace prints `WARNING: Could not find kernel headers in ...`, and when: 0.20.4 to 0.21 before
    clang starts, for every script that needs a type (a tracepoint with arguments, not BEGIN), also if it then works;
    0.22 and 0.23 only after clang failed; no other release. See it yourself: `bpftrace -e
    'tracepoint:syscalls:sys_enter_openat { printf("%s\\n", str(args.filename)); exit(); }'`.
    """
    behaviour = machine.tools.behaviour
    if behaviour is None or behaviour.header_warning == "never":
        yield skip("no bpftrace that prints it is installed")
        return
    release = behaviour.release
    chosen = machine.headers.for_bpftrace
    # A variable is taken as it is, whether something is there or not.
    if chosen is not None or machine.headers.variable("BPFTRACE_KERNEL_SOURCE") is not None:
        via = "BPFTRACE_KERNEL_SOURCE" if chosen is None else chosen.via
        yield skip("bpftrace takes a directory for the headers, and does not print it", reason=via)
    elif behaviour.header_warning == "after-failure":
        yield skip(f"bpftrace {release} prints it only below the error of a script that did not compile")
    else:
        yield ok(
            f"bpftrace {release} prints `WARNING: Could not find kernel headers` from the first tracepoint with "
            "arguments on, not at BEGIN",
            reason="it means nothing where BTF has the types: the script then works",
            evidence=tuple(
                Evidence(chain.path, chain.describe()) for chain in machine.headers.links.values()
            ),
            wrong_remedies=(RECIPE,),
        )
