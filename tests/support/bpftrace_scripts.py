"""What the stock scripts of a tree probe, held against `kdiag/knowledge/tools/stock_scripts.json`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kdiag.knowledge.tools.behaviour import Version
from kdiag.knowledge.tools.stock_scripts import of, scripts
from tests.support.bpftrace_markers import Files

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_PROBE = r"[a-z]\w*:[\w:*.]+"
_CLAUSE = re.compile(rf"^({_PROBE}(?:\s*,\s*{_PROBE})*)\s*(?=[{{/])", re.MULTILINE)
_KERNEL = re.compile(r"(?:kprobe|kretprobe|kfunc|kretfunc|fentry|fexit|k|kr|f|fr):")


def clauses(text: str) -> frozenset[frozenset[str]]:
    """The functions of each clause of a script that probes nothing but functions of the kernel."""
    found = set()
    for match in _CLAUSE.finditer(_COMMENT.sub("", text)):
        probes = re.split(r"\s*,\s*", match[1])
        if all(_KERNEL.match(probe) for probe in probes):
            found.add(frozenset(probe.rpartition(":")[2] for probe in probes))
    return frozenset(found)


def differences(files: Files, release: Version) -> Iterator[str]:
    """Each script of the table that this release has otherwise than the table says."""
    table = {one.name: frozenset(frozenset(clause) for clause in one.clauses) for one in of(release)}
    for name in sorted({one.name for one in scripts()}):
        mine, theirs = table.get(name, frozenset()), clauses(files.get(f"tools/{name}", ""))
        if mine != theirs:
            yield f"{name}: the source says {_text(theirs)}, the table {_text(mine)}"


def _text(found: frozenset[frozenset[str]]) -> str:
    return "; ".join(sorted(" or ".join(sorted(clause)) for clause in found)) or "nothing"
