"""`kdiag list`: the checks and capabilities, in words, for a terminal of any width.

What is printed may come from a plug-in, so everything is cleaned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from kdiag.capabilities.definitions import DEFAULT_REQUIRED, DEFINITIONS, Definition
from kdiag.console.wrap import clean, columns, pad, wrap
from kdiag.knowledge.bpf.profiles import profiles

if TYPE_CHECKING:
    from kdiag.checking.registry import Registered, Registry

#: A column of names takes at most this much of a line.
_NAMES = 0.5


def listing(registry: Registry, width: int = 80, own: Iterable[tuple[str, str]] = ()) -> str:
    """The checks by the distribution that they come from, with its version; the capabilities; the profiles, own ones
    (name and title) too; what could not be loaded. Ends in a newline.
    """
    lines: list[str] = []
    for origin, found in groupby(sorted(registry.checks, key=_place), _origin):
        rows = [("", one.check.id, one.check.title) for one in found]
        lines += [*wrap(f"Checks of {clean(origin)}", width), "", *_columns(rows, width), ""]
    for heading, ours in (
        ("Capabilities of bpftrace (* required by default)", True),
        ("Other capabilities", False),
    ):
        rows = [
            ("*" if d.id in DEFAULT_REQUIRED else "", d.id, _titled(d))
            for d in DEFINITIONS
            if (d.tool == "bpftrace") is ours
        ]
        lines += [*wrap(heading, width), "", *_columns(rows, width), ""]
    rows = [("", one.name, one.title) for one in profiles().values()] + [("", *one) for one in own]
    lines += [*wrap("Profiles of tools (kdiag check --profile NAME)", width), "", *_columns(rows, width), ""]
    if registry.problems:
        lines += [*wrap("Packages of checks that could not be used", width), ""]
        for problem in registry.problems:
            text = clean(f"{problem.name} ({problem.distribution}): {problem.message}")
            lines += _hanging("  ", text, width)
        lines.append("")
    lines += _hanging("", "`kdiag explain ID` explains one of them.", width)
    return "\n".join(lines) + "\n"


def _place(found: Registered) -> tuple[bool, str, str]:
    """The built-in checks first."""
    return not found.builtin, _origin(found), found.check.id


def _origin(found: Registered) -> str:
    return f"{found.distribution} {found.version}"


def _titled(definition: Definition) -> str:
    """A capability's title, with a tool other than bpftrace where no word of it says which."""
    told = definition.tool == "bpftrace" or definition.tool.casefold() in definition.title.casefold()
    return definition.title if told else f"{definition.title} ({definition.tool})"


def _columns(rows: Sequence[tuple[str, str, str]], width: int) -> Iterator[str]:
    """Rows of mark, id and title; a title that is too long hangs in its column, or below on a narrow page."""
    cleaned = [(mark, clean(id_), clean(title)) for mark, id_, title in rows]
    names = max(columns(id_) for _, id_, _ in cleaned)
    if 4 + names > width * _NAMES:
        for mark, id_, title in cleaned:
            yield f"{pad(mark, 1)} {id_}"
            yield from ("      " + line for line in wrap(title, width - 6))
        return
    for mark, id_, title in cleaned:
        yield from _hanging(f"{pad(mark, 1)} {pad(id_, names)}  ", title, width)


def _hanging(head: str, text: str, width: int) -> Iterator[str]:
    """The text after its head, later lines below its first word."""
    indent = columns(head)
    first, *rest = wrap(text, width - indent) or [""]
    yield (head + first).rstrip()
    yield from (" " * indent + line for line in rest)
