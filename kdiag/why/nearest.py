"""The known messages that an unknown one is most like."""

from __future__ import annotations

from difflib import SequenceMatcher

from kdiag.knowledge.tools.catalogue import catalogue
from kdiag.knowledge.tools.message import Message

#: difflib's ratio: below it the likeness is that of any two sentences.
_ALIKE = 0.55
_COMPARED = 200
_OFFERED = 3


def nearest(text: str) -> tuple[Message, ...]:
    """At most three, the most alike first."""
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(text[:_COMPARED])
    found = []
    for message in catalogue():
        matcher.set_seq1(message.example[:_COMPARED])
        if (
            matcher.real_quick_ratio() >= _ALIKE
            and matcher.quick_ratio() >= _ALIKE
            and matcher.ratio() >= _ALIKE
        ):
            found.append((matcher.ratio(), message))
    found.sort(key=lambda one: -one[0])
    return tuple(message for _, message in found[:_OFFERED])
