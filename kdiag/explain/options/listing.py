"""A pattern (`CONFIG_*BTF*`, `btf.*`): the names that it fits, with a line each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from kdiag.capabilities.definitions import DEFINITIONS
from kdiag.explain.concepts.concept import spelt
from kdiag.explain.options import option as options
from kdiag.explain.options import setting as settings
from kdiag.explain.options.parts import here_title
from kdiag.explain.value import Answer, NotKnown, Section
from kdiag.knowledge.bpf.profiles import profiles
from kdiag.knowledge.names.concepts import concepts as every_concept
from kdiag.knowledge.names.settings import settings as every_setting
from kdiag.knowledge.options import options as every_option
from kdiag.report.terminal.page import works_words

if TYPE_CHECKING:
    from kdiag.checking.registry import Registry
    from kdiag.explain.here import Here

#: Rows that a page has room for.
LONGEST = 120
_WILD = "*?["
_WORDS = re.compile(r"[^a-z0-9]+")


class Entry(NamedTuple):
    """A name that a pattern can fit, with other spellings of it; what it is, and how it is here."""

    name: str
    kind: str
    title: str
    also: tuple[str, ...] = ()


def fits(word: str) -> bool:
    """Whether a word is a pattern of names: not of probes (`kprobe:tcp_*`) and files."""
    return any(sign in word for sign in _WILD) and ":" not in word and "/" not in word


def matching(pattern: str, known: Registry) -> list[Entry]:
    """The names that a pattern fits, in any case."""
    lowered = pattern.lower()
    return [
        entry
        for entry in entries(known)
        if any(fnmatchcase(name.lower(), lowered) for name in (entry.name, *entry.also))
    ]


def holding(word: str, known: Registry) -> list[Entry]:
    """The names that have a word among theirs: `jit` is in CONFIG_BPF_JIT and in net.core.bpf_jit_enable."""
    lowered = word.strip().lower()
    if not lowered.isalnum():
        return []
    return [one for one in entries(known) if lowered in _WORDS.split(one.name.lower()) or lowered == one.kind]


def entries(known: Registry) -> Iterator[Entry]:
    """All names that are explained: capabilities, checks and their findings, concepts, profiles, options, settings."""
    yield from (Entry(one.id, "capability", one.title) for one in DEFINITIONS)
    seen = set[str]()
    for found in known.checks:
        for name in (found.check.id, *found.check.finding_ids):
            if "*" not in name and name not in seen:
                seen.add(name)
                yield Entry(name, "check", found.check.title)
    yield from (Entry(spelt(one), "concept", one.title, (one.name,)) for one in every_concept())
    yield from (Entry(name, "profile", profile.title) for name, profile in profiles().items())
    for option in every_option():
        yield Entry(f"CONFIG_{option.name}", "option", option.unlocks, (f"config.{option.name}",))
    for setting in every_setting():
        yield Entry(setting.name, setting.kind, setting.what, (f"sysctl.{setting.name}",))


def listed(pattern: str, fitting: list[Entry], here: Here) -> Answer:
    """The names with a line each. Raises NotKnown if there is none."""
    if not fitting:
        raise NotKnown(f"no name fits {pattern!r}: `kdiag list` shows checks and capabilities")
    shown = fitting[:LONGEST]
    rows = tuple((entry.name, _here(entry, here), entry.title) for entry in shown)
    more = len(fitting) - len(shown)
    text = (
        f"{len(shown)} of {len(fitting)} names are shown: write a narrower pattern for the other {more}.",
    )
    sections = (
        Section("", text if more else ()),
        Section(here_title(here), (), ("name", "here", "what it is"), rows),
        Section("Read on", commands=(f"kdiag explain {shown[0].name}",)),
    )
    number = f"{len(fitting)} name{'' if len(fitting) == 1 else 's'}"
    return Answer(
        pattern, "list", number if fits(pattern) else f"{number} with this word", "told", "", sections
    )


def _here(entry: Entry, here: Here) -> str:
    if entry.kind == "option":
        option = options.find(entry.name.removeprefix("CONFIG_"))
        return options.value_here(option, here) if option is not None else ""
    if entry.kind in ("capability", "check"):
        capability = next((c for c in here.report.capabilities if c.id == entry.name), None)
        if capability is not None:
            return works_words(capability.status)
    if entry.kind in ("concept", "profile"):
        return "-"
    setting = settings.find(entry.name)
    if setting is not None and setting.name == entry.name:
        return settings.value_here(setting, here)
    finding = here.report.finding(entry.name)
    return finding.status.value if finding is not None else ""
