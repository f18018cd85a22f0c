"""BPFTRACE_BTF: what it names."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.btf import VMLINUX
from kdiag.model import Evidence, Finding, Remedy, fail, ok, skip
from kdiag.parse.btf import BtfError, parse
from kdiag.system import Unavailable


@check("btf.variable", "BPFTRACE_BTF names BTF")
def variable(machine: Machine) -> Iterator[Finding]:
    """Whether what BPFTRACE_BTF names is bare BTF. A wrong one is worse than none: bpftrace looks nowhere else, and
    0.17 to 0.21 die of it whatever the script needs. See it yourself: `bpftool btf dump file $BPFTRACE_BTF`.
    """
    path, behaviour = machine.headers.variables["BPFTRACE_BTF"], machine.tools.behaviour
    if path is None:
        yield ok("BPFTRACE_BTF is not set", evidence=(Evidence("$BPFTRACE_BTF", "not set"),))
        return
    evidence = (Evidence("$BPFTRACE_BTF", path or "set, and empty"),)
    if behaviour is not None and not behaviour.honours_btf_variable:
        yield skip("this release of bpftrace does not look at BPFTRACE_BTF", evidence=evidence)
        return
    problem = wrong_variable(machine, path)
    if not problem:
        yield ok(f"{path} is sound BTF", evidence=evidence)
        return
    consequence = {
        "ignored": "bpftrace then silently has no BTF",
        "crash": "bpftrace then dies of a segmentation fault, also with scripts that need no BTF",
        "warning": "bpftrace then warns and has no BTF",
    }
    yield fail(
        f"BPFTRACE_BTF points to something that is not BTF: {problem}",
        reason=consequence[behaviour.bad_btf_variable] if behaviour is not None else "",
        evidence=evidence,
        remedies=(
            Remedy(
                "btf.unset",
                "Unset the variable",
                commands=("unset BPFTRACE_BTF",),
                run_on="the shell that starts bpftrace",
            ),
        ),
    )


def wrong_variable(machine: Machine, path: str) -> str:
    """What is wrong with the file that BPFTRACE_BTF names, empty if it is BTF."""
    if not path:
        return "it is set and empty, which counts as a path"
    try:
        data = machine.system.read(path)
        if data is None:
            return f"{path} is not there"
        parse(data, served=path == VMLINUX)
    except (Unavailable, BtfError) as error:
        return "an ELF file; bpftrace takes the bare BTF only" if data_is_elf(machine, path) else str(error)
    return ""


def data_is_elf(machine: Machine, path: str) -> bool:
    """Whether a file begins as an ELF file."""
    try:
        return machine.system.head(path, 4) == b"\x7fELF"
    except Unavailable:
        return False
