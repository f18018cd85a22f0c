"""The values that all here speak: what is offered, and what the shell does besides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

#: What a shell completes of its own: nothing, files, directories, or another command's line.
ByShell = Literal["nothing", "files", "directories", "command"]


class Candidate(NamedTuple):
    """A word that is offered. open: more comes after it, so that no space does (`kprobe:`)."""

    word: str
    help: str = ""
    open: bool = False


class Offer(NamedTuple):
    """What is offered; where that is nothing, the shell does what `shell` says. before: how many words of the line come
    before the other command's.
    """

    candidates: tuple[Candidate, ...] = ()
    shell: ByShell = "nothing"
    before: int = 0


#: From the beginning of a word, and the words before it, to what is offered.
Source = Callable[[str, tuple[str, ...]], Iterable[Candidate]]
