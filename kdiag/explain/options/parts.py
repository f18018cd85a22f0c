"""Sections that several kinds of names share: what needs a thing, how it stands here, how to see it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from kdiag.capabilities.relations import Relation, findings_of, resting_on
from kdiag.explain.value import Section
from kdiag.knowledge.tools.bpftrace import behaviour
from kdiag.knowledge.tools.bpftrace_history import NEWEST_READ
from kdiag.model import Status
from kdiag.report.terminal.page import works_words
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.capabilities.definitions import Definition
    from kdiag.checking.registry import Registry
    from kdiag.explain.here import Here
    from kdiag.knowledge.tools.behaviour import Behaviour
    from kdiag.model import Finding

#: "See it yourself: `command`, `command`." at the end of a paragraph.
_SEE = re.compile(r"\s*See it yourself: (`[^`]+`(?:, `[^`]+`)*)\.?$")
#: What is shown first.
_WORST = (Status.FAIL, Status.UNKNOWN, Status.WARN, Status.OK, Status.SKIP)
_CODE = re.compile(r"`([^`]*)`")


def paragraphs(doc: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The paragraphs of a text without its commands to try, and these."""
    text, commands = [], []
    for paragraph in inspect.cleandoc(doc).split("\n\n"):
        words = " ".join(paragraph.split())
        see = _SEE.search(words)
        if prose := words[: see.start()] if see else words:
            text.append(prose)
        commands += _CODE.findall(see[1]) if see else []
    return tuple(text), tuple(commands)


def here_title(here: Here) -> str:
    """The title of a section about the machine that is spoken of."""
    return f"On {here.place}" if here.place else "On this machine"


def stated(finding: Finding) -> tuple[str, str, str]:
    """A finding as a row: status, id, what was found."""
    reason = f": {finding.reason}" if finding.reason else ""
    return finding.status.value, finding.id, f"{finding.summary}{reason}"


def states(ids: Iterable[str], here: Here) -> tuple[tuple[str, str, str], ...]:
    """The findings of these ids, those that are there, as rows."""
    every = {finding.id: finding for finding in here.report.findings}
    return tuple(stated(every[i]) for i in dict.fromkeys(ids) if i in every)


def installed(here: Here) -> Behaviour | None:
    """How the installed bpftrace behaves; None where none is installed, or its release is not known."""
    try:
        return here.machine.tools.behaviour
    except Unavailable:
        return None


def behaviour_here(here: Here) -> Behaviour:
    """How the installed bpftrace behaves; the newest that was read where that is not known."""
    return installed(here) or behaviour(NEWEST_READ)


def with_bpftrace(here: Here) -> str:
    """Of which release the behaviour is."""
    release = behaviour_here(here).release
    known = installed(here) is not None
    return f"with bpftrace {release}" + ("" if known else ", the newest that kdiag knows: none is seen")


def dependents(ids: Collection[str], here: Here, ways: Collection[str] = ()) -> Section:
    """The capabilities that rest on these findings, with their state here. ways: findings that these can help along."""
    taken = behaviour_here(here)
    title = f"What rests on it ({with_bpftrace(here)})"
    relations = list(resting_on(ids, [taken]))
    named = {relation.definition.id for relation in relations}
    relations += [
        Relation(other.definition, needed=False)
        for other in (resting_on(ways, [taken]) if ways else ())
        if other.definition.id not in named
    ]
    if not relations:
        return Section(title, ("No row of `kdiag check` rests on it.",))
    status = {c.id: works_words(c.status) for c in here.report.capabilities}
    return Section(title, (), ("", "here", "capabilities"), tuple(_rows(relations, status)))


def needed(definition: Definition, here: Here) -> Section:
    """The findings that decide over the capability, those first that are not as they should be."""
    asked = findings_of(definition, [behaviour_here(here)])
    found = sorted((f for f in here.report.findings if f.id in asked), key=lambda f: _WORST.index(f.status))
    rows = tuple((f.status.value, f.id, f.summary) for f in found)
    title = "What decides over it"
    return Section(f"{title} ({with_bpftrace(here)})" if definition.tool == "bpftrace" else title, rows=rows)


def _rows(relations: Iterable[Relation], status: dict[str, str]) -> Iterable[tuple[str, str, str]]:
    """Ids by relation and state; parts of what is named itself are left out."""
    grouped: dict[tuple[str, str], list[str]] = {}
    every = tuple(relations)
    named = {(r.definition.id, r.needed) for r in every}
    for relation in every:
        definition = relation.definition
        if (definition.part_of, relation.needed) in named:
            continue
        how = "needs it" if relation.needed else "has another way"
        grouped.setdefault((how, status.get(definition.id, "not judged")), []).append(definition.id)
    return ((how, state, ", ".join(ids)) for (how, state), ids in grouped.items())


def titled(name: str, what: str, subject: str) -> str:
    """The title below the word that was asked for: with the whole name where that is another spelling."""
    return what if subject == name else f"{name}, {what}"


def look(ids: Iterable[str], known: Registry, *first: str) -> tuple[str, ...]:
    """These commands, then those by which the checks with these findings can be followed with ordinary tools."""
    wanted = set(ids)
    docs = (f.check.doc for f in known.checks if wanted & {f.check.id, *f.check.finding_ids})
    return tuple(dict.fromkeys((*first, *(command for doc in docs for command in paragraphs(doc)[1]))))
