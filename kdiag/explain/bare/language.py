"""A word of bpftrace's language: `comm`, `count()`, `@x = hist(...)`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kdiag.explain.options.parts import here_title
from kdiag.explain.value import Answer, Section
from kdiag.knowledge.scripts.language import about, example, names

if TYPE_CHECKING:
    from kdiag.explain.here import Here

_OLDEST = (0, 9, 0)
_NUMBERED = re.compile(r"(s?arg)\d")


def explain(word: str, here: Here) -> Answer | None:
    """What is said of a builtin or function, None if bpftrace has none of this name."""
    name = word.partition("(")[0]
    since = names().get("arg0" if name in ("argN", "sargN") else name)
    told = about().get(_NUMBERED.sub(r"\1N", name))
    if since is None or told is None:
        return None
    form, text = told
    release = ".".join(map(str, since[:2]))
    first = f"Since bpftrace {release}." if since > _OLDEST else "All releases of bpftrace have it."
    sections = (
        Section("", (f"`{form}`: {text}.", first)),
        Section(here_title(here), (_here(since, release, here),)),
        Section("Try it", commands=example(name)),
    )
    return Answer(word, "language", "a word of bpftrace's language", "told", "", sections)


def _here(since: tuple[int, ...], release: str, here: Here) -> str:
    behaviour = here.machine.tools.behaviour
    if behaviour is None:
        return "Which bpftrace is installed is not known."
    if behaviour.version < since:
        return f"bpftrace {behaviour.release} does not have it: it requires {release} or newer."
    return f"bpftrace {behaviour.release} has it."
