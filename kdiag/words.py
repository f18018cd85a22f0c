"""Words that all rooms share: lists, verbs, what was found instead and what was meant. Imports nothing of kdiag."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

#: How alike a name must be (difflib's ratio) to be offered: a letter or two apart.
_ALIKE = 0.6
#: A slip of the finger: then nothing else was meant.
_A_SLIP = 0.9
#: How many names are offered that have all parts of what was typed.
_OFFERED = 4
_PART = re.compile(r"[^a-z0-9]+")
#: How many more hints are looked for, None for as many as are asked for.
_HINTS: ContextVar[int | None] = ContextVar("hints", default=None)
#: Digits or letters of a value that a message repeats.
_SHOWN = 40


class Subject(NamedTuple):
    """What a sentence is about, and whether its verb is in the plural: `bpftool starts`, `BCC's tools start`."""

    name: str
    plural: bool = False

    def verb(self, singular: str, plural: str) -> str:
        """The one of the two that goes with this subject."""
        return plural if self.plural else singular

    def __str__(self) -> str:
        return self.name


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`; empty without any."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


@contextmanager
def hints(most: int) -> Iterator[None]:
    """Within it `did_you_mean` looks for so many hints and no more: each looks through all names of a kernel, and who
    has written hundreds of wrong ones is not helped by hundreds of hints.
    """
    before = _HINTS.set(most)
    try:
        yield
    finally:
        _HINTS.reset(before)


def did_you_mean(name: str, known: Iterable[str], lead: str = "; ") -> str:
    """A hint at what is meant, with `lead` before it: the names that have all parts of this one (`kheaders`,
    `CONFIG_BPF_SYSCALL`), else the nearest; empty if none is near, or if no more hints are looked for.
    """
    from difflib import get_close_matches

    left = _HINTS.get()
    if left is not None:
        if left <= 0:
            return ""
        _HINTS.set(left - 1)
    names = list(dict.fromkeys(known))
    near = (
        get_close_matches(name, names, n=1, cutoff=_A_SLIP)
        or _with_all_parts(name, names)
        or get_close_matches(name, names, n=1, cutoff=_ALIKE)
    )
    if not near:
        return ""
    *first, last = near
    return f"{lead}did you mean {', '.join(first)} or {last}?" if first else f"{lead}did you mean {last}?"


def _with_all_parts(name: str, known: Sequence[str]) -> list[str]:
    """The names of which this one is a run of whole parts, those first that begin with it."""
    wanted = f" {' '.join(_parts(name))} "
    padded = ((known_name, f" {' '.join(_parts(known_name))} ") for known_name in known)
    found = [(not text.startswith(wanted), known_name) for known_name, text in padded if wanted in text]
    return (
        [known_name for _, known_name in sorted(found, key=lambda one: one[0])[:_OFFERED]]
        if wanted.strip()
        else []
    )


def _parts(name: str) -> list[str]:
    return [part for part in _PART.split(name.casefold()) if part]


def found_instead(value: object) -> str:
    """A value of a document, in a word or two that are short and safe to print: `a list`, `'abc'`, `the number 3`."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return ascii(value if len(value) <= _SHOWN else value[: _SHOWN - 1] + "...")
    if (
        isinstance(value, int) and value.bit_length() > 256
    ):  # str() refuses 4,300 digits, and takes long for fewer
        return "a very large number"
    if isinstance(value, (int, float)):
        return f"the number {value!s:.{_SHOWN}}"
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else "a date or time"
