"""Which room may import which, and that no import closes a circle: the arrows of CONTRIBUTING.md, kept by a test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: A room, and the rooms that it may import; those at the top import nothing below them.
MAY_IMPORT = {
    "words": "",
    "errnos": "",
    "trust": "",
    "model": "",
    "parse": "trust words",  # trust: SQLite reads a write-ahead log from a file only
    "system": "errnos parse trust words",
    "knowledge": "errnos model",
    "machine": "knowledge parse system",
    "remedies": "knowledge model system words",
    "check": "machine",
    "checks": "check knowledge machine model parse remedies system words",
    "capabilities": "knowledge model system",
    "btf": "console knowledge parse system trust words",
    "console": "model trust",
    "checking": "capabilities check console knowledge machine model parse remedies system trust words",
    "config": "capabilities checking model trust words",
    "report": "capabilities checking config console knowledge model trust words",
    "compare": "console model parse report trust words",
    "fleet": "compare console model report trust words",
    "recording": "capabilities checking console knowledge machine model parse report system trust",
    "fix": "console knowledge machine model parse remedies system trust",
    "why": "btf capabilities console knowledge model parse report",
    "explain": "btf capabilities checking console errnos knowledge machine model parse report system trust words",
    "learn": "explain knowledge model parse report smoke",
    "completion": "btf capabilities checking explain knowledge machine parse report smoke system trust",
    "smoke": "capabilities checking console knowledge model parse report system trust words",
    "pytest_plugin": "capabilities checking machine model report system trust words",
    "api": "btf capabilities checking commands config explain knowledge machine model parse report system why",
    "mcp": "api explain report why",
    "commands": "btf capabilities checking compare config console explain fix knowledge learn machine model parse "
    "recording report smoke system trust why",
    "cli": "btf capabilities checking commands compare completion config console explain fix fleet machine mcp model "
    "report smoke system trust words",
    "__main__": "cli console trust",
    "__init__": "",
}


def sources() -> dict[str, Path]:
    """Every module of kdiag by its name."""
    found = {}
    for top in ("kdiag", "checks"):
        for path in (ROOT / top).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__").replace("checks", "kdiag_checks", top == "checks")] = path
    return found


def room(module: str) -> str:
    """The first name below kdiag: a directory or a file on its own."""
    top, _, rest = module.partition(".")
    return "checks" if top == "kdiag_checks" else rest.partition(".")[0] or "__init__"


def imports(path: Path, modules: dict[str, Path]) -> Iterator[str]:
    """What a module imports of kdiag when it runs, inside functions too; what only a type checker sees is left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing = {
        id(node)
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and "TYPE_CHECKING" in ast.unparse(test.test)
        for node in ast.walk(test)
    }
    for node in ast.walk(tree):
        if id(node) in typing:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            named = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in modules else node.module for name in named)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


MODULES = sources()


@cache
def graph() -> dict[str, set[str]]:
    """What each module imports; made when a test asks, because it parses all of the source."""
    return {name: {i for i in imports(path, MODULES) if i in MODULES} for name, path in MODULES.items()}


@pytest.mark.parametrize("name", sorted({room(module) for module in MODULES}))
def test_a_room_imports_only_what_it_may(name: str) -> None:
    allowed = {name, "__init__", *MAY_IMPORT[name].split()}
    wrong = {
        f"{module} imports {other}"
        for module, others in graph().items()
        if room(module) == name
        for other in others
        if room(other) not in allowed
    }
    assert not wrong, sorted(wrong)


def test_every_room_that_is_named_is_there() -> None:
    assert set(MAY_IMPORT) == {room(module) for module in MODULES}


def test_no_import_closes_a_circle() -> None:
    try:
        tuple(TopologicalSorter(graph()).static_order())
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))


def test_rooms_are_not_flat() -> None:
    """A newcomer finds a file by its room: no room has more than 18, and few files lie loose."""
    counts: dict[Path, int] = {}
    for path in MODULES.values():
        counts[path.parent] = counts.get(path.parent, 0) + 1
    assert {str(place): count for place, count in counts.items() if count > 18} == {}
    assert counts[ROOT / "kdiag"] <= 9
