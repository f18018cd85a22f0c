"""`kdiag list` and `kdiag explain`: the checks and capabilities, in words, for a terminal of any width.

What is printed may come from a plug-in, so everything is cleaned.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from kdiag.capabilities.definitions import DEFAULT_REQUIRED, DEFINITIONS, Definition
from kdiag.checking.selection import UnknownName
from kdiag.console.wrap import clean, columns, pad, wrap
from kdiag.knowledge.options import by_name
from kdiag.words import did_you_mean

if TYPE_CHECKING:
    from kdiag.checking.registry import Registered, Registry

#: "See it yourself: `command`, `command`." at the end of a paragraph.
_SEE = re.compile(r"\s*See it yourself: (`[^`]+`(?:, `[^`]+`)*)\.?$")
_CODE = re.compile(r"`[^`]*`")
#: Findings about options of the kernel's configuration.
_OPTIONS = "config.*"
#: A column of names takes at most this much of a line.
_NAMES = 0.5


def listing(registry: Registry, width: int = 80) -> str:
    """The checks by the distribution that they come from, with its version; the capabilities; what could not
    be loaded. Ends in a newline.
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
    if registry.problems:
        lines += [*wrap("Packages of checks that could not be used", width), ""]
        for problem in registry.problems:
            text = clean(f"{problem.name} ({problem.distribution}): {problem.message}")
            lines += _hanging("  ", text, width)
        lines.append("")
    lines += _hanging("", "`kdiag explain ID` explains one of them.", width)
    return "\n".join(lines) + "\n"


def explanation(registry: Registry, name: str, width: int = 80) -> str:
    """The text about one check (by its id or one of its findings') or capability, ending in a newline.

    Raises UnknownName.
    """
    found = _check(registry, name)
    if found is not None:
        return "\n".join(_about_check(found, name, width)) + "\n"
    for definition in DEFINITIONS:
        if definition.id == name:
            return "\n".join(_about_capability(definition, width)) + "\n"
    raise _unknown(registry, name)


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


def _check(registry: Registry, name: str) -> Registered | None:
    """The check of this id, or else the one with a finding of this id."""
    exact = next((f for f in registry.checks if f.check.id == name), None)
    if exact is not None:
        return exact
    return next((f for f in registry.checks if any(_fits(name, i) for i in f.check.finding_ids)), None)


def _fits(name: str, pattern: str) -> bool:
    """Whether a finding of this name may be meant by a check's pattern; of options, those that are known."""
    if "*" not in pattern:
        return name == pattern
    return name.startswith(pattern.rstrip("*")) and (pattern != _OPTIONS or name in _options())


def _options() -> dict[str, str]:
    """What each kernel option unlocks, by the id of its finding."""
    head = _OPTIONS.rstrip("*")
    return {f"{head}{option.name}": option.unlocks for option in by_name().values()}


def _unknown(registry: Registry, name: str) -> UnknownName:
    """The complaint, with the nearest name that there is."""
    known = [i for f in registry.checks for i in (f.check.id, *f.check.finding_ids) if "*" not in i]
    known += [d.id for d in DEFINITIONS]
    if name.casefold().startswith("config"):
        known += _options()
    hint = did_you_mean(name, known)
    return UnknownName(f"nothing is called {name!r}{hint} (`kdiag list` shows all checks and capabilities)")


def _about_check(found: Registered, name: str, width: int) -> Iterator[str]:
    yield from _hanging("", clean(f"{found.check.id}: {found.check.title}"), width)
    if name != found.check.id:
        yield from wrap(f"{clean(name)} is one of its findings.", width)
    for paragraph in inspect.cleandoc(found.check.doc).split("\n\n"):
        yield from ("", *_paragraph(paragraph, width))
    if name.startswith(_OPTIONS.rstrip("*")) and name != found.check.id:
        unlocks = _options().get(name)
        if unlocks:
            yield from ("", *wrap(f"CONFIG_{name.partition('.')[2]} unlocks: {clean(unlocks)}", width))
    yield from ("", f"from {clean(_origin(found))}")


def _about_capability(definition: Definition, width: int) -> Iterator[str]:
    yield from _hanging("", f"{definition.id}: {_titled(definition)}", width)
    yield from ("", *_paragraph(definition.explain, width))
    yield from ("", "See whether it works here:", f"  $ kdiag check --require {definition.id}")


def _paragraph(text: str, width: int) -> Iterator[str]:
    """A paragraph of a check's text: code is not broken, and commands to try stand on lines of their own."""
    text = " ".join(clean(line) for line in text.splitlines())
    see = _SEE.search(text)
    prose = text[: see.start()] if see else text
    unbroken = _CODE.sub(lambda code: code[0].replace(" ", "\0"), prose)
    yield from (line.replace("\0", " ") for line in wrap(unbroken, width))
    if see:
        yield from (["", "See it yourself:"] if prose else ["See it yourself:"])
        yield from (f"  $ {command.strip('`')}" for command in _CODE.findall(see[1]))
