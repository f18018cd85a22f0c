"""What the stock scripts of a tree probe, held against the table of their functions: `stock_scripts.json`.

They are read by the parser of `kdiag explain FILE.bt`.
"""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.knowledge.tools.behaviour import Version
from kdiag.knowledge.tools.stock_scripts import of, scripts
from kdiag.parse.bpftrace.script import parse
from tests.support.bpftrace_markers import Files

_KERNEL = frozenset(("kprobe", "kretprobe", "fentry", "fexit"))


def clauses(text: str) -> frozenset[frozenset[str]]:
    """The functions of each clause of a script that probes nothing but functions of the kernel."""
    if not text:
        return frozenset()
    return frozenset(
        frozenset(placed.point.parts[-1] for placed in probe.points)
        for probe in parse(text).probes
        if all(placed.point.kind in _KERNEL for placed in probe.points)
    )


def differences(files: Files, release: Version) -> Iterator[str]:
    """Each script of the table that this release has otherwise than the table says."""
    table = {one.name: frozenset(frozenset(clause) for clause in one.clauses) for one in of(release)}
    for name in sorted({one.name for one in scripts()}):
        mine, theirs = table.get(name, frozenset()), clauses(files.get(f"tools/{name}", ""))
        if mine != theirs:
            yield f"{name}: the source says {_text(theirs)}, the table {_text(mine)}"


def _text(found: frozenset[frozenset[str]]) -> str:
    return "; ".join(sorted(" or ".join(sorted(clause)) for clause in found)) or "nothing"
