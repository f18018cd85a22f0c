"""The header tree that BCC takes."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.compilers.bcc import Bcc
from kdiag.machine.trees.tree import Selection, Tree
from kdiag.model import Evidence, Finding, Remedy, fail, ok, unknown, warn
from kdiag.system import Unavailable

from .judged import judged, links, ways_to_a_tree


@check("headers.bcc", "Kernel headers for BCC")
def bcc(machine: Machine) -> Iterator[Finding]:
    """The tree that BCC takes: BCC_KERNEL_SOURCE, /lib/modules/R/build (with source), else kheaders, which
    it unpacks automatically into $TMPDIR or /tmp after `modprobe kheaders`, and takes from there ever after. BCC
    compiles every tool with headers, BTF or not.
    """
    headers, facts = machine.headers, Bcc(machine)
    chosen = headers.for_bcc
    if (
        chosen is not None
        and headers.bcc_tree is not None
        and not _left_aside(facts, chosen, headers.bcc_tree)
    ):
        yield judged(machine, chosen, headers.bcc_tree, links(machine), "BCC")
        return
    before = _unpacked(machine, facts)
    if before is not None:
        yield before
        return
    served = False
    try:
        served = machine.kheaders.archive is not None and not machine.kheaders.problem
    except Unavailable as gap:
        yield unknown(
            "no header tree for BCC; whether the kernel provides kheaders is not known", reason=gap.reason
        )
        return
    if served:
        yield ok(f"BCC unpacks the kernel's own headers into {facts.unpacked}", evidence=links(machine))
    elif machine.kheaders.module.state == "loadable":
        yield warn(
            f"BCC loads kheaders and unpacks it into {facts.unpacked} automatically",
            evidence=links(machine),
            causes=("kheaders.module",),
        )
    else:
        yield fail(
            "no kernel headers for BCC",
            evidence=links(machine),
            causes=("headers.tree", "headers.package", "kheaders.available"),
            remedies=ways_to_a_tree(machine, "BCC"),
        )


def _left_aside(facts: Bcc, chosen: Selection, found: Tree) -> bool:
    """Whether BCC takes the kernel's archive although the directory is there: where one is, and kconfig.h is not."""
    if not facts.unpacks or chosen.missing:
        return False
    return f"{found.source}/include/linux/kconfig.h" in found.missing and facts.archive


def _unpacked(machine: Machine, facts: Bcc) -> Finding | None:
    """What lies where BCC would unpack, None if nothing does."""
    path = facts.unpacked
    try:
        info = machine.system.stat(path)
    except Unavailable:
        return None
    if info is None:
        return None
    evidence = (Evidence(path, f"{info.kind}, uid {info.uid}, mode {info.mode:04o}"), *links(machine))
    away = Remedy(
        "bcc.unpack-again",
        "Remove it; BCC then unpacks the kernel's own headers again",
        "unsafe",
        (f"sudo rm -r {path}",),
        needs=("root",),
    )
    if info.uid != 0:
        return fail(
            f"BCC does not use {path}, which belongs to uid {info.uid}",
            reason="it takes only a directory of root, and unpacks nothing where there is another",
            evidence=evidence,
            remedies=(away,),
        )
    if facts.source != path:
        return fail(
            f"BCC takes {path}, an emptied tree: include/linux/kconfig.h is not in it",
            reason="it unpacks nothing where the directory is there; whatever cleans up /tmp took the files",
            evidence=evidence,
            remedies=(away,),
        )
    return ok(f"BCC takes the kernel's headers that it unpacked into {path}", evidence=evidence)
