"""Which things a word names, the likeliest first; what else it may mean stands below."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kdiag.explain.bare import bpf, event, function, language, nearby, structure, tool
from kdiag.explain.value import NotKnown, Section

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kdiag.explain.here import Here
    from kdiag.explain.value import Answer

#: Of each kind, what is said of a word, None if it names none; the order is that of the answers.
_KINDS: tuple[Callable[[str, Here], Answer | None], ...] = (
    tool.explain,
    language.explain,
    bpf.explain,
    event.explain,
    function.explain,
    structure.explain,
)
#: A name of C; of an event with its group; of a type with its keyword.
_NAME = re.compile(r"(?:(?:struct|union|enum) +)?[A-Za-z_][\w.-]*(?::[A-Za-z_][\w-]*)?(?:\(.*\))?")
_LONGEST = 512


def explain(word: str, here: Here, known: Sequence[str]) -> Answer:
    """What is said of a word. known: the names that others explain. Raises NotKnown, with what may be meant."""
    text = word.strip()
    if len(text) > _LONGEST or not _NAME.fullmatch(text):
        raise NotKnown(nearby.unknown(word, known, here, named=False))
    found = [answer for kind in _KINDS if (answer := kind(text, here)) is not None]
    if not found:
        raise NotKnown(nearby.unknown(word, known, here, named=True))
    first, *others = found
    if not others:
        return first
    told = tuple(f"It is also {one.title}." for one in others)
    also = Section("Other meanings", told, commands=tuple(map(_command, others)))
    return first._replace(sections=(*first.sections, also))


def _command(answer: Answer) -> str:
    """How another meaning is asked for: by the first command that its answer offers."""
    return next(command for section in answer.sections for command in section.commands)
