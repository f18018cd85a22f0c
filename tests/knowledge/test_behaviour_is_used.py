"""Each answer of the table of behaviours is asked for: a field that no code reads is dead weight, or a silence."""

from __future__ import annotations

import ast

from kdiag.knowledge.tools.behaviour import Behaviour
from tests.support.paths import REPOSITORY

#: Where the table is written and read back; `args_operators` and `fentry_names` have properties beside them.
TABLE = ("kdiag/knowledge/tools/bpftrace_history.py",)


def read() -> set[str]:
    """Names of attributes that the program reads anywhere else."""
    found = set()
    for top in ("kdiag", "checks"):
        for path in (REPOSITORY / top).rglob("*.py"):
            if str(path.relative_to(REPOSITORY)) in TABLE:
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return found


def test_every_field_is_read() -> None:
    assert not {name for name in Behaviour._fields if name not in read()}
