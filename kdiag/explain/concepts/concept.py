"""What a concept is, how it stands on this machine, and a command to try."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.capabilities.definitions import DEFINITIONS
from kdiag.explain.concepts.facts import EXAMPLES, FACTS
from kdiag.explain.options.parts import here_title
from kdiag.explain.value import Answer, NotKnown, Section
from kdiag.knowledge.names.concepts import Concept, concepts
from kdiag.report.terminal.page import works_words
from kdiag.words import did_you_mean

if TYPE_CHECKING:
    from kdiag.explain.here import Here

#: Says that the concept is meant where a capability has the same name.
PREFIX = "concept:"
_IDS = frozenset(definition.id for definition in DEFINITIONS)


def fits(word: str) -> bool:
    """Whether a word names a concept; an id of a capability names that."""
    return word.startswith(PREFIX) or (word not in _IDS and find(word) is not None)


def explain(word: str, here: Here) -> Answer:
    """What is said of it. Raises NotKnown."""
    found = find(word)
    if found is None:
        hint = did_you_mean(word.removeprefix(PREFIX), (one.name for one in concepts()))
        raise NotKnown(f"no concept is called {word.removeprefix(PREFIX)!r}{hint}")
    return about(found, word, here)


def find(word: str) -> Concept | None:
    """The concept of this name or alias, in any case."""
    lowered = word.lower().removeprefix(PREFIX)
    exact = next((one for one in concepts() if one.name == lowered), None)
    return exact or next((one for one in concepts() if lowered in one.aliases), None)


def spelt(concept: Concept) -> str:
    """The word that leads to it: with the prefix where a capability has its name."""
    return f"{PREFIX}{concept.name}" if concept.name in _IDS else concept.name


def about(concept: Concept, subject: str, here: Here) -> Answer:
    """All that is said of one concept."""
    own = FACTS[concept.name](here) if concept.name in FACTS else ()
    rows = (*own, *_findings(concept, here), *_capabilities(concept, here))
    sections = (
        Section("", concept.text),
        Section(here_title(here), rows=rows),
        *(EXAMPLES[concept.name](here) if concept.name in EXAMPLES else ()),
        Section("", (f"Sources: {'; '.join(concept.sources)}.",)),
        Section("Try it", commands=concept.to_try),
    )
    return Answer(subject, "concept", concept.title, "told", "", sections)


def _findings(concept: Concept, here: Here) -> list[tuple[str, str]]:
    """What checks found out about it, without what does not arise here."""
    every = {finding.id: finding for finding in here.report.findings}
    found = (every[i] for i in concept.findings if i in every)
    return [(finding.id, finding.summary) for finding in found if finding.status.value != "skip"]


def _capabilities(concept: Concept, here: Here) -> list[tuple[str, str]]:
    """What works with it, in a row for each state."""
    grouped: dict[str, list[str]] = {}
    for capability in here.report.capabilities:
        if capability.id in concept.capabilities:
            grouped.setdefault(works_words(capability.status), []).append(capability.id)
    return [(state, ", ".join(ids)) for state, ids in grouped.items()]
