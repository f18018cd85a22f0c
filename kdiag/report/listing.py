"""`kdiag list` and `kdiag explain`: the checks and capabilities, in words."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from kdiag.capabilities import DEFAULT_REQUIRED, DEFINITIONS
from kdiag.selection import UnknownName

if TYPE_CHECKING:
    from kdiag.registry import Registry


def listing(registry: Registry) -> str:
    """Both tables. The origin of a check is its distribution and version."""
    from tabulate import tabulate

    checks = [(f.check.id, f.check.title, f"{f.distribution} {f.version}") for f in registry.checks]
    capabilities = [
        (d.id, d.title, d.tool, "required" if d.id in DEFAULT_REQUIRED else "") for d in DEFINITIONS
    ]
    parts = [
        "Checks\n",
        tabulate(checks, headers=("id", "title", "from"), tablefmt="plain"),
        "\n\nCapabilities\n",
        tabulate(capabilities, headers=("id", "title", "tool", "by default"), tablefmt="plain"),
        "\n",
    ]
    if registry.problems:
        parts.append("\nPackages of checks that could not be used\n")
        parts += [f"{p.name} ({p.distribution}): {p.message}\n" for p in registry.problems]
    return "\n".join(part.rstrip("\n") if part != "\n" else "" for part in parts).rstrip("\n") + "\n"


def explanation(registry: Registry, name: str) -> str:
    """The text about one check (by its id or one of its findings') or capability. Raises UnknownName."""
    from difflib import get_close_matches
    from fnmatch import fnmatchcase

    for found in registry.checks:
        if found.check.id == name or any(fnmatchcase(name, i) for i in found.check.finding_ids):
            extra = _option(name) if name.startswith("config.") else ""
            head, text = f"{found.check.id}: {found.check.title}", inspect.cleandoc(found.check.doc)
            return f"{head}\n\n{text}\n{extra}\nfrom {found.distribution} {found.version}\n"
    for definition in DEFINITIONS:
        if definition.id == name:
            return f"{definition.id}: {definition.title} ({definition.tool})\n\n{definition.explain}\n"
    known = [i for f in registry.checks for i in (f.check.id, *f.check.finding_ids)] + [
        d.id for d in DEFINITIONS
    ]
    near = get_close_matches(name, known, n=1, cutoff=0.4)
    raise UnknownName(f"nothing is called {name!r}" + (f"; did you mean {near[0]}?" if near else ""))


def _option(finding_id: str) -> str:
    from kdiag.knowledge.options import by_name

    option = by_name().get(finding_id.partition(".")[2])
    return "" if option is None else f"\nCONFIG_{option.name} unlocks: {option.unlocks}\n"
