"""What may be meant by a word that names nothing: said in the error."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from difflib import SequenceMatcher, get_close_matches
from typing import TYPE_CHECKING

from kdiag.btf.finding import FUNCTIONS, near
from kdiag.btf.sources import NoTypes
from kdiag.errnos import names as errnos
from kdiag.errnos import words as errno_words
from kdiag.explain.bare import structure
from kdiag.knowledge.names.tools import collections
from kdiag.knowledge.scripts.language import names as words
from kdiag.parse.bpftrace.attach import KINDS
from kdiag.parse.btf import BtfError
from kdiag.parse.btf.kinds import Kind
from kdiag.words import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kdiag.explain.here import Here

#: How much of a word an error repeats.
_SHOWN = 80
#: So alike is a name of ours with a letter wrong: `btf.vmlinu` is no field of a struct btf.
_MISSPELT = 0.85
#: A field with its struct, as people write it.
_MEMBER = re.compile(r"(?:struct +)?([A-Za-z_]\w*)\.([A-Za-z_]\w*)")
_TYPES = (Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.TYPEDEF)


def unknown(word: str, known: Sequence[str], here: Here, *, named: bool) -> str:
    """The error for a word. known: what else is explained; named: whether it can be a name of the kernel's."""
    shown = repr(word if len(word) <= _SHOWN else f"{word[: _SHOWN - 3]}...")
    text = word.strip()
    if not text:
        return "an empty word names nothing: `kdiag list` shows checks and capabilities"
    numbers = {name: number for number, name in errnos().items()}
    if text in numbers:
        return (
            f"{text} is the error number of {errno_words(numbers[text])!r}: "
            "`kdiag why 'TEXT'` explains the message that it came in"
        )
    kind, colon, rest = text.partition(":")
    if colon and kind not in KINDS and rest and not rest[0].isspace():
        meant = get_close_matches(kind, [one for one in KINDS if len(one) > 2], n=1)
        hint = (
            f"; did you mean {meant[0]}:{rest}?"
            if meant
            else ": a probe is written KIND:NAME, such as kprobe:vfs_read"
        )
        return f"nothing is called {shown}{hint}"
    if ":" in text:
        return f"nothing is called {shown}: a probe is written KIND:NAME, such as kprobe:vfs_read"
    if os.path.lexists(text):
        what = (
            "is a directory" if os.path.isdir(text) else f"is a file here: `kdiag explain ./{text}` reads it"
        )
        return f"nothing is called {shown}; {text} {what}"
    ours = did_you_mean(text, [*known, *collections(), *words()])
    member = _MEMBER.fullmatch(text) if _alike(text, ours) < _MISSPELT else None
    if member is not None and named and structure.explain(member[1], here) is not None:
        return (
            f"nothing is called {shown}; `kdiag btf struct {member[1]} {member[2]}` shows a field of a struct"
        )
    theirs = _of_kernel(text, here) if named else ""
    hint = theirs if theirs and (not ours or _alike(text, theirs) > _alike(text, ours)) else ours
    if hint:
        return f"nothing is called {shown}{hint}"
    if len(text.split()) > 1:
        return f"nothing is called {shown}; `kdiag why 'TEXT'` explains the messages of tools"
    where = f"; `kdiag btf find '*{text}*'` looks among the kernel's functions and types" if named else ""
    return f"nothing is called {shown}{where}"


def _alike(text: str, hint: str) -> float:
    """How alike what a hint offers is to what was typed."""
    offered = hint.partition("mean ")[2].rstrip("?").replace(",", " ").split()
    return max((SequenceMatcher(None, text, one).ratio() for one in offered), default=0.0)


def _of_kernel(text: str, here: Here) -> str:
    """A function or a type of the kernel that is near."""
    plain = text.rpartition(" ")[2].removesuffix("()")
    with suppress(NoTypes, BtfError):
        types = here.types.main
        hints = [near(types, plain, kinds) for kinds in (FUNCTIONS, _TYPES)]
        return max(hints, key=lambda hint: _alike(plain, hint))
    return ""
