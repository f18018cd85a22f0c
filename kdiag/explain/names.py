"""Checks, findings and capabilities: what they are, how to see them with ordinary tools, and their state here."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

from kdiag.capabilities.definitions import DEFINITIONS, Definition
from kdiag.explain.value import Answer, NotKnown, Section
from kdiag.knowledge.options import by_name
from kdiag.report.terminal.page import works_words
from kdiag.words import did_you_mean

if TYPE_CHECKING:
    from kdiag.checking.registry import Registered, Registry
    from kdiag.explain.here import Here
    from kdiag.model import Finding

#: "See it yourself: `command`, `command`." at the end of a paragraph.
_SEE = re.compile(r"\s*See it yourself: (`[^`]+`(?:, `[^`]+`)*)\.?$")
_CODE = re.compile(r"`([^`]*)`")
#: Findings about options of the kernel's configuration.
_OPTIONS = "config.*"


def explain(name: str, here: Here) -> Answer:
    """What is said of a check (by its id or one of its findings') or a capability. Raises NotKnown."""
    found = _check(here.known, name)
    if found is not None:
        return _about_check(found, name, here)
    for definition in DEFINITIONS:
        if definition.id == name:
            return _about_capability(definition, here)
    raise NotKnown(f"nothing is called {name!r}{did_you_mean(name, names(here.known))}")


def names(registry: Registry) -> list[str]:
    """All that `explain` knows."""
    known = [i for f in registry.checks for i in (f.check.id, *f.check.finding_ids) if "*" not in i]
    return list(dict.fromkeys((*known, *(d.id for d in DEFINITIONS), *_options())))


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


def _about_check(found: Registered, name: str, here: Here) -> Answer:
    text, commands = _paragraphs(found.check.doc)
    if name != found.check.id:
        text = (f"{name} is one of the findings of {found.check.id}.", *text)
        if unlocks := _options().get(name):
            text = (*text, f"CONFIG_{name.partition('.')[2]} unlocks: {unlocks}")
    findings = [f for f in here.report.findings if f.id == name or (name == found.check.id and _of(f, found))]
    sections = (
        Section("", text),
        _state([_stated(finding) for finding in findings], here),
        Section("See it yourself", commands=commands),
        Section("", (f"from {found.distribution} {found.version}",)),
    )
    return Answer(name, "check", found.check.title, "told", "", sections)


def _of(finding: Finding, found: Registered) -> bool:
    return any(_fits(finding.id, pattern) for pattern in (found.check.id, *found.check.finding_ids))


def _stated(finding: Finding) -> tuple[str, str, str]:
    reason = f": {finding.reason}" if finding.reason else ""
    return finding.status.value, finding.id, f"{finding.summary}{reason}"


def _about_capability(definition: Definition, here: Here) -> Answer:
    text, commands = _paragraphs(definition.explain)
    rows = [(works_words(c.status), c.because) for c in here.report.capabilities if c.id == definition.id]
    sections = (
        Section("", text),
        _state([(words, because or "nothing stands in the way") for words, because in rows], here),
        Section("See it yourself", commands=(*commands, f"kdiag check --require {definition.id}")),
    )
    return Answer(definition.id, "capability", definition.title, "told", "", sections)


def _state(rows: list[tuple[str, ...]], here: Here) -> Section:
    return Section(f"On {here.place}" if here.place else "On this machine", rows=tuple(rows))


def _paragraphs(doc: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The paragraphs of a text without its commands to try, and these."""
    text, commands = [], []
    for paragraph in inspect.cleandoc(doc).split("\n\n"):
        words = " ".join(paragraph.split())
        see = _SEE.search(words)
        if prose := words[: see.start()] if see else words:
            text.append(prose)
        commands += _CODE.findall(see[1]) if see else []
    return tuple(text), tuple(commands)
