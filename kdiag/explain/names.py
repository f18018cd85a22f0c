"""Checks, findings and capabilities: what they are, how to see them with ordinary tools, and their state here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.capabilities.definitions import DEFINITIONS, Definition
from kdiag.explain.bare import meanings
from kdiag.explain.concepts import concept as ideas
from kdiag.explain.options import listing, naming
from kdiag.explain.options.parts import here_title, needed, paragraphs, stated
from kdiag.explain.value import Answer, NotKnown, Section
from kdiag.knowledge.bpf.profiles import profiles
from kdiag.knowledge.names.concepts import concepts, of_capability
from kdiag.report.terminal.page import works_words

if TYPE_CHECKING:
    from kdiag.checking.registry import Registered, Registry
    from kdiag.explain.here import Here
    from kdiag.model import Finding


def explain(name: str, here: Here) -> Answer:
    """What is said of a check (by its id, one of its findings', or its last word where that is its own), a capability,
    or a word that the kernel, BPF or bpftrace knows. Raises NotKnown.
    """
    found = _check(here.known, name)
    if found is not None:
        return _about_check(found, name, here)
    for definition in DEFINITIONS:
        if definition.id == name:
            return _about_capability(definition, here)
    ending = [one for one in here.known.checks if one.check.id.endswith(f".{name}")]
    if len(ending) == 1:
        return _about_check(ending[0], ending[0].check.id, here)
    try:
        return meanings.explain(name, here, names(here.known))
    except NotKnown:
        holding = listing.holding(name, here.known)
        if not holding:
            raise
        return listing.listed(name, holding, here)


def names(registry: Registry) -> list[str]:
    """All that `explain` knows."""
    known = [i for f in registry.checks for i in (f.check.id, *f.check.finding_ids) if "*" not in i]
    others = (*map(ideas.spelt, concepts()), *profiles(), *naming.names())
    return list(dict.fromkeys((*known, *(d.id for d in DEFINITIONS), *others)))


def _check(registry: Registry, name: str) -> Registered | None:
    """The check of this id, or else the one with a finding of this id."""
    exact = next((f for f in registry.checks if f.check.id == name), None)
    if exact is not None:
        return exact
    return next((f for f in registry.checks if any(_fits(name, i) for i in f.check.finding_ids)), None)


def _fits(name: str, pattern: str) -> bool:
    """Whether a finding of this name is meant by a check's pattern. Findings that are named by a star are options and
    sysctls, which are explained as such.
    """
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _behind(definition: Definition) -> Section:
    """Where the concept that it is an example of is explained."""
    concept = of_capability(definition.id)
    if concept is None:
        return Section("")
    return Section("The idea behind it", commands=(f"kdiag explain {ideas.spelt(concept)}",))


def _about_check(found: Registered, name: str, here: Here) -> Answer:
    text, commands = paragraphs(found.check.doc)
    if name != found.check.id:
        text = (f"{name} is one of the findings of {found.check.id}.", *text)
    findings = [f for f in here.report.findings if f.id == name or (name == found.check.id and _of(f, found))]
    sections = (
        Section("", text),
        Section(here_title(here), rows=tuple(stated(finding) for finding in findings)),
        Section("See it yourself", commands=commands),
        Section("", (f"from {found.distribution} {found.version}",)),
    )
    return Answer(name, "check", found.check.title, "told", "", sections)


def _of(finding: Finding, found: Registered) -> bool:
    return any(_fits(finding.id, pattern) for pattern in (found.check.id, *found.check.finding_ids))


def _about_capability(definition: Definition, here: Here) -> Answer:
    text, commands = paragraphs(definition.explain)
    rows = tuple(
        (works_words(c.status), c.because or "nothing stands in the way")
        for c in here.report.capabilities
        if c.id == definition.id
    )
    sections = (
        Section("", text),
        Section(here_title(here), rows=rows),
        needed(definition, here),
        _behind(definition),
        Section("See it yourself", commands=(*commands, f"kdiag check --require {definition.id}")),
    )
    return Answer(definition.id, "capability", definition.title, "told", "", sections)
