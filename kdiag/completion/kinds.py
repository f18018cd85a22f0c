"""What the words mean that stand for values in the help (`FILE`, `ID,...`, `text|json`), and what is offered for them.

The command line says of each value what it is, for people; the same word decides here.
"""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple, cast

from kdiag.completion.value import ByShell, Candidate, Offer, Source

#: Which function has the values of which word: imported when it is asked for.
_SOURCES = {
    "ID": "names:checks",
    "CAPABILITY": "names:capabilities",
    "TOOL": "names:tools",
    "PROFILE": "names:tool_profiles",
    "FORMAT": "names:formats",
    "ENGINE": "names:engines",
    "PROGRAM": "names:programs",
    "KIND": "names:kinds",
    "NAME": "names:explained",
    "TYPE": "kernel:types",
    "FUNCTION": "kernel:functions",
    "PATTERN": "kernel:names",
    "MODULE": "kernel:modules",
    "MEMBER": "kernel:members",
    "RELEASE": "kernel:releases",
}
_BY_SHELL: dict[str, ByShell] = {
    "FILE": "files",
    "DIR": "directories",
    "A": "files",
    "B": "files",
    "TEXT": "files",
    "NAME": "files",
    "COMMAND": "command",
    "SECONDS": "nothing",
    "MACHINE": "nothing",
    "KEY": "nothing",
    "OLD": "files",
    "LIMIT": "nothing",
    "KEY=VALUE": "nothing",
    "SCRIPT": "nothing",
}
#: Words of which each is a value of its own, beside the names that are looked up.
_FIXED = {
    "A": ("here",),
    "B": ("here",),
    "KEY": ("kernel", "distribution", "arch", "container", "vm", "bpftrace", "user"),
    "LIMIT": ("not-ready=", "unknown=", "regressed=", "missing=", "unread="),
}


class Meaning(NamedTuple):
    """words: what a metavar names; several: whether values are joined by commas."""

    words: tuple[str, ...]
    several: bool

    @property
    def known(self) -> bool:
        """Whether each word is a kind of value, or a value."""
        return all(word in _SOURCES or word in _BY_SHELL or word == word.lower() for word in self.words)


def meaning(metavar: str) -> Meaning:
    """What `[MEMBER]...`, `FILE|DIR`, `ID,...`, `-- COMMAND...` and `text|json` name."""
    plain = metavar.replace("-- ", "").strip("[]{}. ")
    several = plain.endswith(",")
    return Meaning(tuple(word.strip("[]{}.") for word in plain.rstrip(",").split("|")), several)


def offer(metavar: str, start: str, before: tuple[str, ...]) -> Offer:
    """What is offered for a value. before: the values before it."""
    words, several = meaning(metavar)
    lead, comma, last = start.rpartition(",") if several else ("", "", start)
    found: dict[str, Candidate] = {}
    for word in words:
        if word in _SOURCES:
            found |= {one.word: one for one in _source(word)(last, before)}
        fixed = _FIXED.get(word, () if word.isupper() else (word,))
        found |= {one: Candidate(one) for one in fixed if one.startswith(last)}
    done = {*lead.split(",")} if several else set[str]()
    candidates = (
        one._replace(word=lead + comma + one.word) for one in found.values() if one.word not in done
    )
    shell = [_BY_SHELL[word] for word in words if word in _BY_SHELL]
    return Offer(tuple(candidates), shell[0] if shell else "nothing")


def _source(word: str) -> Source:
    module, _, function = _SOURCES[word].partition(":")
    return cast("Source", getattr(import_module(f"kdiag.completion.{module}"), function))
